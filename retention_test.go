package stepkey_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
)

// The counts of attempts are deleted together with their session, device or account.
func TestCountsOfAttemptsDoNotOutliveTheirOwner(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		signedIn := f.logInForRefresh("mira")
		wrong := "not the password"
		change := stepkey.ChangePasswordRequest{Current: &wrong, New: "another password of hers"}
		wantError(f.TB, "in the session", second(f.service.ChangePassword(f.Context(), signedIn.Caller(), change)), stepkey.ErrWrongPassword)
		wantError(f.TB, "on the device", f.guess("mira", signedIn.DeviceToken), stepkey.ErrInvalidCredentials)
		f.guesses("mira", 1)
		counts := func(when string, want int) {
			f.Helper()
			f.sweep()
			var n int
			if err := f.sql.QueryRowContext(f.Context(), `SELECT count(*) FROM login_attempts`).Scan(&n); err != nil || n != want {
				f.Errorf("%s: %d counts, %v; want %d", when, n, err, want)
			}
		}
		counts("at first", 3)
		f.clock.Advance(stepkey.SessionLifetime)
		counts("after the longest session", 2)
		f.clock.Advance(stepkey.DeviceLifetime)
		counts("after the life of a device", 1)
		f.clock.Advance(10 * 365 * 24 * time.Hour)
		counts("after years", 1)
		if err := f.service.Admin().DeleteUser(f.Context(), uuid.MustParse(signedIn.Claims.Subject)); err != nil {
			f.Fatal(err)
		}
		counts("after the account", 0)
		f.guesses("mira", 1)
		counts("after a guess at the name of a deleted account", 1)
		f.clock.Advance(31 * 24 * time.Hour)
		counts("a month later", 0)
	})
}
