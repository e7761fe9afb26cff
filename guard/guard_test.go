package guard_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

var now = time.Date(2030, 5, 17, 9, 30, 0, 0, time.UTC)

const issuer = "https://app.example.com"

type fixture struct {
	guard *guard.Guard
	keys  *token.Keyring
}

func newFixture(t *testing.T, options guard.Options) fixture {
	t.Helper()
	key, err := token.NewSecretKey([]byte(strings.Repeat("s", 32)), false)
	if err != nil {
		t.Fatal(err)
	}
	keys, clock := token.NewKeyring(key), func() time.Time { return now }
	verifier, err := token.NewVerifier(keys, token.Expect{Issuer: issuer, Audience: issuer, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	options.Clock = clock
	options.DangerIgnoreEndedSessions = options.Ended == nil
	return fixture{guard.New(verifier, options), keys}
}

// token makes one at a level whose passkey, if any, was verified age ago.
func (f fixture) token(t *testing.T, level token.Level, age time.Duration) string {
	t.Helper()
	c := token.Claims{
		Issuer: issuer, Audience: []string{issuer}, Subject: "user", ID: "id", SessionID: "session",
		IssuedAt: now.Unix(), ExpiresAt: now.Unix() + 60, Level: level, ACR: level, AuthTime: now.Unix(),
	}
	if level == token.LevelFull {
		c.PasskeyVerified, c.PasskeyTime = true, now.Add(-age).Unix()
	}
	raw, err := token.NewSigner(f.keys).Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// ask sends a request with these Authorization headers through middleware.
func ask(middleware func(http.Handler) http.Handler, authorization ...string) *http.Response {
	reached := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := guard.FromContext(r.Context())
		if !ok || c.Subject != "user" {
			http.Error(w, "no claims", http.StatusTeapot)
		}
	})
	r := httptest.NewRequest(http.MethodGet, "/?access_token=x", nil)
	for _, value := range authorization {
		r.Header.Add("Authorization", value)
	}
	w := httptest.NewRecorder()
	middleware(reached).ServeHTTP(w, r)
	return w.Result()
}

const (
	bare        = `Bearer`
	invalid     = `Bearer error="invalid_token"`
	needsFull   = `Bearer error="insufficient_user_authentication", acr_values="full"`
	needsFresh  = `Bearer error="insufficient_user_authentication", acr_values="full", max_age=300`
	needsSignIn = `Bearer error="insufficient_user_authentication", acr_values="password"`
)

func TestGuards(t *testing.T) {
	f := newFixture(t, guard.Options{})
	login, full, fresh := f.guard.RequireLogin, f.guard.RequireFull, f.guard.MaxAge(5*time.Minute)
	enrolment := f.guard.RequireEnrolment
	bearer := func(level token.Level, age time.Duration) string { return "Bearer " + f.token(t, level, age) }
	for _, test := range []struct {
		name          string
		middleware    func(http.Handler) http.Handler
		authorization []string
		status        int
		challenge     string
	}{
		{"login: nothing", login, nil, 401, bare},
		{"login: password", login, []string{bearer(token.LevelPassword, 0)}, 200, ""},
		{"login: full", login, []string{bearer(token.LevelFull, time.Hour)}, 200, ""},
		{"login: recovery", login, []string{bearer(token.LevelRecovery, 0)}, 403, needsSignIn},
		{"login: lower-case scheme", login, []string{"bearer " + f.token(t, token.LevelPassword, 0)}, 200, ""},
		{"login: garbage", login, []string{"Bearer x"}, 401, invalid},
		{"login: empty", login, []string{"Bearer "}, 401, bare},
		{"login: another scheme", login, []string{"Basic bWlyYTpzZWNyZXQ="}, 401, bare},
		{"login: two headers", login, []string{bearer(token.LevelPassword, 0), bearer(token.LevelFull, 0)}, 401, bare},
		{"full: nothing", full, nil, 401, bare},
		{"full: password", full, []string{bearer(token.LevelPassword, 0)}, 403, needsFull},
		{"full: recovery", full, []string{bearer(token.LevelRecovery, 0)}, 403, needsFull},
		{"full: full", full, []string{bearer(token.LevelFull, time.Hour)}, 200, ""},
		{"fresh: password", fresh, []string{bearer(token.LevelPassword, 0)}, 403, needsFresh},
		{"fresh: just", fresh, []string{bearer(token.LevelFull, 5*time.Minute)}, 200, ""},
		{"fresh: too old", fresh, []string{bearer(token.LevelFull, 5*time.Minute+time.Second)}, 403, needsFresh},
		{"fresh: from the future", fresh, []string{bearer(token.LevelFull, -20*time.Second)}, 200, ""},
		{"enrolment: nothing", enrolment, nil, 401, bare},
		{"enrolment: recovery", enrolment, []string{bearer(token.LevelRecovery, 0)}, 200, ""},
		{"enrolment: password", enrolment, []string{bearer(token.LevelPassword, 0)}, 200, ""},
		{"enrolment: full", enrolment, []string{bearer(token.LevelFull, time.Hour)}, 200, ""},
	} {
		got := ask(test.middleware, test.authorization...)
		if got.StatusCode != test.status || got.Header.Get("WWW-Authenticate") != test.challenge {
			t.Errorf("%s: %d %q, want %d %q", test.name,
				got.StatusCode, got.Header.Get("WWW-Authenticate"), test.status, test.challenge)
		}
	}
}

func TestRefusalIsAProblemDocument(t *testing.T) {
	f := newFixture(t, guard.Options{})
	got := ask(f.guard.RequireFull, "Bearer "+f.token(t, token.LevelPassword, 0))
	var body struct {
		Status int
		Code   string
		Detail string
	}
	if err := json.NewDecoder(got.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if body.Status != 403 || body.Code != "step_up_required" || body.Detail == "" ||
		got.Header.Get("Content-Type") != "application/problem+json" || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%+v, headers %v", body, got.Header)
	}
}

func TestOptions(t *testing.T) {
	f := newFixture(t, guard.Options{StepUpStatus: http.StatusUnauthorized})
	if got := ask(f.guard.RequireFull, "Bearer "+f.token(t, token.LevelPassword, 0)); got.StatusCode != 401 {
		t.Errorf("StepUpStatus 401: %d", got.StatusCode)
	}
	var seen guard.Refusal
	f = newFixture(t, guard.Options{Refuse: func(w http.ResponseWriter, _ *http.Request, r guard.Refusal) {
		seen = r
		w.WriteHeader(http.StatusTeapot)
	}})
	got := ask(f.guard.MaxAge(time.Minute), "Bearer "+f.token(t, token.LevelFull, time.Hour))
	if got.StatusCode != http.StatusTeapot || !seen.StepUp() || seen.MaxAge != time.Minute || seen.Level != token.LevelFull {
		t.Errorf("Refuse: %d, %+v", got.StatusCode, seen)
	}
}

func TestMaxAgeNeedsAnAge(t *testing.T) {
	f := newFixture(t, guard.Options{})
	defer func() {
		if recover() == nil {
			t.Error("MaxAge(0) was accepted: it would let any age through")
		}
	}()
	f.guard.MaxAge(0)
}

// A refusal that writes nothing is no permission.
func TestRefuseThatWritesNothing(t *testing.T) {
	for name, refuse := range map[string]func(http.ResponseWriter, *http.Request, guard.Refusal){
		"nothing":      func(http.ResponseWriter, *http.Request, guard.Refusal) {},
		"headers only": func(w http.ResponseWriter, _ *http.Request, _ guard.Refusal) { w.Header().Set("X-Why", "no") },
		"early hints":  func(w http.ResponseWriter, _ *http.Request, _ guard.Refusal) { w.WriteHeader(http.StatusEarlyHints) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, guard.Options{Refuse: refuse})
			server := httptest.NewServer(f.guard.RequireLogin(http.NotFoundHandler()))
			defer server.Close()
			response, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusUnauthorized || response.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("status %d, WWW-Authenticate %q", response.StatusCode, response.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

// An answer of Options.Refuse is the only one.
func TestRefuseThatWrites(t *testing.T) {
	for name, refuse := range map[string]func(http.ResponseWriter, *http.Request, guard.Refusal){
		"status": func(w http.ResponseWriter, _ *http.Request, _ guard.Refusal) { w.WriteHeader(http.StatusTeapot) },
		"body": func(w http.ResponseWriter, _ *http.Request, _ guard.Refusal) {
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, "no")
		},
		"flush": func(w http.ResponseWriter, _ *http.Request, _ guard.Refusal) {
			w.WriteHeader(http.StatusTeapot)
			http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, guard.Options{Refuse: refuse})
			w := httptest.NewRecorder()
			f.guard.RequireLogin(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != http.StatusTeapot || strings.Contains(w.Body.String(), "unauthorized") {
				t.Errorf("status %d, body %q", w.Code, w.Body)
			}
		})
	}
}

// A guard that was set up by half does not start.
func TestNewRefusesUnsafeOptions(t *testing.T) {
	verifier, ended := newVerifier(t, token.NewKeyring(es256(t))), endedSet{}
	for name, test := range map[string]struct {
		verifier *token.Verifier
		options  guard.Options
		panics   bool
	}{
		"no verifier":                       {nil, guard.Options{Ended: ended}, true},
		"no ended sessions":                 {verifier, guard.Options{}, true},
		"ended sessions":                    {verifier, guard.Options{Ended: ended}, false},
		"ended sessions ignored on purpose": {verifier, guard.Options{DangerIgnoreEndedSessions: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if panicked := recover() != nil; panicked != test.panics {
					t.Errorf("panicked: %v, want %v", panicked, test.panics)
				}
			}()
			guard.New(test.verifier, test.options)
		})
	}
}
