package guard_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

// loweredSet is an endedSet of live sessions that knows one lowered session.
type loweredSet struct {
	endedSet
	session string
	at      int64
	err     error
}

func (l loweredSet) Lowered(sessionID string, verifiedAt int64) (bool, error) {
	return sessionID == l.session && verifiedAt <= l.at, l.err
}

func TestLoweredSessionOpensNothingFull(t *testing.T) {
	f := newFixture(t, guard.Options{})
	clock := func() time.Time { return now }
	verifier, err := token.NewVerifier(f.keys, token.Expect{Issuer: issuer, Audience: issuer, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	c := token.Claims{
		Issuer: issuer, Audience: []string{issuer}, Subject: "user", ID: "id", SessionID: "session",
		IssuedAt: now.Unix(), ExpiresAt: now.Unix() + 60, Level: token.LevelFull, ACR: token.LevelFull,
		PasskeyVerified: true, PasskeyTime: now.Unix() - 1, AuthTime: now.Unix(), Methods: []string{"hwk"},
	}
	raw, err := token.NewSigner(f.keys).Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(ended guard.EndedSessions, middleware func(*guard.Guard) func(http.Handler) http.Handler) (int, guard.Refusal) {
		var refusal guard.Refusal
		g := guard.New(verifier, guard.Options{Clock: clock, Ended: ended, Refuse: func(w http.ResponseWriter, _ *http.Request, r guard.Refusal) {
			refusal = r
			w.WriteHeader(r.Status)
		}})
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+raw)
		w := httptest.NewRecorder()
		middleware(g)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		return w.Code, refusal
	}
	gone := loweredSet{session: c.SessionID, at: c.PasskeyTime}
	for name, middleware := range map[string]func(*guard.Guard) func(http.Handler) http.Handler{
		"RequireFull":     func(g *guard.Guard) func(http.Handler) http.Handler { return g.RequireFull },
		"RequireHardware": func(g *guard.Guard) func(http.Handler) http.Handler { return g.RequireHardware },
		"MaxAge":          func(g *guard.Guard) func(http.Handler) http.Handler { return g.MaxAge(time.Minute) },
	} {
		if status, refusal := answer(gone, middleware); status != 403 || !refusal.StepUp() || !errors.Is(refusal.Cause, guard.ErrPasskeyDeleted) {
			t.Errorf("%s, lowered: %d %+v", name, status, refusal)
		}
		for what, ended := range map[string]guard.EndedSessions{
			"lowered before": loweredSet{session: c.SessionID, at: c.PasskeyTime - 1},
			"another":        loweredSet{session: "another", at: c.PasskeyTime},
			"no such list":   endedSet{},
		} {
			if status, refusal := answer(ended, middleware); status != 200 {
				t.Errorf("%s, %s: %d %+v", name, what, status, refusal)
			}
		}
		if status, _ := answer(loweredSet{err: errNoList}, middleware); status != 503 {
			t.Errorf("%s, unknown: %d", name, status)
		}
	}
	if status, refusal := answer(gone, func(g *guard.Guard) func(http.Handler) http.Handler { return g.RequireLogin }); status != 200 {
		t.Errorf("RequireLogin: %d %+v", status, refusal)
	}
}
