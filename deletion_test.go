package stepkey_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

// A user who takes the name of a deleted account gets nothing else of it, and nothing that belonged
// to it opens the new account.
func TestNothingOfADeletedAccountWorksForTheNextOne(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		device := authenticator.New(authenticator.Config{})
		old := f.logInForRefresh("mira")
		f.register(old.Caller(), device)
		full := f.stepUpGrant(old.Caller(), device)
		pending := f.got(device, f.stepUpOptions(full.Caller()))
		if err := f.service.DeleteAccount(f.Context(), full.Caller()); err != nil {
			f.Fatal(err)
		}
		gone := func(when string) {
			f.Helper()
			f.wantRefused(when+": refresh token", full.RefreshToken)
			wantError(f.TB, when+": access token", second(f.service.Introspect(f.Context(), full.AccessToken)), stepkey.ErrUnauthorized)
			wantError(f.TB, when+": pending step-up", second(f.service.FinishStepUp(f.Context(), full.Caller(), pending)), stepkey.ErrUnauthorized)
			wantError(f.TB, when+": registration", second(f.service.BeginRegistration(f.Context(), full.Caller())), stepkey.ErrUnauthorized)
		}
		gone("after the deletion")
		if !f.ended(full.Claims.SessionID) {
			f.Error("the session did not end")
		}
		wantError(f.TB, "sign-in", second(f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: password})), stepkey.ErrInvalidCredentials)
		wantError(f.TB, "enabling", f.service.Admin().EnableUser(f.Context(), uuid.MustParse(full.Claims.Subject)), nil)
		wantError(f.TB, "sign-in after enabling", second(f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: password})), stepkey.ErrInvalidCredentials)

		f.clock.Advance(stepkey.NameQuarantine - time.Microsecond)
		f.sweep()
		wantError(f.TB, "the name in quarantine", second(f.service.SignUp(f.Context(), f.signUpOf("Mira", password))), stepkey.ErrUsernameTaken)
		f.clock.Advance(time.Microsecond)
		f.sweep()
		f.signUp("mira")
		next := f.logIn("mira")
		if next.Claims().Subject == full.Claims.Subject {
			f.Error("the new account has the old id")
		}
		gone("in the new account's time")
		wantError(f.TB, "old passkey", second(f.service.BeginStepUp(f.Context(), next, nil)), stepkey.ErrNoPasskeys)
		f.register(next, authenticator.New(authenticator.Config{}))
		response, err := device.Get(origin, f.stepUpOptions(next))
		if err == nil {
			f.Errorf("the old device answers for the new account: %s", response)
		}
		f.guesses("mira", storage.FreeAttempts)
		wantLimited(f.TB, "old device token", f.guess("mira", old.DeviceToken), 30*time.Second)
	})
}

func (f *fixture) sweep() {
	f.Helper()
	if err := f.store.Sweep(f.Context()); err != nil {
		f.Fatal(err)
	}
}

func TestDeletedAccountIsEmpty(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, _ := f.enrolled("mira", authenticator.Config{})
		f.logInForRefresh("mira")
		if err := f.service.Admin().DeleteUser(f.Context(), uuid.MustParse(claims.Claims().Subject)); err != nil {
			f.Fatal(err)
		}
		for _, test := range []struct{ what, query string }{
			{"passkeys", `SELECT count(*) FROM passkeys`},
			{"names", `SELECT count(*) FROM users WHERE username <> ''`},
			{"devices", `SELECT count(*) FROM sessions WHERE device <> '' OR address <> ''`},
			{"challenges", `SELECT count(*) FROM challenges`},
		} {
			var n int
			if err := f.sql.QueryRowContext(f.Context(), test.query).Scan(&n); err != nil || n != 0 {
				f.Errorf("%s that are left: %d, %v", test.what, n, err)
			}
		}
		wantError(f.TB, "again", f.service.Admin().DeleteUser(f.Context(), uuid.MustParse(claims.Claims().Subject)), stepkey.ErrNotFound)
		if f.events(storage.EventUserDeleted) != 1 {
			f.Error("one event has to say so")
		}
	})
}

func TestDeletingOnesAccountTakesWhatAddingAPasskeyTakes(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("noor")
		noor := f.logIn("noor")
		f.clock.Advance(stepkey.FirstPasskeyWindow + time.Second)
		wantError(f.TB, "old password", f.service.DeleteAccount(f.Context(), noor), stepkey.ErrReauthenticationRequired)

		claims, device := f.enrolled("mira", authenticator.Config{})
		refused := func(what string, c stepkey.Caller) {
			f.Helper()
			var stepUp *stepkey.StepUpRequiredError
			if err := f.service.DeleteAccount(f.Context(), c); !errors.As(err, &stepUp) {
				f.Errorf("%s: %v", what, err)
			}
		}
		refused("level password", claims)
		full := f.stepUp(claims, device)
		refused("a token from before", claims)
		f.clock.Advance(stepkey.FullWindow + time.Second)
		refused("a passkey from a while ago", full)
		f.logIn("mira")
	})
}

func TestAccountData(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, device := f.enrolled("mira", authenticator.Config{})
		claims = f.stepUp(claims, device)
		f.enrolled("noor", authenticator.Config{})
		e, err := f.service.ExportAccount(f.Context(), claims)
		if err != nil {
			f.Fatal(err)
		}
		if e.User.Username != "mira" || e.User.PasswordHash != "" || len(e.Passkeys) != 1 || len(e.Sessions) != 1 {
			f.Errorf("export: %+v", e)
		}
		var kinds []stepkey.EventKind
		for _, event := range e.Events {
			kinds = append(kinds, event.Kind)
			if event.UserID != e.User.ID {
				f.Errorf("somebody else's event: %+v", event)
			}
		}
		if len(kinds) != 5 {
			f.Errorf("events %v, want signed up, signed in, passkey added, which steps up, and stepped up", kinds)
		}
	})
}
