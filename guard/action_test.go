package guard_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

const payoutCreate = "payout.create"

// payoutParameters reads what the payout route acts on.
func payoutParameters(r *http.Request) (map[string]string, error) {
	query := r.URL.Query()
	if query.Get("amount") == "" {
		return nil, errNoAmount
	}
	return map[string]string{"amount": query.Get("amount"), "iban": query.Get("iban")}, nil
}

var errNoAmount = errors.New("no amount")

const payoutURL = "/payouts?amount=10.00&iban=DE02"

func actionClaims() token.ActionClaims {
	act := token.Action{Name: payoutCreate, Parameters: map[string]string{"amount": "10.00", "iban": "DE02"}}
	return token.ActionClaims{
		Issuer: issuer, Audience: []string{issuer}, Subject: "user", SessionID: "session", ID: "action",
		IssuedAt: now.Unix(), ExpiresAt: now.Unix() + 60, PasskeyTime: now.Unix(),
		Act: token.ActClaim{Name: act.Name, Digest: act.Digest()},
	}
}

func (f fixture) action(t *testing.T, change func(*token.ActionClaims)) string {
	t.Helper()
	c := actionClaims()
	if change != nil {
		change(&c)
	}
	raw, err := token.NewSigner(f.keys).SignAction(c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// actionFixture is a guarded payout that keeps what was refused last and counts
// what was paid.
type actionFixture struct {
	fixture
	route   http.Handler
	refusal guard.Refusal
	paid    atomic.Int32
}

func newActionFixture(t *testing.T, options guard.Options) *actionFixture {
	t.Helper()
	f := &actionFixture{}
	var mu sync.Mutex
	options.Refuse = func(w http.ResponseWriter, r *http.Request, refusal guard.Refusal) {
		mu.Lock()
		defer mu.Unlock()
		f.refusal = refusal
		guard.WriteRefusal(w, r, refusal)
	}
	f.fixture = newFixture(t, options)
	f.route = f.guard.RequireAction(payoutCreate, payoutParameters)(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { f.paid.Add(1) }))
	return f
}

func (f *actionFixture) pay(url, access string, actions ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, url, nil)
	r.Header.Set("Authorization", "Bearer "+access)
	for _, action := range actions {
		r.Header.Add(guard.ActionHeader, action)
	}
	w := httptest.NewRecorder()
	f.route.ServeHTTP(w, r)
	return w
}

func TestRequireAction(t *testing.T) {
	f := newActionFixture(t, guard.Options{})
	if got := f.pay(payoutURL, f.token(t, token.LevelPassword, 0), f.action(t, nil)); got.Code != 200 || f.paid.Load() != 1 {
		t.Errorf("the action that was consented to: %d, %v", got.Code, f.refusal)
	}
	if got := f.pay(payoutURL, f.token(t, token.LevelFull, 0), f.action(t, func(c *token.ActionClaims) { c.ID = "two" })); got.Code != 200 {
		t.Errorf("at level full: %d, %v", got.Code, f.refusal)
	}
}

func TestRequireActionRefuses(t *testing.T) {
	f := newActionFixture(t, guard.Options{})
	access, good := f.token(t, token.LevelPassword, 0), f.action(t, nil)
	changed := func(change func(*token.ActionClaims)) []string { return []string{f.action(t, change)} }
	other := token.Action{Name: "payout.cancel", Parameters: map[string]string{"amount": "10.00", "iban": "DE02"}}
	for _, test := range []struct {
		what    string
		url     string
		actions []string
		status  int
		cause   error
		reason  token.Reason
	}{
		{"no action token", payoutURL, nil, 403, guard.ErrNoAction, ""},
		{"two action tokens", payoutURL, []string{good, good}, 403, guard.ErrNoAction, ""},
		{"an empty one", payoutURL, []string{""}, 403, nil, token.ReasonMalformed},
		{"an access token in its place", payoutURL, []string{access}, 403, nil, token.ReasonType},
		{"expired", payoutURL, changed(func(c *token.ActionClaims) { c.IssuedAt -= 100; c.ExpiresAt -= 100 }), 403, nil, token.ReasonExpired},
		{"another user's", payoutURL, changed(func(c *token.ActionClaims) { c.Subject = "mallory" }), 403, guard.ErrActionSubject, ""},
		{"another session's", payoutURL, changed(func(c *token.ActionClaims) { c.SessionID = "other" }), 403, guard.ErrActionSession, ""},
		{"another action's", payoutURL, changed(func(c *token.ActionClaims) {
			c.Act = token.ActClaim{Name: other.Name, Digest: other.Digest()}
		}), 403, guard.ErrActionName, ""},
		{"another action's digest", payoutURL, changed(func(c *token.ActionClaims) { c.Act.Digest = other.Digest() }), 403, guard.ErrActionParameters, ""},
		{"another amount", "/payouts?amount=10000&iban=DE02", []string{good}, 403, guard.ErrActionParameters, ""},
		{"the same number written otherwise", "/payouts?amount=10&iban=DE02", []string{good}, 403, guard.ErrActionParameters, ""},
		{"another account", "/payouts?amount=10.00&iban=DE03", []string{good}, 403, guard.ErrActionParameters, ""},
		{"parameters that cannot be read", "/payouts", []string{good}, 400, errNoAmount, ""},
		{"parameters out of bounds", "/payouts?amount=%ff", []string{good}, 400, token.ErrAction, ""},
	} {
		f.refusal = guard.Refusal{}
		got := f.pay(test.url, access, test.actions...)
		var refused *token.Error
		errors.As(f.refusal.Cause, &refused)
		if got.Code != test.status ||
			(test.cause != nil && !errors.Is(f.refusal.Cause, test.cause)) ||
			(test.reason != "" && (refused == nil || refused.Reason != test.reason)) {
			t.Errorf("%s: %d %v, want %d %v%s", test.what, got.Code, f.refusal.Cause, test.status, test.cause, test.reason)
		}
	}
	if f.paid.Load() != 0 {
		t.Errorf("paid %d times", f.paid.Load())
	}
	if got := f.pay(payoutURL, access, good); got.Code != 200 {
		t.Errorf("the refused attempts spent the token: %d, %v", got.Code, f.refusal.Cause)
	}
}

