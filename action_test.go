package stepkey_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

func payout(amount string) *token.Action {
	return &token.Action{Name: "payout", Parameters: map[string]string{"amount": amount, "to": "mira"}}
}

func (f *fixture) confirm(c stepkey.Caller, device *authenticator.Authenticator, action *token.Action) stepkey.Grant {
	f.Helper()
	options, err := f.service.BeginStepUp(f.Context(), c, action)
	if err != nil {
		f.Fatal(err)
	}
	g, err := f.service.FinishStepUp(f.Context(), c, f.got(device, f.marshal(options)))
	if err != nil {
		f.Fatal(err)
	}
	return g
}

func TestActionYieldsATokenForItAndNothingElse(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.enrolled("mira", authenticator.Config{})
		device := authenticator.New(authenticator.Config{})
		f.signUp("noor")
		before := f.logInForRefresh("noor")
		f.register(before.Caller(), device)
		before = f.logInForRefresh("noor")
		steppedUp := f.events(storage.EventSteppedUp) // by the registrations

		g := f.confirm(before.Caller(), device, payout("100"))
		if g.AccessToken != "" || g.RefreshToken != "" || g.ActionToken == "" {
			f.Errorf("granted: %+v, want an action token alone", g)
		}
		c, err := f.service.Verifier().VerifyAction(f.Context(), g.ActionToken)
		if err != nil || c.Act.Digest != payout("100").Digest() || c.SessionID != before.Claims.SessionID {
			f.Errorf("VerifyAction: %+v, %v", c, err)
		}
		if after := f.refresh(before.RefreshToken); after.Claims.Level != token.LevelPassword {
			f.Errorf("the session rose to %s", after.Claims.Level)
		}
		wantStepUp(f.TB, "a further passkey", second(f.service.BeginRegistration(f.Context(), before.Caller())))
		if n := f.events(storage.EventActionConfirmed); n != 1 || f.events(storage.EventSteppedUp) != steppedUp {
			f.Errorf("%d confirmations recorded, want 1 and no step-up", n)
		}
	})
}

func TestUnusableActionIsRefused(t *testing.T) {
	f := newFixture(t)
	claims, _ := f.enrolled("mira", authenticator.Config{})
	for _, test := range []struct {
		what   string
		action *token.Action
	}{
		{"no name", &token.Action{}},
		{"spaces", &token.Action{Name: "pay out"}},
		{"nameless parameter", &token.Action{Name: "x", Parameters: map[string]string{"": "y"}}},
	} {
		wantError(t, test.what, second(f.service.BeginStepUp(t.Context(), claims, test.action)), stepkey.ErrInvalidRequest)
	}
}

// The whole way, through the guard that an application puts before its route.
func TestActionOpensItsRouteOnce(t *testing.T) {
	f := newFixture(t)
	_, device := f.enrolled("mira", authenticator.Config{})
	login, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	claims := login.Caller()
	g := guard.New(f.service.Verifier(), guard.Options{Clock: f.clock.Now, Ended: f.service, Spender: f.service})
	route := g.RequireAction("payout", func(r *http.Request) (map[string]string, error) {
		return map[string]string{"amount": r.URL.Query().Get("amount"), "to": "mira"}, nil
	})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	ask := func(amount, actionToken string) int {
		r := httptest.NewRequest(http.MethodPost, "/payouts?amount="+amount, nil)
		r.Header.Set("Authorization", "Bearer "+login.AccessToken)
		r.Header.Set(guard.ActionHeader, actionToken)
		w := httptest.NewRecorder()
		route.ServeHTTP(w, r)
		return w.Code
	}
	want := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}

	proof := f.confirm(claims, device, payout("100")).ActionToken
	want("another amount", ask("9000", proof), 403)
	want("no proof", ask("100", ""), 403)
	want("the access token as proof", ask("100", login.AccessToken), 403)
	want("the amount consented to", ask("100", proof), 200)
	want("a second time", ask("100", proof), 403)

	late := f.confirm(claims, device, payout("100")).ActionToken
	f.clock.Advance(token.ActionLifetime + token.Leeway + time.Second)
	want("too late", ask("100", late), 403)

	ended := f.confirm(claims, device, payout("100")).ActionToken
	wantError(t, "LogOut", f.service.LogOut(t.Context(), claims), nil)
	want("after the session's end", ask("100", ended), 401)
}
