package guard_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

// endedSet knows the ended sessions, and fails for those that are false.
type endedSet map[string]bool

var errNoList = errors.New("no list")

func (s endedSet) Ended(c token.Claims) (bool, error) {
	ended, known := s[c.SessionID]
	if known && !ended {
		return false, errNoList
	}
	return ended, nil
}

type problem struct {
	Status             int
	Code, Detail       string
	Action             string
	challenge, retryIn string
}

func problemOf(t *testing.T, w *httptest.ResponseRecorder) problem {
	t.Helper()
	p := problem{challenge: w.Header().Get("WWW-Authenticate"), retryIn: w.Header().Get("Retry-After")}
	if err := json.NewDecoder(w.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

// Every guard asks about the session, whatever else it asks for, and also for a
// token that it has just let through.
func TestEndedSessionsAreRefusedByEveryGuard(t *testing.T) {
	ended := endedSet{}
	f := newFixture(t, guard.Options{Ended: ended})
	c := token.Claims{
		Issuer: issuer, Audience: []string{issuer}, Subject: "user", ID: "id", SessionID: "session",
		IssuedAt: now.Unix(), ExpiresAt: now.Unix() + 60, Level: token.LevelFull, ACR: token.LevelFull,
		PasskeyVerified: true, PasskeyTime: now.Unix(), AuthTime: now.Unix(), Methods: []string{"hwk"},
	}
	raw, err := token.NewSigner(f.keys).Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	c.SessionID = "another"
	another, err := token.NewSigner(f.keys).Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	for name, middleware := range map[string]func(http.Handler) http.Handler{
		"RequireLogin": f.guard.RequireLogin, "RequireEnrolment": f.guard.RequireEnrolment, "RequireFull": f.guard.RequireFull,
		"RequireHardware": f.guard.RequireHardware, "MaxAge": f.guard.MaxAge(time.Minute),
	} {
		delete(ended, "session")
		if got := ask(middleware, "Bearer "+raw); got.StatusCode != 200 {
			t.Errorf("%s, live: %d", name, got.StatusCode)
		}
		ended["session"] = true
		if got := ask(middleware, "Bearer "+raw); got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") != invalid {
			t.Errorf("%s, ended: %d %v", name, got.StatusCode, got.Header)
		}
		if got := ask(middleware, "Bearer "+another); got.StatusCode != 200 {
			t.Errorf("%s, another session: %d", name, got.StatusCode)
		}
		ended["session"] = false
		if got := ask(middleware, "Bearer "+raw); got.StatusCode != 503 {
			t.Errorf("%s, unknown: %d", name, got.StatusCode)
		}
	}
}

func TestCauseOfAnEndedSession(t *testing.T) {
	f := newFixture(t, guard.Options{})
	clock := func() time.Time { return now }
	verifier, err := token.NewVerifier(f.keys, token.Expect{Issuer: issuer, Audience: issuer, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+f.token(t, token.LevelPassword, 0))
	login := func(g *guard.Guard) http.Handler { return g.RequireLogin(http.NotFoundHandler()) }

	seen := refusalOf(t, guard.Options{Ended: endedSet{"session": true}}, verifier, login, r)
	if seen.Status != 401 || !errors.Is(seen.Cause, guard.ErrSessionEnded) || seen.StepUp() {
		t.Errorf("ended: %+v", seen)
	}
	seen = refusalOf(t, guard.Options{Ended: endedSet{"session": false}}, verifier, login, r)
	if seen.Status != 503 || !errors.Is(seen.Cause, errNoList) {
		t.Errorf("unknown: %+v", seen)
	}
	w := httptest.NewRecorder()
	guard.WriteRefusal(w, r, seen)
	if p := problemOf(t, w); w.Code != 503 || p.Code != "unavailable" || p.retryIn != "2" || p.challenge != "" {
		t.Errorf("as answered: %d %+v", w.Code, p)
	}
}

type failingKeys struct{ err error }

func (k failingKeys) VerificationKey(context.Context, string) (token.VerificationKey, error) {
	return token.VerificationKey{}, k.err
}

// Keys that cannot be had are no fault of the token: nobody is signed out by
// them. A key that is not there is.
func TestKeysThatCannotBeHad(t *testing.T) {
	f := newFixture(t, guard.Options{})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+f.token(t, token.LevelPassword, 0))
	login := func(g *guard.Guard) http.Handler { return g.RequireLogin(http.NotFoundHandler()) }
	for _, test := range []struct {
		err    error
		status int
	}{{errors.New("no network"), 503}, {token.ErrUnknownKey, 401}} {
		seen := refusalOf(t, guard.Options{}, newVerifier(t, failingKeys{test.err}), login, r)
		if seen.Status != test.status || !errors.Is(seen.Cause, test.err) {
			t.Errorf("%v: %+v, want %d", test.err, seen, test.status)
		}
	}
	header := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt"}`, strings.Repeat("k", 65))
	r.Header.Set("Authorization", "Bearer "+base64.RawURLEncoding.EncodeToString([]byte(header))+".e30.e30")
	if seen := refusalOf(t, guard.Options{}, newVerifier(t, failingKeys{errNoList}), login, r); seen.Status != 401 {
		t.Errorf("a kid that is not looked up: %+v, want 401", seen)
	}
}

func TestRequireHardware(t *testing.T) {
	f := newFixture(t, guard.Options{})
	sign := func(level token.Level, methods ...string) string {
		c := token.Claims{
			Issuer: issuer, Audience: []string{issuer}, Subject: "user", ID: "id", SessionID: "session",
			IssuedAt: now.Unix(), ExpiresAt: now.Unix() + 60, Level: level, ACR: level, AuthTime: now.Unix(), Methods: methods,
		}
		if level == token.LevelFull {
			c.PasskeyVerified, c.PasskeyTime = true, now.Unix()
		}
		raw, err := token.NewSigner(f.keys).Sign(c)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + raw
	}
	for _, test := range []struct {
		what, bearer string
		status       int
		code         string
	}{
		{"a hardware key", sign(token.LevelFull, "pwd", "hwk", "user"), 200, ""},
		{"a software key", sign(token.LevelFull, "pwd", "swk", "user"), 403, "hardware_required"},
		{"no methods", sign(token.LevelFull), 403, "hardware_required"},
		{"another case", sign(token.LevelFull, "HWK"), 403, "hardware_required"},
		{"level password that says hwk", sign(token.LevelPassword, "hwk"), 403, "step_up_required"},
	} {
		got := ask(f.guard.RequireHardware, test.bearer)
		var body struct{ Code string }
		if test.code != "" {
			if err := json.NewDecoder(got.Body).Decode(&body); err != nil {
				t.Fatal(err)
			}
		}
		if got.StatusCode != test.status || body.Code != test.code {
			t.Errorf("%s: %d %s, want %d %s", test.what, got.StatusCode, body.Code, test.status, test.code)
		}
	}
}