// A proof for an action raises nothing: the access token has to suffice by
// itself, and the session must not have ended.
func TestRequireActionNeedsALogin(t *testing.T) {
	f := newActionFixture(t, guard.Options{})
	got := f.pay(payoutURL, f.token(t, token.LevelRecovery, 0), f.action(t, nil))
	if got.Code != 403 || f.refusal.Level != token.LevelPassword || f.refusal.Action != "" {
		t.Errorf("at level recovery: %d, %+v", got.Code, f.refusal)
	}
	if got := f.pay(payoutURL, f.action(t, nil), f.action(t, nil)); got.Code != 401 {
		t.Errorf("an action token for access: %d", got.Code)
	}
	f = newActionFixture(t, guard.Options{Ended: endedSet{"session": true}})
	got = f.pay(payoutURL, f.token(t, token.LevelPassword, 0), f.action(t, nil))
	if got.Code != 401 || !errors.Is(f.refusal.Cause, guard.ErrSessionEnded) {
		t.Errorf("ended session: %d, %v", got.Code, f.refusal.Cause)
	}
}

func TestActionRefusalAsAnswered(t *testing.T) {
	f := newActionFixture(t, guard.Options{})
	got := f.pay(payoutURL, f.token(t, token.LevelPassword, 0))
	body := problemOf(t, got)
	if got.Code != 403 || got.Header().Get("WWW-Authenticate") != needsFull || body.Code != "action_required" || body.Action != payoutCreate {
		t.Errorf("%d %v %+v", got.Code, got.Header(), body)
	}
	got = f.pay("/payouts", f.token(t, token.LevelPassword, 0), f.action(t, nil))
	if body := problemOf(t, got); body.Code != "invalid_request" || got.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("unreadable parameters: %v %+v", got.Header(), body)
	}
}

func TestActionIsSpentOnce(t *testing.T) {
	f := newActionFixture(t, guard.Options{})
	access, action := f.token(t, token.LevelPassword, 0), f.action(t, nil)
	var group sync.WaitGroup
	var passed atomic.Int32
	for range 64 {
		group.Go(func() {
			if f.pay(payoutURL, access, action).Code == 200 {
				passed.Add(1)
			}
		})
	}
	group.Wait()
	if passed.Load() != 1 || f.paid.Load() != 1 || !errors.Is(f.refusal.Cause, guard.ErrActionSpent) {
		t.Errorf("%d of 64 passed, %d paid, %v", passed.Load(), f.paid.Load(), f.refusal.Cause)
	}
}

type failingSpender struct{ err error }

func (s failingSpender) Spend(context.Context, string, time.Time) (bool, error) { return true, s.err }

func TestSpenderThatFailsRefuses(t *testing.T) {
	fault := errors.New("no database")
	f := newActionFixture(t, guard.Options{Spender: failingSpender{fault}})
	got := f.pay(payoutURL, f.token(t, token.LevelPassword, 0), f.action(t, nil))
	if got.Code != 503 || !errors.Is(f.refusal.Cause, fault) || f.paid.Load() != 0 {
		t.Errorf("%d, %v", got.Code, f.refusal.Cause)
	}
}

func TestRequireActionNeedsAName(t *testing.T) {
	f := newFixture(t, guard.Options{})
	defer func() {
		if recover() == nil {
			t.Error("an action that no token can name was accepted")
		}
	}()
	f.guard.RequireAction("Pay out", payoutParameters)
}
