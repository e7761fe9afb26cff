package stepkey_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/memstore"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

const wrong = "incorrect horse battery"

// from is a client at an address.
func from(address string) stepkey.Client { return stepkey.Client{IP: netip.MustParseAddr(address)} }

// guess tries a wrong password from an address that nobody had before.
func (f *fixture) guess(name string, devices ...string) error {
	return second(f.service.LogIn(f.Context(), stepkey.LogInRequest{
		Username: name, Password: wrong, Client: f.signUpOf(name, "").Client, Devices: devices,
	}))
}

// wantLimited is for an error that says how long to wait.
func wantLimited(t testing.TB, what string, err error, wait time.Duration) {
	t.Helper()
	var limited *stepkey.RateLimitedError
	if !errors.As(err, &limited) {
		t.Errorf("%s: %v, want a RateLimitedError", what, err)
		return
	}
	if limited.RetryAfter != wait {
		t.Errorf("%s: wait %s, want %s", what, limited.RetryAfter, wait)
	}
}

func (f *fixture) guesses(name string, n int, devices ...string) {
	f.Helper()
	for range n {
		wantError(f.TB, "guess", f.guess(name, devices...), stepkey.ErrInvalidCredentials)
	}
}

func TestAccountWaitsAfterTenFailures(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		for _, name := range []string{"mira", "nobody", "Not A Name"} {
			f.guesses(name, storage.FreeAttempts)
			wantLimited(f.TB, name+", the eleventh", f.guess(name), 30*time.Second)
		}
		wantLimited(f.TB, "in other letters", f.guess(" MIRA "), 30*time.Second)
		wantLimited(f.TB, "an unknown name in other letters", f.guess("NoBody"), 30*time.Second)
		f.clock.Advance(30 * time.Second)
		f.guesses("mira", 1)
		wantLimited(f.TB, "the thirteenth", f.guess("mira"), time.Minute)
		f.clock.Advance(time.Minute)
		f.logIn("mira")
		f.guesses("mira", storage.FreeAttempts) // a success starts over
	})
}

func TestOf64ParallelGuessesTenAreMade(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		services := []*stepkey.Service{f.service, f.newService(f.config())}
		made := 0 // a guess that found no turn to hash was not made
		for _, err := range race(64, func(i int) error {
			return second(services[i%2].LogIn(f.Context(), stepkey.LogInRequest{
				Username: "mira", Password: wrong, Client: from(fmt.Sprintf("198.51.%d.1", i)),
			}))
		}) {
			var overloaded *stepkey.OverloadedError
			var limited *stepkey.RateLimitedError
			switch {
			case errors.Is(err, stepkey.ErrInvalidCredentials):
				made++
			case errors.Is(err, stepkey.ErrUnavailable), errors.As(err, &overloaded), errors.As(err, &limited):
			default:
				f.Errorf("guess: %v", err)
			}
		}
		if made > storage.FreeAttempts {
			f.Fatalf("%d of 64 guesses were made, want %d at most", made, storage.FreeAttempts)
		}
		// Those that were not made do not count: one after the other, the rest of the ten can be made, and no more.
		f.guesses("mira", storage.FreeAttempts-made)
		wantLimited(f.TB, "the eleventh", f.guess("mira"), 30*time.Second)
	})
}

// logInFrom signs in with the right password and returns the device token.
func (f *fixture) logInFrom(c stepkey.Client, devices ...string) (deviceToken string, err error) {
	g, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: password, Client: c, Devices: devices})
	return g.DeviceToken, err
}

func (f *fixture) mustLogInFrom(what string, c stepkey.Client, devices ...string) (deviceToken string) {
	f.Helper()
	deviceToken, err := f.logInFrom(c, devices...)
	if err != nil {
		f.Fatalf("%s: %v", what, err)
	}
	return deviceToken
}

func TestGuessingDoesNotShutOutKnownDevices(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		home := from("192.0.2.7")
		known := f.mustLogInFrom("at first", home)
		f.guesses("mira", storage.FreeAttempts)
		wantLimited(f.TB, "the owner on a new device", second(f.logInFrom(home)), 30*time.Second)
		next := f.mustLogInFrom("the owner on a known device", home, "not a token", known)
		// That sets back the hundred, and not the guesser's wait.
		wantLimited(f.TB, "the guesser", f.guess("mira"), 30*time.Second)

		// A device has ten failures of its own, and is then a stranger.
		f.guesses("mira", storage.FreeAttempts, next)
		wantLimited(f.TB, "a known device that guesses", f.guess("mira", next), 30*time.Second)
		f.clock.Advance(5 * time.Minute)
		known = f.mustLogInFrom("the owner on another device", home)
		for range 2 {
			f.mustLogInFrom("another known device", home, known)
			f.guesses("mira", storage.FreeAttempts-1, known) // and its success sets them back
		}
	})
}

