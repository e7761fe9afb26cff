package stepkey_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

func (f *fixture) logInOptions() []byte {
	f.Helper()
	options, err := f.service.BeginPasskeyLogIn(f.Context(), f.stranger())
	if err != nil {
		f.Fatal(err)
	}
	return f.marshal(options)
}

func (f *fixture) finishLogIn(response stepkey.AssertionResponse) (stepkey.Grant, error) {
	return f.service.FinishPasskeyLogIn(f.Context(), stepkey.PasskeyLogInRequest{
		Response: response, Refresh: stepkey.RefreshBody,
		Client: stepkey.Client{Device: "Firefox on Linux", Network: "203.0.113.0/24", IP: f.stranger().IP},
	})
}

// passkeyLogIn signs in with device alone.
func (f *fixture) passkeyLogIn(device *authenticator.Authenticator) stepkey.Grant {
	f.Helper()
	g, err := f.finishLogIn(f.got(device, f.logInOptions()))
	if err != nil {
		f.Fatal(err)
	}
	return g
}

func TestPasskeyLogIn(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, device := f.enrolled("Mira", authenticator.Config{CounterStep: 1})
		f.enrolled("noor", authenticator.Config{})
		f.clock.Advance(time.Hour)
		g := f.passkeyLogIn(device)
		c, now := g.Claims, f.clock.Now().Unix()
		if c.Subject != claims.Claims().Subject || c.Username != "Mira" || c.Level != token.LevelFull || !c.PasskeyVerified {
			f.Errorf("claims %+v", c)
		}
		// Nobody proved a password, and nothing says so.
		if c.PasswordTime != 0 || c.PasskeyTime != now || c.AuthTime != now || c.SessionID == claims.Claims().SessionID {
			f.Errorf("times in %+v", c)
		}
		if diff := cmp.Diff([]string{"pop", "swk", "user", "mfa", "phr"}, c.Methods); diff != "" {
			f.Errorf("methods -want +got:\n%s", diff)
		}
		if g.RefreshToken == "" || g.DeviceToken == "" {
			f.Errorf("tokens of %+v", g)
		}
		if used := f.passkeys(g.Caller()).Passkeys[0].LastUsedAt; used == nil || used.Unix() != now {
			f.Errorf("last used at %v", used)
		}
		if n := f.events(storage.EventSignedIn); n != 3 {
			f.Errorf("%d sign-ins recorded, want 3", n)
		}
		next := f.refresh(g.RefreshToken).Caller()
		if next.Claims().Level != token.LevelFull || next.Claims().PasswordTime != 0 || slices.Contains(next.Claims().Methods, "pwd") {
			f.Errorf("after a refresh: %+v", next)
		}
		f.register(g.Caller(), authenticator.New(authenticator.Config{})) // it is fresh
	})
}

// The level falls as every other does, and still nothing says that there was a password.
func TestLevelOfAPasskeyLogInAges(t *testing.T) {
	onBoth(t, func(f *fixture) {
		_, device := f.enrolled("mira", authenticator.Config{})
		g := f.passkeyLogIn(device)
		f.clock.Advance(stepkey.FullIdle)
		fallen := f.refresh(g.RefreshToken)
		c := fallen.Claims
		if c.Level != token.LevelPassword || c.PasswordTime != 0 || c.PasskeyTime != 0 || c.AuthTime != g.Claims.AuthTime {
			f.Errorf("claims %+v", c)
		}
		if diff := cmp.Diff([]string{"pop", "user"}, c.Methods); diff != "" {
			f.Errorf("methods -want +got:\n%s", diff)
		}
		if c.ExpiresAt-c.IssuedAt != int64(token.Lifetime.Seconds()) {
			f.Errorf("expires after %d s", c.ExpiresAt-c.IssuedAt)
		}
		raised := f.stepUpGrant(fallen.Caller(), device).Caller()
		if raised.Claims().Level != token.LevelFull || slices.Contains(raised.Claims().Methods, "pwd") {
			f.Errorf("raised again: %+v", raised)
		}
		if _, err := f.service.Verifier().Verify(f.Context(), fallen.AccessToken); err != nil {
			f.Errorf("the fallen token: %v", err)
		}
	})
}

func TestOf50ReplaysOfALogInOneSucceeds(t *testing.T) {
	onBoth(t, func(f *fixture) {
		_, device := f.enrolled("mira", authenticator.Config{})
		services := []*stepkey.Service{f.service, f.newService(f.config())}
		response := f.got(device, f.logInOptions())
		before := f.events(storage.EventSignedIn)
		won := 0
		for _, err := range race(50, func(i int) error {
			return second(services[i%2].FinishPasskeyLogIn(f.Context(), stepkey.PasskeyLogInRequest{Response: response, Client: f.stranger()}))
		}) {
			if err == nil {
				won++
				continue
			}
			wantError(f.TB, "replay", err, stepkey.ErrChallengeExpired)
		}
		if began := f.events(storage.EventSignedIn) - before; won != 1 || began != 1 {
			f.Errorf("%d of 50 replays succeeded, %d sessions began; want 1", won, began)
		}
	})
}

