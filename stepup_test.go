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

// enrolled signs a user up and in and adds a passkey.
func (f *fixture) enrolled(name string, c authenticator.Config) (stepkey.Caller, *authenticator.Authenticator) {
	f.Helper()
	f.signUp(name)
	claims, device := f.logIn(name), authenticator.New(c)
	f.register(claims, device)
	return claims, device
}

func TestOf64ReplaysOneSucceeds(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, device := f.enrolled("mira", authenticator.Config{})
		response := f.got(device, f.stepUpOptions(claims))
		services := []*stepkey.Service{f.service, f.newService(f.config())}
		won := 0
		for _, err := range race(64, func(i int) error {
			return second(services[i%2].FinishStepUp(f.Context(), claims, response))
		}) {
			if err == nil {
				won++
				continue
			}
			wantError(f.TB, "replay", err, stepkey.ErrChallengeExpired)
		}
		if won != 1 {
			f.Errorf("%d of 64 replays succeeded, want 1", won)
		}
	})
}

func TestTwoTabsBothSucceed(t *testing.T) {
	f := newFixture(t)
	claims, device := f.enrolled("mira", authenticator.Config{})
	one, two := f.stepUpOptions(claims), f.stepUpOptions(claims)
	for _, options := range [][]byte{one, two} {
		if _, err := f.service.FinishStepUp(t.Context(), claims, f.got(device, options)); err != nil {
			t.Error(err)
		}
	}
}

func TestStepUpChallengeIsForOneUseUserSessionAndCeremony(t *testing.T) {
	f := newFixture(t)
	mira, device := f.enrolled("mira", authenticator.Config{})
	noor, _ := f.enrolled("noor", authenticator.Config{})
	response := f.got(device, f.stepUpOptions(mira))
	for _, test := range []struct {
		what   string
		claims stepkey.Caller
	}{{"another session", f.logIn("mira")}, {"another user", noor}} {
		wantError(t, test.what, second(f.service.FinishStepUp(t.Context(), test.claims, response)), stepkey.ErrChallengeExpired)
	}
	if _, err := f.service.FinishStepUp(t.Context(), mira, response); err != nil {
		t.Fatalf("its own session, after tries of others: %v", err)
	}

	f.clock.Advance(time.Second)
	expired := f.got(device, f.stepUpOptions(mira))
	f.clock.Advance(stepkey.ChallengeLifetime)
	wantError(t, "expired", second(f.service.FinishStepUp(t.Context(), mira, expired)), stepkey.ErrChallengeExpired)

	full := f.stepUp(mira, device)
	registration := f.created(authenticator.New(authenticator.Config{}), f.registrationOptions(full))
	crossed := f.got(device, f.stepUpOptions(full))
	crossed.Response.ClientDataJSON = registration.Response.ClientDataJSON
	wantError(t, "challenge of a registration", second(f.service.FinishStepUp(t.Context(), full, crossed)),
		stepkey.ErrChallengeExpired)
}

func TestFailedTryUsesTheChallengeUp(t *testing.T) {
	f := newFixture(t)
	claims, device := f.enrolled("mira", authenticator.Config{})
	options := f.stepUpOptions(claims)
	bad := f.got(device, options)
	bad.Response.Signature = append([]byte(nil), bad.Response.Signature...)
	bad.Response.Signature[len(bad.Response.Signature)-1] ^= 1
	wantError(t, "bad signature", second(f.service.FinishStepUp(t.Context(), claims, bad)), stepkey.ErrVerificationFailed)
	wantError(t, "good one afterwards", second(f.service.FinishStepUp(t.Context(), claims, f.got(device, options))),
		stepkey.ErrChallengeExpired)
	if f.events(storage.EventPasskeyRefused) != 1 {
		t.Error("the refusal was not recorded")
	}
}

// Unknown, foreign and wrongly signed: one answer.
func TestRefusalsAreAlike(t *testing.T) {
	f := newFixture(t)
	mira, _ := f.enrolled("mira", authenticator.Config{})
	_, foreign := f.enrolled("noor", authenticator.Config{})
	for _, test := range []struct {
		what   string
		device *authenticator.Authenticator
	}{{"somebody else's passkey", foreign}, {"unknown passkey", stranger(f)}} {
		answer, err := test.device.GetWith(origin, f.stepUpOptions(mira), authenticator.Hostile{CredentialID: test.device.CredentialIDs()[0]})
		response := parsed[stepkey.AssertionResponse](f, answer, err)
		got := second(f.service.FinishStepUp(t.Context(), mira, response))
		if got != stepkey.ErrVerificationFailed {
			t.Errorf("%s: %v, want exactly ErrVerificationFailed", test.what, got)
		}
	}
}

