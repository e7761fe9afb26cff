package httpapi

import (
	"io"
	"testing"
)

func TestRelatedOriginsRoute(t *testing.T) {
	const path = "/.well-known/webauthn"
	wantStatus(t, "without any", send(newHandler(newService(t), Options{}), "GET", path, ""), 404, "not_found")

	h := newHandler(newServiceAt(t, []string{"https://app.example.com"}, "https://app.example.net", "https://example.org:8443"), Options{})
	got := send(h, "GET", path, "")
	text, _ := io.ReadAll(got.Body)
	if want := `{"origins":["https://app.example.net","https://example.org:8443"]}`; got.StatusCode != 200 || string(text) != want {
		t.Errorf("%d %s, want %s", got.StatusCode, text, want)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "public, max-age=300"} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %s, want %s", name, got.Header.Get(name), want)
		}
	}
	wantStatus(t, "unchanged", send(h, "GET", path, "", "If-None-Match", got.Header.Get("ETag")), 304, "")
	wantStatus(t, "POST", send(h, "POST", path, ""), 405, "method_not_allowed")
}

// A cookie is for pages: those of related origins too, and no app's.
func TestCookieIsForRelatedPages(t *testing.T) {
	const app = "android:apk-key-hash:-_8jcJtgyfrbH09yT3MOOxaQvYBN2iI4VUdL3lqkfpE"
	h := newHandler(newServiceAt(t, []string{"https://app.example.com", app}, "https://app.example.net"), Options{})
	send(h, "POST", "/auth/signup", `{"username":"mira","password":"correct horse battery"}`)
	for origin, want := range map[string]int{
		"https://app.example.com": 201, "https://app.example.net": 201,
		app: 403, "https://example.net": 403,
	} {
		wantStatus(t, origin, logInWith(h, "cookie", "Origin", origin), want, "")
	}
}
