package api_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

func testMethods(t *testing.T, c *client) {
	token := c.signedIn()
	for path, allow := range map[string]string{
		"/auth/signup":                   "POST",
		"/auth/login":                    "POST",
		"/auth/signin":                   "POST",
		"/auth/refresh":                  "POST",
		"/auth/logout":                   "POST",
		"/auth/logout/all":               "POST",
		"/auth/sessions":                 "DELETE, GET, HEAD",
		"/auth/sessions/" + noSession:    "DELETE",
		"/auth/revoke":                   "POST",
		"/auth/introspect":               "POST",
		"/account":                       "DELETE, GET, HEAD",
		"/account/export":                "GET, HEAD",
		"/account/events":                "GET, HEAD",
		"/account/events/{id}/not-me":    "POST",
		"/account/password":              "POST",
		"/passkeys/register/options":     "GET, POST",
		"/passkeys/register/verify":      "POST",
		"/passkeys/authenticate/options": "GET, POST",
		"/passkeys/auth/options":         "GET, POST",
		"/passkeys/authenticate/verify":  "POST",
		"/passkeys/auth/verify":          "POST",
		"/passkeys":                      "GET, HEAD",
		"/passkeys/" + noSession:         "DELETE, PATCH",
		"/passkeys/login/options":        "POST",
		"/passkeys/login/verify":         "POST",
		"/account/email":                 "DELETE, GET, HEAD, POST",
		"/account/email/verify":          "POST",
		"/recovery/password":             "POST",
		"/recovery/password/finish":      "POST",
		"/recovery/freeze":               "POST",
		"/account/recovery":              "GET, HEAD",
		"/account/recovery/codes":        "POST",
		"/recovery/code":                 "POST",
		"/recovery/passkey":              "DELETE, POST",
		"/recovery/passkey/finish":       "POST",
		"/recovery/link":                 "POST",
		"/users/profile":                 "GET, HEAD",
		"/users/histories":               "GET, HEAD",
		"/.well-known/jwks.json":         "GET, HEAD",
		"/.well-known/ended-sessions":    "GET, HEAD",
		"/.well-known/ended-sessions/1":  "GET, HEAD",
		"/.well-known/webauthn":          "GET, HEAD",
		"/.well-known/passkey-endpoints": "GET, HEAD",
		"/.well-known/change-password":   "GET, HEAD",
		"/openapi.json":                  "GET, HEAD",
		"/livez":                         "GET, HEAD",
		"/readyz":                        "GET, HEAD",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			if strings.Contains(allow, method) {
				continue
			}
			t.Run(method+path, func(t *testing.T) {
				a := c.do(method, path, nil, bearer(token)).want(t, http.StatusMethodNotAllowed)
				if got := a.header.Get("Allow"); got != allow {
					t.Errorf("Allow %q, want %q", got, allow)
				}
			})
		}
	}
	for _, path := range []string{
		"/livez", "/readyz", "/openapi.json", "/.well-known/jwks.json", "/.well-known/ended-sessions",
		"/auth/sessions", "/passkeys", "/.well-known/passkey-endpoints", "/users/profile", "/demo", "/sign-in", "/docs", "/confirm-email", "/reset-password", "/not-me",
	} {
		t.Run("HEAD"+path, func(t *testing.T) {
			get := c.do("GET", path, nil, bearer(token)).want(t, http.StatusOK)
			head := c.do("HEAD", path, nil, bearer(token)).want(t, http.StatusOK)
			if a, b := get.header.Get("Content-Type"), head.header.Get("Content-Type"); a != b {
				t.Errorf("Content-Type %q by GET and %q by HEAD", a, b)
			}
		})
	}
}

func testPaths(t *testing.T, c *client) {
	token := c.signedIn()
	for _, path := range []string{
		"/nothing", "/auth", "/auth/", "/auth/login/", "/AUTH/LOGIN", "/users/histories/", "/users/histories/x",
		"/.env", "/.git/config", "/data/stepkey.db", "/metrics", "/debug/pprof/", "/.well-known/", "/openapi.yaml",
		"/users/histories;x=1", "/users%2fhistories", "/auth/sessions/", "/auth/sessions/x/y",
	} {
		t.Run(path, func(t *testing.T) {
			for _, method := range []string{"GET", "POST"} {
				c.do(method, path, nil, bearer(token)).wantProblem(t, 404, "not_found")
			}
		})
	}
}

// testTokenPlaces: a token counts in the header Authorization, once, and nowhere
// else.
func testTokenPlaces(t *testing.T, c *client) {
	token := c.signedIn()
	for _, tt := range []struct {
		name  string
		path  string
		edits []edit
	}{
		{"query", "/users/profile?access_token=" + token, nil},
		{"cookie", "/users/profile", []edit{header("Cookie", "access_token="+token+"; token="+token)}},
		{"another header", "/users/profile", []edit{header("X-Access-Token", token)}},
		{"no scheme", "/users/profile", []edit{header("Authorization", token)}},
		{"another scheme", "/users/profile", []edit{header("Authorization", "Basic "+token)}},
		{"nothing after the scheme", "/users/profile", []edit{header("Authorization", "Bearer ")}},
		{"two spaces", "/users/profile", []edit{header("Authorization", "Bearer  "+token)}},
		{"two tokens", "/users/profile", []edit{header("Authorization", "Bearer "+token+", Bearer "+token)}},
		{"two headers", "/users/profile", []edit{bearer(token), func(r *http.Request) { r.Header.Add("Authorization", "Bearer "+token) }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.do("GET", tt.path, nil, tt.edits...).wantProblem(t, 401, "unauthorized")
		})
	}
	c.do("GET", "/users/profile", nil, header("Authorization", "bearer "+token)).want(t, http.StatusOK)
}

// testLargeHeaders: the bound is 16 KiB and some slack of net/http.
func testLargeHeaders(t *testing.T, c *client) {
	for name, edit := range map[string]edit{
		"a token of a million dots": bearer(strings.Repeat(".", 1_000_000)),
		"one header of 1 MB":        header("X-Large", strings.Repeat("q", 1<<20)),
		"a thousand headers": func(r *http.Request) {
			for i := range 1000 {
				r.Header.Set("X-Many-"+time.Duration(i).String(), strings.Repeat("q", 100))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := c.try("GET", "/users/profile", nil, edit)
			// The server may hang up while the rest is still being sent.
			if err == nil && a.status != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("status %d, want 431", a.status)
			}
		})
	}
	c.do("GET", "/livez", nil).want(t, http.StatusOK)
}

// testBrokenRequests sends bytes that no client library would.
func testBrokenRequests(t *testing.T, s *server) {
	for name, raw := range map[string]string{
		"not HTTP":               "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"no host":                "GET /livez HTTP/1.1\r\n\r\n",
		"two lengths":            "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"negative length":        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n{}",
		"unknown coding":         "POST /auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n{}",
		"space in a header":      "GET /livez HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
		"bad chunk":              "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"body shorter than said": "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{}",
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := net.Dial("tcp", "localhost:"+s.port)
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if err := connection.SetDeadline(time.Now().Add(patience.Long)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(connection, raw); err != nil {
				t.Fatal(err)
			}
			if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(connection)
			if err != nil {
				t.Fatal(err)
			}
			if len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 4") && !strings.HasPrefix(string(answer), "HTTP/1.1 501") {
				t.Errorf("got %.200q", answer)
			}
		})
	}
}
