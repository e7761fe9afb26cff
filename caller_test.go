package stepkey_test

import (
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/token"
)

// A caller is somebody whom verification by this service found, for as long as the token lasts.
func TestOnlyVerificationMakesACaller(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	g := f.logInForRefresh("mira")

	sessionsOf := func(c stepkey.Caller) error {
		_, _, err := f.service.Sessions(t.Context(), c, nil, 1)
		return err
	}
	c, err := f.service.CallerOf(t.Context(), g.AccessToken)
	if err != nil || c.Claims().SessionID != g.Claims.SessionID || sessionsOf(c) != nil {
		t.Fatalf("verified: %+v, %v, %v", c.Claims(), err, sessionsOf(c))
	}

	wantError(t, "the zero Caller", sessionsOf(stepkey.Caller{}), stepkey.ErrUnauthorized)
	wantError(t, "the zero Verified", second(f.service.Caller(token.Verified{})), stepkey.ErrUnauthorized)

	config := f.config()
	other := f.newService(config)
	elsewhere, err := other.Verifier().VerifyCaller(t.Context(), g.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "verified by another service", second(f.service.Caller(elsewhere)), stepkey.ErrUnauthorized)

	f.clock.Advance(token.Lifetime + token.Leeway - time.Second)
	if err := sessionsOf(c); err != nil {
		t.Errorf("a caller whose token is about to expire: %v", err)
	}
	f.clock.Advance(time.Second)
	wantError(t, "a caller kept for longer than the token lasts", sessionsOf(c), stepkey.ErrUnauthorized)
	wantError(t, "signing out by it", f.service.LogOut(t.Context(), c), stepkey.ErrUnauthorized)
	if _, err := f.service.Refresh(t.Context(), g.RefreshToken); err != nil {
		t.Errorf("the session has to go on: %v", err)
	}
}
