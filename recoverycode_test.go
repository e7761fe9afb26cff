package stepkey_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// withCodes is somebody with a passkey and recovery codes, signed in at level full.
func (f *fixture) withCodes(name string) (full stepkey.Caller, device *authenticator.Authenticator, codes []string) {
	f.Helper()
	claims, device := f.enrolled(name, authenticator.Config{})
	full = f.stepUp(claims, device)
	return full, device, f.newCodes(full)
}

func (f *fixture) newCodes(full stepkey.Caller) []string {
	f.Helper()
	codes, err := f.service.ReplaceRecoveryCodes(f.Context(), full)
	if err != nil {
		f.Fatal(err)
	}
	return codes
}

func (f *fixture) useCode(c stepkey.Caller, code string) (stepkey.Grant, error) {
	g, pending, err := f.service.UseRecoveryCode(f.Context(), c, code, stepkey.Client{Device: "Chrome on Android"})
	if pending != nil {
		f.Errorf("a recovery waits until %s", pending.ReadyAt)
	}
	return g, err
}

func (f *fixture) recovered(c stepkey.Caller, code string) stepkey.Caller {
	f.Helper()
	g, err := f.useCode(c, code)
	if err != nil {
		f.Fatal(err)
	}
	return g.Caller()
}

func (f *fixture) wantLeft(what string, c stepkey.Caller, left int) {
	f.Helper()
	state, err := f.service.Recovery(f.Context(), c)
	if err != nil || state.CodesLeft != left || (state.CodesCreatedAt == nil) != (left == 0) {
		f.Errorf("%s: %+v, %v; want %d codes", what, state, err, left)
	}
}

func TestRecoveryCodesAreShownOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stepkey.db")
	f := fixtureOn(t, "sqlite:"+path)
	full, _, codes := f.withCodes("mira")
	form := regexp.MustCompile(`^([0-9a-hjkmnp-tv-z]{4}-){5}[0-9a-hjkmnp-tv-z]{4}$`)
	for i, code := range codes {
		if !form.MatchString(code) || slices.Contains(codes[:i], code) {
			t.Errorf("code %d is %q", i, code)
		}
	}
	if len(codes) != stepkey.RecoveryCodes {
		t.Errorf("%d codes", len(codes))
	}
	f.wantLeft("new", full, stepkey.RecoveryCodes)
	for _, file := range []string{path, path + "-wal"} {
		stored, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range codes {
			if bytes.Contains(stored, []byte(code)) || bytes.Contains(stored, []byte(strings.ReplaceAll(code, "-", ""))) {
				t.Errorf("%s holds a code", file)
			}
		}
	}
}

func TestRecoveryCodesNeedAFreshPasskey(t *testing.T) {
	f := newFixture(t)
	claims, device := f.enrolled("mira", authenticator.Config{})
	wantStepUp(t, "with the password", second(f.service.ReplaceRecoveryCodes(t.Context(), claims)))
	full := f.stepUp(claims, device)
	f.clock.Advance(stepkey.FullWindow + time.Second)
	wantStepUp(t, "with a passkey of five minutes ago", second(f.service.ReplaceRecoveryCodes(t.Context(), full)))
	f.signUp("noor")
	wantStepUp(t, "without a passkey", second(f.service.ReplaceRecoveryCodes(t.Context(), f.logIn("noor"))))
}

