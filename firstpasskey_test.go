package stepkey_test

import (
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// One prompt of the device leads to level full, with everything that a step-up gives.
func TestFirstPasskeyIsVerifiedByItsRegistration(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		g, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: password, Refresh: stepkey.RefreshBody})
		if err != nil {
			f.Fatal(err)
		}
		// A counter that does not begin at zero is no reason to refuse.
		device := authenticator.New(authenticator.Config{CounterStep: 1})
		options := f.registrationOptions(g.Caller())
		f.clock.Advance(time.Minute)
		added, err := f.service.FinishRegistration(f.Context(), g.Caller(), f.created(device, options), "")
		if err != nil {
			f.Fatal(err)
		}
		if added.Grant == nil {
			f.Fatal("the registration gives no tokens")
		}
		full := added.Grant.Claims
		if full.Level != token.LevelFull || full.SessionID != g.Claims.SessionID || full.PasskeyTime != g.Claims.PasswordTime+60 ||
			full.PasswordTime != g.Claims.PasswordTime || full.AuthTime != full.PasskeyTime || len(full.Methods) <= len(g.Claims.Methods) {
			f.Errorf("claims %+v", full)
		}
		if n := f.events(storage.EventSteppedUp); n != 1 {
			f.Errorf("%d events of a step-up, want 1", n)
		}
		list, err := f.service.Passkeys(f.Context(), added.Grant.Caller())
		if err != nil || len(list.Passkeys) != 1 || list.Passkeys[0].LastUsedAt == nil || !list.Passkeys[0].LastUsedAt.Equal(f.clock.Now()) {
			f.Errorf("passkeys %+v, %v", list.Passkeys, err)
		}

		// A further passkey changes no level, and the next step-up works as ever.
		options = f.registrationOptions(added.Grant.Caller())
		further, err := f.service.FinishRegistration(f.Context(), added.Grant.Caller(), f.created(authenticator.New(authenticator.Config{}), options), "")
		if err != nil || further.Grant != nil {
			f.Errorf("further passkey: %+v, %v", further.Grant, err)
		}
		f.stepUp(g.Caller(), device)

		if refreshed, err := f.service.Refresh(f.Context(), added.Grant.RefreshToken); err == nil {
			f.Errorf("the token from before the second step-up gives %+v", refreshed.Claims)
		}
	})
}