// The exception for an owner's devices must not let anybody else in while strangers are refused.
func TestOnlyTheAccountsOwnDevicesAreKnown(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	f.signUp("noor")
	g, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "noor", Password: password, Refresh: stepkey.RefreshBody})
	if err != nil {
		t.Fatal(err)
	}
	known := f.mustLogInFrom("at first", stepkey.Client{})
	flipped := []byte(known)
	flipped[len(flipped)/2] ^= 1
	f.guesses("mira", storage.FreeAttempts)
	limited := func(what string, devices ...string) {
		t.Helper()
		wantLimited(t, what, f.guess("mira", devices...), 30*time.Second)
	}
	limited("somebody else's device", g.DeviceToken)
	limited("an access token", g.AccessToken)
	limited("a refresh token", g.RefreshToken)
	limited("a tampered token", string(flipped))
	limited("a token cut short", known[:len(known)-4])
	limited("after too many others", append(make([]string, stepkey.MaxDevices), known)...)
	if _, err := f.service.Introspect(t.Context(), known); !errors.Is(err, stepkey.ErrUnauthorized) {
		t.Errorf("a device token as an access token: %v", err)
	}
	wantError(t, "as a refresh token", second(f.service.Refresh(t.Context(), known)), stepkey.ErrUnauthorized)

	f.exec(`UPDATE users SET password_version = password_version + 1`)
	limited("a device from before the password changed", known)
	f.exec(`UPDATE users SET password_version = password_version - 1`)
	f.mustLogInFrom("the device itself", stepkey.Client{}, known)
	f.clock.Advance(stepkey.DeviceLifetime)
	f.guesses("mira", storage.FreeAttempts)
	limited("an expired device", known)
}

func TestAfterAHundredOnlyAKnownDeviceHelps(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		known := f.mustLogInFrom("at first", stepkey.Client{})
		f.guesses("mira", 1)
		f.exec(`UPDATE login_attempts SET failures = $1`, storage.MaxAttempts)
		f.clock.Advance(365 * 24 * time.Hour / 4)
		wantLimited(f.TB, "the right password", second(f.logInFrom(stepkey.Client{})), time.Hour)
		f.mustLogInFrom("a known device", stepkey.Client{}, known)
		f.mustLogInFrom("then any", stepkey.Client{})
	})
}

func TestAddressAndNetworkAreLimited(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	f.signUp("noor")
	for i := range 30 { // an office behind one address
		name := []string{"mira", "noor"}[i%2]
		_, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: name, Password: password, Client: from("2001:db8::1")})
		if err != nil {
			t.Fatalf("right password: %v", err)
		}
	}
	try := func(name, address string) error {
		return second(f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: name, Password: wrong, Client: from(address)}))
	}
	for i := range 20 {
		err := try(fmt.Sprintf("name%d", i), fmt.Sprintf("2001:db8::%x", i+1))
		wantError(t, "one guess at many names", err, stepkey.ErrInvalidCredentials)
	}
	wantLimited(t, "one more from the /64", try("another", "2001:db8::ffff"), 6*time.Second)
	wantError(t, "another /64", try("another", "2001:db8:0:1::1"), stepkey.ErrInvalidCredentials)
	f.clock.Advance(6 * time.Second)
	wantError(t, "six seconds later", try("another", "2001:db8::ffff"), stepkey.ErrInvalidCredentials)

	// Refused at the account, an attempt is still one of its network's.
	f.guesses("mira", storage.FreeAttempts)
	for i := range 200 {
		wantLimited(t, "attempt", try("mira", fmt.Sprintf("203.0.113.%d", i+1)), 30*time.Second)
	}
	wantLimited(t, "one more from the /24", try("somebody", "203.0.113.201"), 600*time.Millisecond)
	wantError(t, "another /24", try("somebody", "203.0.112.201"), stepkey.ErrInvalidCredentials)
}

func TestAttackQuartersWhatAnAddressMayFail(t *testing.T) {
	f := newFixture(t)
	config := f.config()
	config.AttackFailures = 5
	f.service = f.newService(config)
	for i := range 6 {
		wantError(t, "guess", f.guess(fmt.Sprintf("name%d", i)), stepkey.ErrInvalidCredentials)
	}
	try := func(i int) error {
		return second(f.service.LogIn(t.Context(), stepkey.LogInRequest{
			Username: fmt.Sprintf("other%d", i), Password: wrong, Client: from("192.0.2.1"),
		}))
	}
	for i := range 5 {
		wantError(t, "under attack", try(i), stepkey.ErrInvalidCredentials)
	}
	for range 2 { // asked once, and remembered once
		wantLimited(t, "the sixth", try(6), 24*time.Second)
	}
	f.clock.Advance(time.Minute)
	for i := range 5 {
		wantError(t, "when it is over", try(10+i), stepkey.ErrInvalidCredentials)
	}
}

