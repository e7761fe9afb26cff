package stepkey_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

const newPassword = "gentle walrus parade"

func (f *fixture) changePassword(c stepkey.Caller, current, replacement string) (stepkey.Grant, error) {
	change := stepkey.ChangePasswordRequest{New: replacement}
	if current != "" {
		change.Current = &current
	}
	return f.service.ChangePassword(f.Context(), c, change)
}

func TestChangedPasswordEndsEverythingElse(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		f.signUp("noor")
		here, there, other := f.logInForRefresh("mira"), f.logInForRefresh("mira"), f.logInForRefresh("noor")
		f.clock.Advance(time.Hour)
		fresh := f.refresh(here.RefreshToken)
		changed, err := f.changePassword(fresh.Caller(), password, newPassword)
		if err != nil {
			f.Fatal(err)
		}
		if !f.ended(there.Claims.SessionID) || f.ended(here.Claims.SessionID) || f.ended(other.Claims.SessionID) {
			f.Error("it has to end the user's other sessions, and no other")
		}
		f.wantRefused("refresh token of another session", there.RefreshToken)
		f.wantRefused("refresh token from before", fresh.RefreshToken)
		if f.ended(here.Claims.SessionID) {
			f.Error("the token from before ended the session")
		}
		next := f.refresh(changed.RefreshToken)
		if next.Claims.SessionID != here.Claims.SessionID || next.Claims.PasswordTime != f.clock.Now().Unix() {
			f.Errorf("refreshed: %+v", next.Claims)
		}
		wantError(f.TB, "old password", second(f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: password})), stepkey.ErrInvalidCredentials)
		if _, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: newPassword}); err != nil {
			f.Errorf("new password: %v", err)
		}
		if n := f.events(storage.EventPasswordChanged); n != 1 {
			f.Errorf("%d events", n)
		}
		// The device that changed it stays known; all others are strangers.
		f.guesses("mira", storage.FreeAttempts-1)
		f.guesses("mira", 1, here.DeviceToken)
		wantLimited(f.TB, "a device from before", f.guess("mira", here.DeviceToken), 30*time.Second)
		f.guesses("mira", 1, changed.DeviceToken)
	})
}

func TestPasswordIsNotChangedWithoutProof(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		c := f.logIn("mira")
		for _, test := range []struct {
			what                 string
			current, replacement string
			want                 error
		}{
			{"no current password", "", newPassword, stepkey.ErrInvalidRequest},
			{"wrong", wrong, newPassword, stepkey.ErrWrongPassword},
			{"too short", password, "short", stepkey.ErrPasswordTooShort},
			{"common", password, "passwordpassword1", stepkey.ErrPasswordCommon},
		} {
			_, err := f.changePassword(c, test.current, test.replacement)
			wantError(f.TB, test.what, err, test.want)
		}
		f.logIn("mira")
		if f.events(storage.EventPasswordChanged) != 0 {
			f.Error("it was changed")
		}
	})
}

// An open session and the password are not enough to take over an account that has a
// passkey.
func TestPasswordOfAnAccountWithPasskeysNeedsAFreshOne(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, device := f.enrolled("mira", authenticator.Config{})
		var stepUp *stepkey.StepUpRequiredError
		if _, err := f.changePassword(claims, password, newPassword); !errors.As(err, &stepUp) || stepUp.MaxAge != stepkey.FullWindow {
			f.Errorf("at level password: %v", err)
		}
		full := f.stepUp(claims, device)
		f.clock.Advance(stepkey.FullWindow + time.Second)
		if _, err := f.changePassword(full, password, newPassword); !errors.As(err, &stepUp) {
			f.Errorf("with a passkey from a while ago: %v", err)
		}
		full = f.stepUp(full, device)
		if _, err := f.changePassword(claims, password, newPassword); !errors.As(err, &stepUp) {
			f.Errorf("with a token from before, in a session that has risen: %v", err)
		}
		_, err := f.changePassword(full, wrong, newPassword)
		wantError(f.TB, "wrong password", err, stepkey.ErrWrongPassword)

		// Who forgot it shows the passkey, and stays at level full.
		changed, err := f.changePassword(full, "", newPassword)
		if err != nil {
			f.Fatal(err)
		}
		if changed.Claims.Level != token.LevelFull || changed.Claims.PasswordTime != claims.Claims().PasswordTime {
			f.Errorf("changed: %+v", changed.Claims)
		}
	})
}

func TestPasswordOfASessionIsTriedTenTimes(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		c := f.logIn("mira")
		for range storage.FreeAttempts {
			_, err := f.changePassword(c, wrong, newPassword)
			wantError(f.TB, "guess", err, stepkey.ErrWrongPassword)
		}
		_, err := f.changePassword(c, password, newPassword)
		wantLimited(f.TB, "the eleventh", err, 30*time.Second)
		f.logIn("mira") // which is not what the owner has at sign-in
	})
}

// Of several changes at once that prove the same password, one is made.
func TestOf16ParallelPasswordChangesOneIsMade(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		sessions := []stepkey.Caller{f.logIn("mira"), f.logIn("mira")}
		made := 0
		for _, err := range race(16, func(i int) error {
			return second(f.changePassword(sessions[i%2], password, newPassword))
		}) {
			var overloaded *stepkey.OverloadedError
			var limited *stepkey.RateLimitedError
			switch {
			case err == nil:
				made++
			case errors.Is(err, stepkey.ErrUnauthorized), errors.Is(err, stepkey.ErrWrongPassword),
				errors.Is(err, stepkey.ErrUnavailable), // who waited too long for the lock, on a busy machine
				errors.As(err, &overloaded), errors.As(err, &limited):
			default:
				f.Errorf("change: %v", err)
			}
		}
		if made != 1 {
			f.Errorf("%d changes were made, want 1", made)
		}
	})
}