func TestPasskeyLogInRefusalsAreAlike(t *testing.T) {
	onBoth(t, func(f *fixture) {
		_, mira := f.enrolled("mira", authenticator.Config{CounterStep: 1})
		noor, noors := f.enrolled("noor", authenticator.Config{})
		unknown := stranger(f)
		f.passkeyLogIn(mira)

		handle := f.passkeys(f.stepUp(noor, noors)).Names.UserHandle
		spoilt := func(device *authenticator.Authenticator, spoil func(*stepkey.AssertionResponse)) stepkey.AssertionResponse {
			response := f.got(device, f.logInOptions())
			spoil(&response)
			return response
		}
		nothing := func(*stepkey.AssertionResponse) {}
		for _, test := range []struct {
			what     string
			response stepkey.AssertionResponse
		}{
			{"no user handle", spoilt(mira, func(r *stepkey.AssertionResponse) { r.Response.UserHandle = nil })},
			{"foreign user handle", spoilt(mira, func(r *stepkey.AssertionResponse) { r.Response.UserHandle = handle })},
			{"bad signature", spoilt(mira, func(r *stepkey.AssertionResponse) { r.Response.Signature[8] ^= 1 })},
		} {
			if _, err := f.finishLogIn(test.response); err != stepkey.ErrVerificationFailed {
				f.Errorf("%s: %v, want exactly ErrVerificationFailed", test.what, err)
			}
			wantError(f.TB, test.what+", again", second(f.finishLogIn(test.response)), stepkey.ErrChallengeExpired)
		}
		if _, err := f.finishLogIn(spoilt(unknown, nothing)); err != stepkey.ErrPasskeyUnknown {
			f.Errorf("unknown passkey: %v, want exactly ErrPasskeyUnknown", err)
		}
		if n := f.events(storage.EventPasskeyRefused); n != 3 {
			f.Errorf("%d refusals recorded, want those of the known passkey", n)
		}
		wantError(f.TB, "no assertion at all", second(f.finishLogIn(spoilt(mira, func(r *stepkey.AssertionResponse) { r.Type = "password" }))), stepkey.ErrInvalidRequest)

		_, err := f.service.FinishPasskeyLogIn(f.Context(), stepkey.PasskeyLogInRequest{Response: spoilt(mira, nothing), Refresh: "x", Client: f.stranger()})
		wantError(f.TB, "no way of keeping a session", err, stepkey.ErrInvalidRequest)

		older := f.got(mira, f.logInOptions())
		f.passkeyLogIn(mira)
		wantError(f.TB, "counter that stands still", second(f.finishLogIn(older)), stepkey.ErrVerificationFailed)
		if f.events(storage.EventCounterRegression) != 1 {
			f.Error("the counter was not recorded")
		}
	})
}

func TestPasskeyLogInObeysDisabledAndDeletedUsers(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, device := f.enrolled("mira", authenticator.Config{})
		id := uuid.MustParse(claims.Claims().Subject)
		response := f.got(device, f.logInOptions())
		wantError(f.TB, "DisableUser", f.service.Admin().DisableUser(f.Context(), id), nil)
		if _, err := f.finishLogIn(response); err != stepkey.ErrVerificationFailed {
			f.Errorf("disabled since: %v, want exactly ErrVerificationFailed", err)
		}
		wantError(f.TB, "EnableUser", f.service.Admin().EnableUser(f.Context(), id), nil)
		f.passkeyLogIn(device)
		response = f.got(device, f.logInOptions())
		wantError(f.TB, "DeleteUser", f.service.Admin().DeleteUser(f.Context(), id), nil)
		wantError(f.TB, "deleted since", second(f.finishLogIn(response)), stepkey.ErrPasskeyUnknown)
	})
}

// The challenge of one ceremony is of no use in another.
func TestLogInChallengeIsForItsCeremonyAndTime(t *testing.T) {
	f := newFixture(t)
	claims, device := f.enrolled("mira", authenticator.Config{})
	wantError(t, "a step-up's", second(f.finishLogIn(f.got(device, f.stepUpOptions(claims)))), stepkey.ErrChallengeExpired)
	wantError(t, "for a step-up", second(f.service.FinishStepUp(t.Context(), claims, f.got(device, f.logInOptions()))), stepkey.ErrChallengeExpired)
	late := f.got(device, f.logInOptions())
	f.clock.Advance(stepkey.ChallengeLifetime)
	wantError(t, "late", second(f.finishLogIn(late)), stepkey.ErrChallengeExpired)
}

