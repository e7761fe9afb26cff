package guard_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

const elsewhere = "https://shop.example.com"

// crossing sends a request of a page at origin to a route that needs full level.
func crossing(t *testing.T, guards guard.Options, cors guard.CORSOptions, method, origin, authorization string, headers ...string) *http.Response {
	t.Helper()
	f := newFixture(t, guards)
	mux := http.NewServeMux()
	mux.Handle("GET /payouts", f.guard.RequireFull(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	r := httptest.NewRequest(method, "/payouts", nil)
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	switch authorization {
	case "password":
		r.Header.Set("Authorization", "Bearer "+f.token(t, token.LevelPassword, 0))
	case "full":
		r.Header.Set("Authorization", "Bearer "+f.token(t, token.LevelFull, 0))
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	guard.CORS(cors)(mux).ServeHTTP(w, r)
	return w.Result()
}

// A page that is listed reads every answer, with the headers by which a client steps up and waits.
func TestCORSLetsListedPagesReadEveryAnswer(t *testing.T) {
	cors := guard.CORSOptions{Origins: []string{"https://app.example.com", elsewhere}, Expose: []string{"X-Total"}}
	for _, c := range []struct {
		what          string
		guards        guard.Options
		method, level string
		status        int
		header        string
	}{
		{"let through", guard.Options{}, "GET", "full", 200, ""},
		{"no token", guard.Options{}, "GET", "", 401, "WWW-Authenticate"},
		{"step up", guard.Options{}, "GET", "password", 403, "WWW-Authenticate"},
		{"step up by 401", guard.Options{StepUpStatus: 401}, "GET", "password", 401, "WWW-Authenticate"},
		{"unavailable", guard.Options{Ended: endedSet{"session": false}}, "GET", "full", 503, "Retry-After"},
		{"another method", guard.Options{}, "POST", "full", 405, ""},
	} {
		got := crossing(t, c.guards, cors, c.method, elsewhere, c.level)
		if got.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.what, got.StatusCode, c.status)
		}
		if origin := got.Header.Get("Access-Control-Allow-Origin"); origin != elsewhere {
			t.Errorf("%s: allowed for %q", c.what, origin)
		}
		if credentials := got.Header.Values("Access-Control-Allow-Credentials"); credentials != nil {
			t.Errorf("%s: credentials %q", c.what, credentials)
		}
		if got, want := got.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate, Retry-After, X-Request-Id, X-Total"; got != want {
			t.Errorf("%s: exposes %q, want %q", c.what, got, want)
		}
		if !slices.Equal(got.Header.Values("Vary"), []string{"Origin"}) {
			t.Errorf("%s: Vary %q", c.what, got.Header.Values("Vary"))
		}
		if c.header != "" && got.Header.Get(c.header) == "" {
			t.Errorf("%s: no %s to be read", c.what, c.header)
		}
	}
}

func TestCORSAnswersPreflights(t *testing.T) {
	preflight := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization"}
	got := crossing(t, guard.Options{}, guard.CORSOptions{Origins: []string{elsewhere}, Headers: []string{"Idempotency-Key"}, Credentials: true},
		"OPTIONS", elsewhere, "", preflight...)
	if got.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", got.StatusCode)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      elsewhere,
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods":     "GET, HEAD, POST, PUT, PATCH, DELETE",
		"Access-Control-Allow-Headers":     "Authorization, Content-Type, Stepkey-Action, Idempotency-Key",
		"Access-Control-Max-Age":           "600",
		"Vary":                             "Origin",
	} {
		if got := got.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	// One that is none, and that of a page that is not listed, are the routes' own.
	for what, got := range map[string]*http.Response{
		"OPTIONS":  crossing(t, guard.Options{}, guard.CORSOptions{Origins: []string{elsewhere}}, "OPTIONS", elsewhere, ""),
		"stranger": crossing(t, guard.Options{}, guard.CORSOptions{Origins: []string{elsewhere}}, "OPTIONS", "https://example.org", "", preflight...),
	} {
		if got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%s: %d %v", what, got.StatusCode, got.Header)
		}
	}
}

// Pages that are not listed learn nothing, and caches are told that the answer depends on who asks.
func TestCORSAllowsNobodyElse(t *testing.T) {
	for _, origin := range []string{"", "null", "*", "https://shop.example.com.evil.example", "http://shop.example.com", "https://shop.example.com:8443", "https://x.shop.example.com", "https://SHOP.example.com"} {
		for _, method := range []string{"GET", "OPTIONS"} {
			got := crossing(t, guard.Options{}, guard.CORSOptions{Origins: []string{elsewhere}, Credentials: true}, method, origin, "full",
				"Access-Control-Request-Method", "GET")
			for name := range got.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s from %q: %s: %s", method, origin, name, got.Header.Get(name))
				}
			}
			if got.Header.Get("Vary") != "Origin" {
				t.Errorf("%s from %q: Vary %q", method, origin, got.Header.Get("Vary"))
			}
		}
	}
}

func TestCORSTakesOriginsOfPagesOnly(t *testing.T) {
	for _, origin := range []string{
		"*", "null", "", "https://", "app.example.com", "https://*.example.com", "https://app.example.com/", "https://App.example.com",
		"https://app.example.com:443", "http://app.example.com:80", "https://app.example.com:", " https://app.example.com",
		"https://app.example.com,https://shop.example.com", "https://user@app.example.com", "ftp://app.example.com", "file://", "android:apk-key-hash:x",
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is taken", origin)
				}
			}()
			guard.CORS(guard.CORSOptions{Origins: []string{elsewhere, origin}})
		}()
	}
	guard.CORS(guard.CORSOptions{Origins: []string{"https://app.example.com", "https://app.example.com:8443", "http://localhost:5173", "http://[::1]:5173"}})
}
