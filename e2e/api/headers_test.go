package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The headers that every answer carries are looked at in the transport. These
// are the ones that depend on settings.

func TestHSTSOnHTTPSOnly(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings []string
		want     string
	}{
		{"http", nil, ""},
		{"https", []string{"RP_ORIGIN=https://login.example.com", "STEPKEY_HOST=localhost", "STEPKEY_LIMITS=on"}, "max-age=31536000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, start(t, tt.settings...))
			for _, path := range []string{"/", "/livez", "/users/profile", "/nothing", "/openapi.json"} {
				a := c.do("GET", path, nil)
				if got := a.header.Get("Strict-Transport-Security"); got != tt.want {
					t.Errorf("%s: Strict-Transport-Security %q, want %q", path, got, tt.want)
				}
			}
		})
	}
}

func TestNobodyReadsAcrossOriginsByDefault(t *testing.T) {
	c := newClient(t, start(t))
	token := c.signedIn()
	for _, origin := range []string{"https://localhost.example", "null", c.origin + ".example"} {
		for _, path := range []string{"/users/profile", "/passkeys/register/options", "/auth/login", "/nothing", "/"} {
			a := c.do("GET", path, nil, header("Origin", origin), bearer(token))
			wantNoCORS(t, path, a)
		}
		preflight := c.do("OPTIONS", "/users/profile", nil, header("Origin", origin), header("Access-Control-Request-Method", "GET"))
		wantNoCORS(t, "preflight", preflight)
	}
}

func wantNoCORS(t *testing.T, what string, a answer) {
	t.Helper()
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: %s: %s", what, name, a.header.Get(name))
		}
	}
}

func TestListedOriginsReadAcrossOrigins(t *testing.T) {
	const friend = "https://app.example.com"
	c := newClient(t, start(t, "STEPKEY_CORS_ORIGINS=https://shop.example.com , "+friend))
	token := c.signedIn()
	a := c.do("GET", "/users/profile", nil, header("Origin", friend), bearer(token)).want(t, http.StatusOK)
	if got := a.header.Get("Access-Control-Allow-Origin"); got != friend {
		t.Errorf("Access-Control-Allow-Origin %q, want %q", got, friend)
	}
	if got := a.header.Get("Vary"); !strings.Contains(got, "Origin") {
		t.Errorf("Vary %q, want Origin", got)
	}
	if got := a.header.Get("Access-Control-Allow-Credentials"); got != "true" {
		t.Errorf("Access-Control-Allow-Credentials %q, and the client sends cookies", got)
	}
	if got := a.header.Get("Access-Control-Expose-Headers"); got != "WWW-Authenticate, Retry-After, X-Request-Id" {
		t.Errorf("Access-Control-Expose-Headers %q", got)
	}
	for _, path := range []string{"/demo", "/openapi.json"} {
		a := c.do("GET", path, nil, header("Origin", friend)).want(t, http.StatusOK)
		if got := a.header.Values("Vary"); !slices.Contains(got, "Origin") {
			t.Errorf("%s: Vary %q, want Origin", path, got)
		}
		if got := a.header.Get("Access-Control-Allow-Origin"); got != friend {
			t.Errorf("%s: Access-Control-Allow-Origin %q, want %q", path, got, friend)
		}
	}
	for _, origin := range []string{"https://app.example.com.evil.example", "http://app.example.com", "https://APP.example.com", "null", "https://x.app.example.com"} {
		wantNoCORS(t, origin, c.do("GET", "/users/profile", nil, header("Origin", origin), bearer(token)))
	}
}

func TestRelatedOrigins(t *testing.T) {
	const path = "/.well-known/webauthn"
	newClient(t, start(t)).do("GET", path, nil).wantProblem(t, http.StatusNotFound, "not_found")
	c := newClient(t, start(t, "RP_ORIGIN=https://app.example.com", "STEPKEY_HOST=localhost", "STEPKEY_LIMITS=on",
		"STEPKEY_RELATED_ORIGINS=https://app.example.net, https://app.example.org"))
	a := c.do("GET", path, nil).want(t, http.StatusOK)
	if got, want := string(a.body), `{"origins":["https://app.example.net","https://app.example.org"]}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Paths that are not in their shortest form lead nowhere but to the same server.
func TestUncleanPaths(t *testing.T) {
	s := start(t)
	plain := &client{t, &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, s.origin}
	for _, path := range []string{
		"//localhost.example/%2e%2e", "//localhost.example", "/\\localhost.example", "/auth//login", "/./users/profile",
		"/assets/../users/histories", "/assets/%2e%2e/users/histories", "/assets/..%2fusers/histories", "/%2f%2flocalhost.example",
		"/assets/", "/assets/..", "/assets/../../../etc/passwd", "/assets/%00", "/https:%2f%2flocalhost.example",
	} {
		t.Run(path, func(t *testing.T) {
			a := plain.do("GET", path, nil)
			if a.status < 300 || a.status > 499 {
				t.Errorf("status %d", a.status)
			}
			location := a.header.Get("Location")
			if a.status < 400 && (!strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") || strings.HasPrefix(location, "/\\")) {
				t.Errorf("led to %q", location)
			}
		})
	}
}