// Strangers who ask for challenges do not push anybody's out.
func TestLogInChallengesDoNotCrowdEachOther(t *testing.T) {
	f := newFixture(t)
	_, device := f.enrolled("mira", authenticator.Config{})
	response := f.got(device, f.logInOptions())
	for range 2 * storage.MaxChallenges {
		f.clock.Advance(time.Millisecond) // so that the first is the oldest
		f.logInOptions()
	}
	if _, err := f.finishLogIn(response); err != nil {
		t.Errorf("after others asked: %v", err)
	}
}

// An owner whose password somebody guesses at signs in with the passkey, and stays as
// known to the limits as before.
func TestPasskeyLogInIsUntouchedByThePasswordLimits(t *testing.T) {
	onBoth(t, func(f *fixture) {
		_, device := f.enrolled("mira", authenticator.Config{})
		f.guesses("mira", storage.FreeAttempts)
		wantLimited(f.TB, "the password", f.guess("mira"), 30*time.Second)
		f.passkeyLogIn(device)
		wantLimited(f.TB, "the password still", f.guess("mira"), 30*time.Second)
	})
}

func TestFailedPasskeyLogInsCountForTheirAddress(t *testing.T) {
	f := newFixture(t)
	_, device := f.enrolled("mira", authenticator.Config{})
	try := func(address string, spoil bool) error {
		response := f.got(device, f.logInOptions())
		if spoil {
			response.Response.Signature[8] ^= 1
		}
		return second(f.service.FinishPasskeyLogIn(t.Context(), stepkey.PasskeyLogInRequest{Response: response, Client: from(address)}))
	}
	for range 30 {
		wantError(t, "success", try("198.51.100.1", false), nil)
	}
	for range 20 {
		wantError(t, "failure", try("198.51.100.1", true), stepkey.ErrVerificationFailed)
	}
	wantLimited(t, "one more", try("198.51.100.1", false), 6*time.Second)
	wantError(t, "from elsewhere", try("198.51.100.2", false), nil)
	used, unknown := f.got(device, f.logInOptions()), stranger(f)
	wantError(t, "success", second(f.finishLogIn(used)), nil)
	for _, failing := range []struct {
		what     string
		address  string
		response func() stepkey.AssertionResponse
		want     error
	}{
		{"a passkey that nobody has", "198.51.100.3", func() stepkey.AssertionResponse { return f.got(unknown, f.logInOptions()) }, stepkey.ErrPasskeyUnknown},
		{"a challenge that is used", "198.51.100.4", func() stepkey.AssertionResponse { return used }, stepkey.ErrChallengeExpired},
	} {
		for range 20 {
			try := stepkey.PasskeyLogInRequest{Response: failing.response(), Client: from(failing.address)}
			wantError(t, failing.what, second(f.service.FinishPasskeyLogIn(t.Context(), try)), failing.want)
		}
		wantLimited(t, "after "+failing.what, try(failing.address, false), 6*time.Second)
	}
	wantError(t, "the password from there", second(f.service.LogIn(t.Context(), stepkey.LogInRequest{
		Username: "mira", Password: password, Client: from("198.51.100.1"),
	})), nil)
}

func TestLogInOptionsAreLimitedByAddress(t *testing.T) {
	f := newFixture(t)
	begin := func(address string) error {
		return second(f.service.BeginPasskeyLogIn(t.Context(), from(address)))
	}
	for range 100 {
		wantError(t, "options", begin("198.51.100.1"), nil)
	}
	wantLimited(t, "one more", begin("198.51.100.1"), time.Second)
	wantError(t, "from elsewhere", begin("198.51.100.2"), nil)
}

func TestPasskeyLogInKeepsTheNumberOfSessions(t *testing.T) {
	f := newFixture(t)
	_, device := f.enrolled("mira", authenticator.Config{})
	first := f.passkeyLogIn(device)
	for range stepkey.MaxSessions {
		f.clock.Advance(time.Microsecond)
		f.passkeyLogIn(device)
	}
	f.wantRefused("the oldest", first.RefreshToken)
}

func TestPasskeyLogInSwitchedOff(t *testing.T) {
	f := newFixture(t)
	_, device := f.enrolled("mira", authenticator.Config{})
	response := f.got(device, f.logInOptions())
	c := f.config()
	c.NoPasskeyLogIn = true
	f.service = f.newService(c)
	wantError(t, "options", second(f.service.BeginPasskeyLogIn(t.Context(), f.stranger())), stepkey.ErrPasskeyLogInOff)
	wantError(t, "verify", second(f.finishLogIn(response)), stepkey.ErrPasskeyLogInOff)
}

// Where challenges are kept apart, the transaction is what happens once.
func TestRestoredLogInChallengeIsSpent(t *testing.T) {
	f := newFixture(t)
	_, device := f.enrolled("mira", authenticator.Config{})
	apart := f.withChallengesApart()
	response := f.got(device, f.logInOptions())
	if _, err := f.finishLogIn(response); err != nil {
		t.Fatal(err)
	}
	apart.restore(f)
	wantError(t, "after the snapshot came back", second(f.finishLogIn(response)), stepkey.ErrChallengeExpired)
}
