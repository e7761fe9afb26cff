package httpapi

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/memstore"
)

const friend = "https://app.example.com"

func wantNoCORS(t *testing.T, what string, r *http.Response) {
	t.Helper()
	for name := range r.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: %s: %s", what, name, r.Header.Get(name))
		}
	}
}

// wantCORS checks that a page of the listed origin can read an answer, and what it waits for.
func wantCORS(t *testing.T, what string, r *http.Response) {
	t.Helper()
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      friend,
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Expose-Headers":    "WWW-Authenticate, Retry-After, X-Request-Id",
	} {
		if got := r.Header.Values(name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %s is %q, want %q", what, name, got, want)
		}
	}
}

func wantVary(t *testing.T, what string, r *http.Response) {
	t.Helper()
	if !slices.Contains(r.Header.Values("Vary"), "Origin") {
		t.Errorf("%s: caches are not told that the answer depends on the origin: Vary %q", what, r.Header.Values("Vary"))
	}
}

func TestNobodyElsewhereByDefault(t *testing.T) {
	h := newHandler(newService(t), Options{})
	wantNoCORS(t, "request", send(h, "GET", "/auth/login", "", "Origin", friend))
	wantNoCORS(t, "preflight", send(h, "OPTIONS", "/auth/login", "", "Origin", friend, "Access-Control-Request-Method", "POST"))
}

// Whatever is answered, a listed page can read it: how long to wait, and by which id to ask for it.
func TestListedPagesReadEveryAnswer(t *testing.T) {
	stopping := make(chan struct{})
	close(stopping)
	limited := newHandler(newServiceWith(t, func(c *stepkey.Config) {
		c.DangerNoLimits, c.Limiter = false, memstore.NewLimiter(0, nil)
	}), Options{CORSOrigins: []string{friend}, Stopping: stopping})
	const credentials = `{"username":"mira","password":"correct horse battery"}`
	for _, c := range []struct {
		method, path, body string
		status             int
		header             string
	}{
		{"POST", "/auth/signup", credentials, 201, "X-Request-Id"},
		{"POST", "/auth/login", credentials, 201, "X-Request-Id"},
		{"POST", "/auth/login", `{`, 400, ""},
		{"POST", "/auth/login", `{"username":"mira","password":"` + strings.Repeat("x", 1<<20) + `"}`, 413, ""},
		{"GET", "/auth/login", "", 405, "Allow"},
		{"OPTIONS", "/auth/login", "", 405, "Allow"},
		{"GET", "/nothing", "", 404, ""},
		{"GET", "/users/profile", "", 401, "WWW-Authenticate"},
		{"GET", "/readyz", "", 503, ""},
	} {
		what := c.method + " " + c.path
		got := send(limited, c.method, c.path, c.body, "Origin", friend)
		if got.StatusCode != c.status || (c.header != "" && got.Header.Get(c.header) == "") {
			t.Errorf("%s: %d %v, want %d with %s", what, got.StatusCode, got.Header, c.status, c.header)
		}
		wantCORS(t, what, got)
		wantVary(t, what, got)
	}
	for range 10 {
		send(limited, "POST", "/auth/login", `{"username":"mira","password":"incorrect horse"}`)
	}
	got := send(limited, "POST", "/auth/login", credentials, "Origin", friend)
	if got.StatusCode != 429 || got.Header.Get("Retry-After") == "" {
		t.Errorf("after too many: %d %v", got.StatusCode, got.Header)
	}
	wantCORS(t, "429", got)
	panics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("fault") })
	wantCORS(t, "500", send(recoverPanics(slog.New(slog.DiscardHandler), allowOrigins([]string{friend}, panics)), "GET", "/", "", "Origin", friend))
}

func TestPreflightOfAListedPage(t *testing.T) {
	h := newHandler(newService(t), Options{CORSOrigins: []string{"https://shop.example.com", friend}})
	for _, path := range []string{"/auth/login", "/passkeys/00000000-0000-0000-0000-000000000000", "/nothing"} {
		got := send(h, "OPTIONS", path, "", "Origin", friend, "Access-Control-Request-Method", "DELETE")
		if got.StatusCode != http.StatusNoContent {
			t.Errorf("%s: status %d", path, got.StatusCode)
		}
		for name, want := range map[string][]string{
			"Access-Control-Allow-Methods": {"GET", "POST", "PATCH", "DELETE"},
			"Access-Control-Allow-Headers": {"Authorization", "Content-Type", "Stepkey-Action"},
		} {
			for _, word := range want {
				if !slices.Contains(strings.Split(got.Header.Get(name), ", "), word) {
					t.Errorf("%s: %s is %q, without %s", path, name, got.Header.Get(name), word)
				}
			}
		}
		if got.Header.Get("Access-Control-Allow-Origin") != friend || got.Header.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: %v", path, got.Header)
		}
		wantVary(t, path, got)
	}
}