// The password and a code lead to a passkey, and no further; and that passkey waits.
func TestRecoveryByCode(t *testing.T) {
	onBoth(t, func(f *fixture) {
		before, _, codes := f.withCodes("mira")
		typed := strings.ToUpper(strings.ReplaceAll(codes[3], "-", " "))
		typed = strings.NewReplacer("0", "o", "1", "L").Replace(typed)
		asking := f.logIn("mira")
		g, err := f.useCode(asking, " "+typed+" ")
		if err != nil {
			f.Fatal(err)
		}
		want := token.Claims{
			Issuer: origin, Audience: []string{origin}, Subject: before.Claims().Subject, Username: "mira",
			ID: g.Claims.ID, SessionID: g.Claims.SessionID, IssuedAt: f.clock.Now().Unix(), ExpiresAt: f.clock.Now().Unix() + 900,
			Level: token.LevelRecovery, ACR: token.LevelRecovery, AuthTime: f.clock.Now().Unix(), Methods: []string{"pwd", "otp"},
		}
		if diff := cmp.Diff(want, g.Claims); diff != "" || g.RefreshToken != "" || g.Claims.SessionID == asking.Claims().SessionID {
			f.Errorf("-want +got:\n%s", diff)
		}
		for _, test := range []struct {
			what string
			c    stepkey.Caller
		}{{"the session that asked", asking}, {"a session from before", before}} {
			wantError(f.TB, test.what, f.noSessions(test.c), stepkey.ErrUnauthorized)
			if !f.ended(test.c.Claims().SessionID) {
				f.Errorf("%s has not ended for guards", test.what)
			}
		}
		f.wantNothingButEnrolment(g)
		f.wantWaits(g.Caller())
		if n := f.events(storage.EventRecoveryUsed); n != 1 {
			f.Errorf("%d events, want 1", n)
		}
		again := f.logIn("mira")
		f.wantLeft("after the use of one", again, stepkey.RecoveryCodes-1)
		wantError(f.TB, "the same code again", second(f.useCode(again, codes[3])), stepkey.ErrWrongRecoveryCode)
		f.recovered(again, codes[4])
		f.wantLeft("after the use of another", f.logIn("mira"), stepkey.RecoveryCodes-2)
	})
}

// wantNothingButEnrolment tries what a library's user might forget to guard.
func (f *fixture) wantNothingButEnrolment(g stepkey.Grant) {
	f.Helper()
	ctx, c := f.Context(), g.Caller()
	for _, test := range []struct {
		what string
		try  func() error
	}{
		{"step up", func() error { return second(f.service.BeginStepUp(ctx, c, nil)) }},
		{"change a password", func() error { return second(f.changePassword(c, password, another)) }},
		{"see sessions", func() error { return f.noSessions(c) }},
		{"end sessions", func() error { return second(f.service.LogOutOthers(ctx, c)) }},
		{"make codes", func() error { return second(f.service.ReplaceRecoveryCodes(ctx, c)) }},
		{"use a code", func() error { return second(f.useCode(c, "0000-0000-0000-0000-0000-0000")) }},
		{"delete", func() error { return f.service.DeleteAccount(ctx, c) }},
		{"pass elsewhere", func() error {
			return second(f.service.Introspect(ctx, g.AccessToken))
		}},
	} {
		wantError(f.TB, test.what+" at level recovery", test.try(), stepkey.ErrUnauthorized)
	}
}

// wantWaits adds a passkey and expects that it works after the cool-off, and not before.
func (f *fixture) wantWaits(c stepkey.Caller) (added stepkey.Passkey) {
	f.Helper()
	device := authenticator.New(authenticator.Config{})
	added = f.register(c, device)
	until := f.clock.Now().Add(stepkey.RecoveryCoolOff)
	if added.UsableFrom == nil || !added.UsableFrom.Equal(until) {
		f.Fatalf("usable from %v, want %v", added.UsableFrom, until)
	}
	owner := f.logIn(c.Claims().Username)
	options, err := f.service.BeginStepUp(f.Context(), owner, nil)
	if err != nil {
		f.Fatal(err)
	}
	if n := len(options.AllowCredentials); n != 1 {
		f.Errorf("%d passkeys to choose from, want the one of before", n)
	}
	// A device that answers all the same gets nowhere.
	f.exec(`UPDATE passkeys SET usable_from = NULL WHERE id = $1`, added.ID)
	response := f.got(device, f.stepUpOptions(owner))
	f.exec(`UPDATE passkeys SET usable_from = $1 WHERE id = $2`, until, added.ID)
	wantError(f.TB, "a passkey that waits", second(f.service.FinishStepUp(f.Context(), owner, response)), stepkey.ErrVerificationFailed)
	f.exec(`DELETE FROM passkeys WHERE id <> $1`, added.ID)
	var waits *stepkey.PasskeyWaitsError
	if _, err := f.finishLogIn(f.got(device, f.logInOptions())); !errors.As(err, &waits) || !waits.Until.Equal(until) {
		f.Errorf("a sign-in with it alone: %v, want to wait until %s", err, until)
	}
	if _, err := f.service.BeginStepUp(f.Context(), owner, nil); !errors.As(err, &waits) || !waits.Until.Equal(until) {
		f.Errorf("with that one alone: %v, want to wait until %s", err, until)
	}
	f.clock.Advance(stepkey.RecoveryCoolOff)
	f.stepUp(f.logIn(c.Claims().Username), device)
	f.passkeyLogIn(device)
	return added
}

