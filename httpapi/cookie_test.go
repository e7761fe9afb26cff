package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/memstore"
)

// Cookies are kept to secure connections unless every page is on http://localhost.
func TestCookieNames(t *testing.T) {
	local := func(port string) cookies {
		return cookies{refresh: "stepkey-refresh-" + port, device: "stepkey-device-" + port + "-"}
	}
	for _, test := range []struct {
		origins []string
		want    cookies
	}{
		{[]string{"http://localhost:3000"}, local("3000")},
		{[]string{"http://localhost"}, local("80")},
		{[]string{"http://app.localhost:3000"}, local("3000")},
		{[]string{"http://localhost:3000", "http://localhost:5173"}, local("3000")},
		{[]string{"https://localhost:3000"}, hostCookies},
		{[]string{"https://app.example.com"}, hostCookies},
		{[]string{"http://localhost:3000", "https://app.example.com"}, hostCookies},
		{[]string{"http://localhost:3000", "https://localhost:3443"}, hostCookies},
		{nil, hostCookies},
	} {
		if got := cookiesFor(test.origins); got != test.want {
			t.Errorf("%v: %+v, want %+v", test.origins, got, test.want)
		}
	}
}

// signInAt returns the API of a service with that origin, after a sign-in in cookie
// mode, and its answer.
func signInAt(t *testing.T, origin string, change func(*stepkey.Config)) (http.Handler, *http.Response) {
	t.Helper()
	h := newHandler(newServiceWith(t, func(c *stepkey.Config) {
		c.Origins, c.DangerNoLimits, c.Limiter = []string{origin}, false, memstore.NewLimiter(0, nil)
		change(c)
	}), Options{})
	send(h, "POST", "/auth/signup", `{"username":"mira","password":"correct horse battery"}`)
	login := logInWith(h, "cookie", "Origin", origin)
	if login.StatusCode != http.StatusCreated || len(login.Cookies()) != 2 {
		t.Fatalf("%d, cookies %v", login.StatusCode, login.Cookies())
	}
	return h, login
}

// webKit keeps the cookies of one host as WebKit does over plain http: all ports share
// them, and a secure one is dropped.
type webKit map[string]string

func (k webKit) take(r *http.Response) {
	for _, c := range r.Cookies() {
		switch {
		case c.Secure:
		case c.MaxAge < 0:
			delete(k, c.Name)
		default:
			k[c.Name] = c.Value
		}
	}
}

func (k webKit) header() string {
	var pairs []string
	for name, value := range k {
		pairs = append(pairs, name+"="+value)
	}
	return strings.Join(pairs, "; ")
}

// Two installations on one host keep people signed in, each its own.
func TestCookiesOnPlainLocalhost(t *testing.T) {
	browser := webKit{}
	post := func(h http.Handler, origin, path string) {
		t.Helper()
		r := send(h, "POST", path, "{}", "Origin", origin, "Cookie", browser.header())
		wantStatus(t, path+" at "+origin, r, http.StatusOK, "")
		browser.take(r)
	}
	const one, other = "http://localhost:3000", "http://localhost:4000"
	first, login := signInAt(t, one, func(*stepkey.Config) {})
	browser.take(login)
	second, login := signInAt(t, other, func(*stepkey.Config) {})
	browser.take(login)
	for range 2 {
		post(first, one, "/auth/refresh")
		post(second, other, "/auth/refresh")
	}
	post(first, one, "/auth/logout")
	post(second, other, "/auth/refresh")
	if _, left := browser["stepkey-refresh-3000"]; left {
		t.Errorf("after the logout: %v", browser)
	}
}

func TestCookieAttributes(t *testing.T) {
	for _, test := range []struct {
		origin, refresh, device string
		secure                  bool
	}{
		{"https://app.example.com", "__Host-stepkey-refresh", "__Host-stepkey-device-", true},
		{"http://localhost:3000", "stepkey-refresh-3000", "stepkey-device-3000-", false},
	} {
		_, login := signInAt(t, test.origin, func(*stepkey.Config) {})
		set := login.Cookies()
		if set[0].Name != test.refresh || !strings.HasPrefix(set[1].Name, test.device) {
			t.Errorf("%s: cookies %v", test.origin, set)
		}
		for _, c := range set {
			if c.Secure != test.secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("%s: %s", test.origin, c.Raw)
			}
		}
	}
}

// Passkeys work from the origin of an app, and cookies do not.
func TestAppOriginsGetNoCookies(t *testing.T) {
	const appOrigin = "https://example.com"
	h, login := signInAt(t, "https://app.example.com", func(c *stepkey.Config) {
		c.RPID, c.AppOrigins = "example.com", []string{appOrigin}
	})
	wantStatus(t, "login", logInWith(h, "cookie", "Origin", appOrigin), http.StatusForbidden, "cross_site")
	wantStatus(t, "login for the body", logInWith(h, "body", "Origin", appOrigin), http.StatusCreated, "")
	refresh := login.Cookies()[0]
	for _, path := range []string{"/auth/refresh", "/auth/logout"} {
		r := send(h, "POST", path, "{}", "Origin", appOrigin, "Cookie", refresh.Name+"="+refresh.Value)
		wantStatus(t, path, r, http.StatusForbidden, "cross_site")
		if allowed := r.Header.Get("Access-Control-Allow-Origin"); allowed != "" {
			t.Errorf("%s: Access-Control-Allow-Origin %q", path, allowed)
		}
	}
}