func TestPagesThatAreNotListedReadNothing(t *testing.T) {
	h := newHandler(newService(t), Options{CORSOrigins: []string{friend}, Pages: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
	for _, origin := range []string{"", "null", "https://evil.example", friend + ".evil.example", "http://app.example.com", "https://x.app.example.com", friend + ":8443", page} {
		for _, path := range []string{"/auth/login", "/nothing", "/users/profile", "/"} {
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				what := method + " " + path + " from " + origin
				got := send(h, method, path, "", "Origin", origin, "Access-Control-Request-Method", "GET")
				wantNoCORS(t, what, got)
				wantVary(t, what, got)
			}
		}
	}
}

// Every page may read public resources, but without cookies; with cookies, only a listed page may.
func TestPublicDocumentsAreForEveryPage(t *testing.T) {
	h := newHandler(newService(t), Options{CORSOrigins: []string{friend}})
	for _, path := range []string{"/.well-known/jwks.json", "/openapi.json"} {
		got := send(h, "GET", path, "", "Origin", "https://evil.example")
		if got.Header.Get("Access-Control-Allow-Origin") != "*" || got.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", path, got.Header)
		}
		wantVary(t, path, got)
		got = send(h, "GET", path, "", "Origin", friend)
		wantCORS(t, path, got)
		wantVary(t, path, got)
	}
}

// Origins that any page can take on are refused at the start.
func TestOriginsOfNobodyAreRefused(t *testing.T) {
	service := newService(t)
	for _, origin := range []string{"*", "null", "", "https://app.example.com/", "https://*.example.com"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is taken", origin)
				}
			}()
			newHandler(service, Options{CORSOrigins: []string{friend, origin}})
		}()
	}
}

// A listed page keeps its session in the cookie, and another page of the same site, whose requests carry the cookie as well,
// can do nothing with it.
func TestCookieIsForListedPages(t *testing.T) {
	h := newHandler(newServiceAt(t, []string{"https://login.example.com"}), Options{CORSOrigins: []string{friend}})
	const credentials = `{"username":"mira","password":"correct horse battery","refresh":"cookie"}`
	send(h, "POST", "/auth/signup", `{"username":"mira","password":"correct horse battery"}`)
	const sibling = "https://blog.example.com"
	wantStatus(t, "sign-in from a sibling", send(h, "POST", "/auth/login", credentials, "Origin", sibling, "Sec-Fetch-Site", "same-site"), 403, "cross_site")
	signedIn := send(h, "POST", "/auth/login", credentials, "Origin", friend, "Sec-Fetch-Site", "same-site")
	wantStatus(t, "sign-in", signedIn, 201, "")
	cookie := cookieOf(t, signedIn)
	sent := cookie.Name + "=" + cookie.Value
	for _, path := range []string{"/auth/refresh", "/auth/logout"} {
		for _, origin := range []string{sibling, "null"} {
			got := send(h, "POST", path, `{}`, "Origin", origin, "Sec-Fetch-Site", "same-site", "Cookie", sent)
			wantStatus(t, path+" from "+origin, got, 403, "cross_site")
			wantNoCORS(t, path+" from "+origin, got)
		}
		wantStatus(t, path+" without an origin", send(h, "POST", path, `{}`, "Sec-Fetch-Site", "same-site", "Cookie", sent), 403, "cross_site")
	}
	refreshed := send(h, "POST", "/auth/refresh", `{}`, "Origin", friend, "Sec-Fetch-Site", "same-site", "Cookie", sent)
	wantStatus(t, "refresh", refreshed, 200, "")
	wantCORS(t, "refresh", refreshed)
	cookie = cookieOf(t, refreshed)
	wantStatus(t, "sign-out", send(h, "POST", "/auth/logout", `{}`, "Origin", friend, "Sec-Fetch-Site", "same-site", "Cookie", cookie.Name+"="+cookie.Value), 200, "")
}
