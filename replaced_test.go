package stepkey_test

import (
	"testing"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

func TestSignInEndsTheSessionItReplaces(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("noor")
		_, device := f.enrolled("mira", authenticator.Config{})
		logIn := func(name, typed string, mode stepkey.RefreshMode, replaces string) (stepkey.Grant, error) {
			return f.service.LogIn(f.Context(), stepkey.LogInRequest{
				Username: name, Password: typed, Refresh: mode, Client: f.stranger(), Replaces: replaces,
			})
		}
		mustLogIn := func(name string, mode stepkey.RefreshMode, replaces string) stepkey.Grant {
			f.Helper()
			g, err := logIn(name, password, mode, replaces)
			if err != nil {
				f.Fatal(err)
			}
			return g
		}
		wantEnded := func(what string, g stepkey.Grant, want bool) {
			f.Helper()
			if got := f.ended(g.Claims.SessionID); got != want {
				f.Errorf("%s: ended %v, want %v", what, got, want)
			}
		}
		const cookie, body = stepkey.RefreshCookie, stepkey.RefreshBody

		first := mustLogIn("noor", cookie, "")
		wrong := first.RefreshToken[:len(first.RefreshToken)-8] + "AAAAAAAA"
		_, err := logIn("noor", "wrong horse", cookie, first.RefreshToken)
		wantError(f.TB, "a wrong password", err, stepkey.ErrInvalidCredentials)
		for _, test := range []struct{ what, replaces string }{{"nothing", ""}, {"not ours", "x"}, {"forged", wrong}} {
			mustLogIn("noor", cookie, test.replaces)
			wantEnded(test.what, first, false)
		}
		for _, mode := range []stepkey.RefreshMode{body, stepkey.RefreshNone} {
			mustLogIn("noor", mode, first.RefreshToken)
			wantEnded("a client without the cookie, mode "+string(mode), first, false)
		}
		inBody := mustLogIn("noor", body, "")
		mustLogIn("noor", cookie, inBody.RefreshToken)
		wantEnded("a session that is in no cookie", inBody, false)

		second := mustLogIn("noor", cookie, first.RefreshToken)
		wantEnded("the same user", first, true)
		other := mustLogIn("mira", cookie, second.RefreshToken)
		wantEnded("another user", second, true)
		mustLogIn("mira", cookie, second.RefreshToken) // that of a session that is over
		wantEnded("a session that nothing replaced", other, false)

		alone, err := f.service.FinishPasskeyLogIn(f.Context(), stepkey.PasskeyLogInRequest{
			Response: f.got(device, f.logInOptions()), Refresh: cookie, Client: f.stranger(), Replaces: other.RefreshToken,
		})
		if err != nil {
			f.Fatal(err)
		}
		wantEnded("a passkey alone", other, true)
		wantEnded("the session it began", alone, false)

		// Two tabs at once: both get a session, and what they had ends once.
		start := mustLogIn("noor", cookie, alone.RefreshToken)
		race(4, func(int) error {
			_, err := logIn("noor", password, cookie, start.RefreshToken)
			return err
		})
		wantEnded("tabs at once", start, true)
	})
}