// An attempt that we could not make is not one.
func TestAttemptsNotMadeAreGivenBack(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		gone, cancel := context.WithCancel(f.Context())
		cancel()
		for range 3 * storage.FreeAttempts {
			_, err := f.service.LogIn(gone, stepkey.LogInRequest{Username: "mira", Password: wrong, Client: from("192.0.2.1")})
			wantError(f.TB, "a client that has left", err, context.Canceled)
			_, err = f.service.SignUp(gone, stepkey.SignUpRequest{Username: "noor", Password: password, Client: from("192.0.2.1")})
			wantError(f.TB, "a client that has left", err, context.Canceled)
		}
		f.mustLogInFrom("afterwards", from("192.0.2.1"))
	})
}

func TestSignUpsAreLimited(t *testing.T) {
	onBoth(t, func(f *fixture) {
		signUp := func(name, address string) error {
			return second(f.service.SignUp(f.Context(), stepkey.SignUpRequest{Username: name, Password: password, Client: from(address)}))
		}
		if err := errors.Join(signUp("user0", "192.0.2.1"), signUp("user1", "192.0.2.1"), signUp("user2", "192.0.2.1")); err != nil {
			f.Fatal(err)
		}
		wantError(f.TB, "bad name", signUp("no spaces", "192.0.2.1"), stepkey.ErrUsernameInvalid)
		wantError(f.TB, "taken", signUp("user1", "192.0.2.1"), stepkey.ErrUsernameTaken)
		wantError(f.TB, "taken", signUp("user2", "192.0.2.1"), stepkey.ErrUsernameTaken)
		wantLimited(f.TB, "the sixth", signUp("user3", "192.0.2.1"), 61*time.Minute)
		wantError(f.TB, "another address", signUp("user2", "192.0.2.2"), stepkey.ErrUsernameTaken)
		for range 3 {
			f.clock.Advance(61 * time.Minute)
			wantError(f.TB, "an hour later", signUp("user1", "192.0.2.1"), stepkey.ErrUsernameTaken)
		}
	})
}

func TestOptionsAreLimited(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, _ := f.enrolled("mira", authenticator.Config{}) // one of twenty-five
		for range 24 {
			f.stepUpOptions(claims)
		}
		wantLimited(f.TB, "the twenty-sixth", second(f.service.BeginStepUp(f.Context(), claims, nil)), 58*time.Second)
		f.stepUpOptions(f.logIn("mira")) // another session
		f.clock.Advance(58 * time.Second)
		f.stepUpOptions(claims)
	})
}

func TestSessionEndsAfterElevenBadResponses(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, device := f.enrolled("mira", authenticator.Config{})
		for i := range 11 {
			if i == 10 && f.ended(claims.Claims().SessionID) {
				f.Error("the session ended after ten")
			}
			response := f.got(device, f.stepUpOptions(claims))
			response.Response.Signature[8] ^= 1
			wantError(f.TB, "bad signature", second(f.service.FinishStepUp(f.Context(), claims, response)), stepkey.ErrVerificationFailed)
		}
		if !f.ended(claims.Claims().SessionID) {
			f.Error("the session did not end")
		}
	})
}

func (f *fixture) ended(sessionID string) bool {
	f.Helper()
	ended, err := f.service.Ended(token.Claims{SessionID: uuid.MustParse(sessionID).String()})
	if err != nil {
		f.Fatal(err)
	}
	return ended
}

// A limiter that cannot tell is no leave to guess.
func TestLimiterThatCannotTellRefuses(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	config := f.config()
	config.Limiter = memstore.NewLimiter(1, f.clock.Now) // one login takes two buckets
	f.service = f.newService(config)
	wantError(t, "log in", second(f.logInFrom(stepkey.Client{})), stepkey.ErrUnavailable)
	wantError(t, "sign up", second(f.service.SignUp(t.Context(), f.signUpOf("noor", password))), stepkey.ErrUnavailable)
}

func TestLimitsAreOffOnLocalhostOnly(t *testing.T) {
	f := newFixture(t)
	config := f.config()
	config.Limiter = nil
	if _, err := stepkey.New(t.Context(), config); err == nil || !strings.Contains(err.Error(), "needs a Limiter") {
		t.Errorf("without a limiter: %v", err)
	}
	config.DangerNoLimits = true
	if _, err := stepkey.New(t.Context(), config); err == nil || !strings.Contains(err.Error(), "Config.DangerNoLimits") {
		t.Errorf("limits off: %v", err)
	}
	config.Origins = []string{"http://localhost:3000"}
	f.service = f.newService(config)
	for range 2 * storage.FreeAttempts {
		wantError(t, "guess", f.guess("mira"), stepkey.ErrInvalidCredentials)
	}
}
