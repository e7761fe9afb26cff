package stepkey_test

import (
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

// Renaming to and fro fills the record of events only slowly, also at once.
func TestRenamesAreLimited(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		device := authenticator.New(authenticator.Config{})
		claims := f.logIn("mira")
		f.register(claims, device)
		full := f.stepUpGrant(claims, device).Caller()
		passkey := f.passkeys(full).Passkeys[0].ID
		ctx := stepkey.WithAccount(f.Context(), f.passkeys(full).Passkeys[0].UserID)
		at60(func() { _, _, _ = f.service.RenamePasskey(ctx, full, passkey, "Phone") })
		if n := f.events(storage.EventPasskeyRenamed); n != 25 {
			f.Errorf("%d renames of 60 were recorded, want 25", n)
		}
		_, _, err := f.service.RenamePasskey(f.Context(), full, passkey, "Phone")
		wantLimited(f.TB, "one more", err, 58*time.Second)
	})
}

func TestExportsAreLimited(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		claims := f.logIn("mira")
		for range 7 {
			wantError(f.TB, "an export", second(f.service.ExportAccount(f.Context(), claims)), nil)
		}
		wantLimited(f.TB, "one more", second(f.service.ExportAccount(f.Context(), claims)), 16*time.Minute)
	})
}

// Twenty pages that come back at once refresh, and a loop does not go on; its refusal
// neither moves nor ends the session. A token that is not ours uses up nothing of a session.
func TestRefreshesAreLimited(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		g := f.logInForRefresh("mira")
		first := g.RefreshToken
		forged := first[:len(first)-4] + "AAAA"
		for range 200 {
			f.wantRefused("a forged token", forged)
		}
		g = f.refresh(first)
		for range 19 {
			f.refresh(first) // within the grace
		}
		for range 40 {
			g = f.refresh(g.RefreshToken)
		}
		for range 3 {
			_, err := f.service.Refresh(f.Context(), g.RefreshToken)
			wantLimited(f.TB, "the sixty-first", err, 2*time.Second)
		}
		f.clock.Advance(2 * time.Second)
		g = f.refresh(g.RefreshToken)
		if f.ended(g.Claims.SessionID) || f.events(storage.EventRefreshReused) != 0 {
			f.Error("the session ended")
		}
	})
}