func TestOf50UsesOfACodeOneSucceeds(t *testing.T) {
	onBoth(t, func(f *fixture) {
		_, _, codes := f.withCodes("mira")
		claims := make([]stepkey.Caller, 5)
		for i := range claims {
			claims[i] = f.logIn("mira")
		}
		services := []*stepkey.Service{f.service, f.newService(f.config())}
		won := 0
		for _, err := range race(50, func(i int) error {
			_, _, err := services[i%2].UseRecoveryCode(f.Context(), claims[i%5], codes[i%3], stepkey.Client{})
			return err
		}) {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, stepkey.ErrUnauthorized) && !errors.Is(err, stepkey.ErrWrongRecoveryCode):
				f.Errorf("%v", err)
			}
		}
		if won != 1 {
			f.Errorf("%d of 50 succeeded, want 1", won)
		}
	})
}

func TestRecoveryCodeNeedsAFreshPassword(t *testing.T) {
	f := newFixture(t)
	_, _, codes := f.withCodes("mira")
	stale := f.logIn("mira")
	f.clock.Advance(stepkey.FirstPasskeyWindow + time.Second)
	wantError(t, "eleven minutes later", second(f.useCode(stale, codes[0])), stepkey.ErrReauthenticationRequired)
	f.recovered(f.logIn("mira"), codes[0])
}

func TestRecoveryCodesThatAreWrong(t *testing.T) {
	f := newFixture(t)
	full, _, old := f.withCodes("mira")
	codes := f.newCodes(full)
	_, _, others := f.withCodes("noor")
	claims := f.logIn("mira")
	for _, code := range []string{"", "0000", old[0], others[0], codes[0][:28], codes[0] + "0", strings.Repeat("z", 10_000), "é" + codes[0][1:]} {
		wantError(t, "code "+code[:min(len(code), 30)], second(f.useCode(claims, code)), stepkey.ErrWrongRecoveryCode)
	}
	wantError(t, "the ninth", second(f.useCode(claims, "u")), stepkey.ErrWrongRecoveryCode)
	wantError(t, "the tenth", second(f.useCode(claims, "u")), stepkey.ErrWrongRecoveryCode)
	var limited *stepkey.RateLimitedError
	if _, err := f.useCode(claims, codes[0]); !errors.As(err, &limited) {
		t.Errorf("the right one after ten others: %v, want to wait", err)
	}
	f.wantLeft("after all that", full, stepkey.RecoveryCodes)
	f.recovered(f.logIn("mira"), codes[0])
}

func TestRecoveryCodesGoWithTheirAccount(t *testing.T) {
	f := newFixture(t)
	full, _, codes := f.withCodes("mira")
	if err := f.service.DeleteAccount(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(stepkey.NameQuarantine + time.Second)
	f.sweep()
	f.signUp("mira")
	wantError(t, "a code of who had the name before", second(f.useCode(f.logIn("mira"), codes[0])), stepkey.ErrWrongRecoveryCode)
}

// A session at level recovery that was left open is not the way around the rule that
// adding a passkey to others takes one.
func TestRecoveryLastsAQuarterOfAnHour(t *testing.T) {
	f := newFixture(t)
	_, _, codes := f.withCodes("mira")
	c := f.recovered(f.logIn("mira"), codes[0])
	response := f.created(authenticator.New(authenticator.Config{}), f.registrationOptions(c))
	f.clock.Advance(stepkey.RecoveryLifetime)
	wantError(t, "begin", second(f.service.BeginRegistration(t.Context(), c)), stepkey.ErrUnauthorized)
	wantError(t, "finish", second(f.service.FinishRegistration(t.Context(), c, response, "")), stepkey.ErrUnauthorized)
}