// stranger has a passkey for this service that the service does not know.
func stranger(f *fixture) *authenticator.Authenticator {
	f.Helper()
	device := authenticator.New(authenticator.Config{})
	f.signUp("temp")
	f.created(device, f.registrationOptions(f.logIn("temp")))
	return device
}

func TestCounterRegressionIsRefusedAndRecorded(t *testing.T) {
	f := newFixture(t)
	claims, device := f.enrolled("mira", authenticator.Config{CounterStep: 5})
	f.stepUp(claims, device)
	f.stepUp(claims, device)
	answer, err := device.GetWith(origin, f.stepUpOptions(claims), authenticator.Hostile{
		AuthenticatorData: func(d *authenticator.AuthenticatorData) { d.SignCount = 7 },
	})
	copied := parsed[stepkey.AssertionResponse](f, answer, err)
	wantError(t, "copied key", second(f.service.FinishStepUp(t.Context(), claims, copied)), stepkey.ErrVerificationFailed)
	if n := f.events(storage.EventCounterRegression); n != 1 {
		t.Errorf("%d counter regressions recorded, want 1", n)
	}
	f.stepUp(claims, device)
}

// Two assertions with counters n+1 and n+2, verified at once: the stored counter
// never goes back.
func TestParallelCounters(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, device := f.enrolled("mira", authenticator.Config{CounterStep: 1})
		one, two := f.stepUpOptions(claims), f.stepUpOptions(claims)
		responses := []stepkey.AssertionResponse{f.got(device, one), f.got(device, two)}
		won := 0
		for _, err := range race(2, func(i int) error {
			return second(f.service.FinishStepUp(f.Context(), claims, responses[i]))
		}) {
			if err == nil {
				won++
			} else if !errors.Is(err, stepkey.ErrVerificationFailed) {
				f.Error(err)
			}
		}
		var stored int
		if err := f.sql.QueryRowContext(f.Context(), `SELECT sign_count FROM passkeys`).Scan(&stored); err != nil {
			f.Fatal(err)
		}
		if won == 0 || stored != 2 {
			f.Errorf("%d succeeded and the counter is %d, want at least 1 and 2", won, stored)
		}
	})
}

func TestSessionEndedMeanwhile(t *testing.T) {
	for _, test := range []struct{ what, statement string }{
		{"user disabled", `UPDATE users SET disabled_at = created_at`},
		{"password changed", `UPDATE users SET password_version = password_version + 1`},
		{"passkey deleted", `DELETE FROM passkeys`},
	} {
		t.Run(test.what, func(t *testing.T) {
			f := newFixture(t)
			claims, device := f.enrolled("mira", authenticator.Config{})
			response := f.got(device, f.stepUpOptions(claims))
			f.exec(test.statement)
			want := stepkey.ErrUnauthorized
			if test.what == "passkey deleted" {
				want = stepkey.ErrVerificationFailed
			}
			wantError(t, "verify", second(f.service.FinishStepUp(t.Context(), claims, response)), want)
			if want == stepkey.ErrUnauthorized {
				wantError(t, "options", second(f.service.BeginStepUp(t.Context(), claims, nil)), want)
				wantError(t, "registration", second(f.service.BeginRegistration(t.Context(), claims)), want)
			}
		})
	}
}

// Another passkey that is deleted between options and answer does not matter.
func TestOtherPasskeyDeletedMeanwhile(t *testing.T) {
	f := newFixture(t)
	claims, kept := f.enrolled("mira", authenticator.Config{})
	full := f.stepUp(claims, kept)
	other := f.register(full, authenticator.New(authenticator.Config{}))
	response := f.got(kept, f.stepUpOptions(claims))
	f.exec(`DELETE FROM passkeys WHERE id = $1`, other.ID.String())
	if _, err := f.service.FinishStepUp(t.Context(), claims, response); err != nil {
		t.Error(err)
	}
}

func TestSessionLivesAsLongAsItsNewestToken(t *testing.T) {
	f := newFixture(t)
	claims, device := f.enrolled("mira", authenticator.Config{})
	f.clock.Advance(14 * time.Minute)
	second := f.stepUp(claims, device)
	f.clock.Advance(14 * time.Minute)
	third := f.stepUp(second, device)
	f.clock.Advance(token.Lifetime)
	_, err := f.service.BeginStepUp(t.Context(), third, nil)
	wantError(t, "after the newest token's end", err, stepkey.ErrUnauthorized)
}
