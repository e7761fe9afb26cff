package stepkey_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

var (
	home = stepkey.Client{Device: "Firefox on Linux", Network: "203.0.113.0/24"}
	away = stepkey.Client{Device: "Chrome on Android", Network: "198.51.100.0/24"}
)

// story returns the events of the caller, the newest first.
func (f *fixture) story(c stepkey.Caller) []stepkey.Event {
	f.Helper()
	events, _, err := f.service.Events(f.Context(), c, nil, stepkey.MaxEvents)
	if err != nil {
		f.Fatal(err)
	}
	return events
}

func (f *fixture) newest(c stepkey.Caller, kind stepkey.EventKind) stepkey.Event {
	f.Helper()
	events := f.story(c)
	i := slices.IndexFunc(events, func(e stepkey.Event) bool { return e.Kind == kind })
	if i < 0 {
		f.Fatalf("no %s in %+v", kind, events)
	}
	return events[i]
}

func (f *fixture) disown(c stepkey.Caller, e stepkey.Event, want stepkey.Disowned) {
	f.Helper()
	got, err := f.service.Disown(f.Context(), c, e.ID, home)
	if err != nil || got != want {
		f.Errorf("disown %s: %+v, %v; want %+v", e.Kind, got, err, want)
	}
}

func TestEventsSayWhereAndWithWhich(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, device := f.enrolled("mira", authenticator.Config{})
		f.clock.Advance(time.Minute) // since the registration, which verified it first
		ctx := stepkey.WithClient(f.Context(), away)
		full, err := f.service.FinishStepUp(ctx, claims, f.got(device, f.stepUpOptions(claims)))
		if err != nil {
			f.Fatal(err)
		}
		c := full.Caller()
		old := f.passkeys(c)
		if old.UsedHere != old.Passkeys[0].ID {
			f.Errorf("used here: %s, want %s", old.UsedHere, old.Passkeys[0].ID)
		}
		if other := f.passkeys(f.logIn("mira")); other.UsedHere != uuid.Nil {
			f.Errorf("used in a browser without: %s", other.UsedHere)
		}
		if _, _, err := f.service.RenamePasskey(ctx, c, old.Passkeys[0].ID, "Blue key"); err != nil {
			f.Fatal(err)
		}
		for _, test := range []struct {
			kind stepkey.EventKind
			name string
		}{{storage.EventSteppedUp, old.Passkeys[0].Name}, {storage.EventPasskeyRenamed, "Blue key"}} {
			e := f.newest(c, test.kind)
			if e.Device != away.Device || e.Network != away.Network || e.PasskeyName != test.name {
				f.Errorf("%s: %+v, want %s with %s", test.kind, e, away.Device, test.name)
			}
		}
		if _, err := f.service.DeletePasskey(ctx, c, old.Passkeys[0].ID, true); err != nil {
			f.Fatal(err)
		}
		if e := f.newest(f.logIn("mira"), storage.EventPasskeyRemoved); e.PasskeyName != "Blue key" {
			f.Errorf("removed: %+v", e)
		}
	})
}

func TestFailedAttemptsAreOneEvent(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		c := f.logIn("mira")
		guess := func(name string) {
			f.Helper()
			wantError(f.TB, "guess", second(f.service.LogIn(f.Context(), stepkey.LogInRequest{
				Username: name, Password: wrong, Client: away,
			})), stepkey.ErrInvalidCredentials)
		}
		for range storage.FreeAttempts - 1 {
			guess("mira")
			guess("nobody")
		}
		if n := f.events(storage.EventPasswordRefused); n != 0 {
			f.Errorf("%d written within the login", n)
		}
		if e := f.newest(c, storage.EventPasswordRefused); e.Reason != "" || e.Times != storage.FreeAttempts-1 {
			f.Errorf("before the lock-out: %+v", e)
		}
		guess("mira")
		f.clock.Advance(time.Minute)
		guess("mira")
		e := f.newest(c, storage.EventPasswordRefused)
		if e.Times != storage.FreeAttempts+1 || e.Reason != "locked_out" || e.Device != away.Device || e.Network != away.Network {
			f.Errorf("%+v", e)
		}
		if e.At.Sub(e.Since) != time.Minute {
			f.Errorf("since %s, at %s", e.Since, e.At)
		}
		f.clock.Advance(time.Second)
		wantError(f.TB, "in a session", second(f.changePassword(c, wrong, another)), stepkey.ErrWrongPassword)
		if e := f.newest(c, storage.EventPasswordRefused); e.Times != 1 || e.SessionID.String() != c.Claims().SessionID {
			f.Errorf("in a session: %+v", e)
		}
		if n := f.events(storage.EventPasswordRefused); n != 2 {
			f.Errorf("%d entries, want 2: one of the account, one of the session, none of nobody's", n)
		}
		for _, code := range []string{"no code", strings.Repeat("0", 24)} {
			wantError(f.TB, "a wrong code", second(f.useCode(c, code)), stepkey.ErrWrongRecoveryCode)
		}
		if e := f.newest(c, storage.EventRecoveryCodeRefused); e.Times != 2 {
			f.Errorf("codes: %+v", e)
		}
	})
}

func TestDisown(t *testing.T) {
	onBoth(t, func(f *fixture) {
		claims, device := f.enrolled("mira", authenticator.Config{})
		c := f.stepUp(claims, device)
		f.guesses("mira", 1)
		f.disown(c, f.newest(c, storage.EventPasswordRefused), stepkey.Disowned{})

		foreign := authenticator.New(authenticator.Config{})
		f.register(c, foreign)
		f.clock.Advance(time.Second)
		f.passkeyLogIn(foreign)
		c = f.stepUp(claims, device)
		e := f.newest(c, storage.EventSignedIn)
		f.disown(c, e, stepkey.Disowned{SessionsEnded: 1, PasskeyDeleted: true, PasswordStopped: true, NewPassword: true})
		if left := f.passkeys(c); len(left.Passkeys) != 1 {
			f.Errorf("%d passkeys left, want the own one", len(left.Passkeys))
		}
		wantError(f.TB, "the password", f.tryLogIn("mira", password), stepkey.ErrInvalidCredentials)
		if e := f.newest(c, storage.EventAccountFrozen); e.SessionID.String() != c.Claims().SessionID {
			f.Errorf("%+v", e)
		}
		if _, err := f.service.ChangePassword(f.Context(), c, stepkey.ChangePasswordRequest{New: another}); err != nil {
			f.Fatal(err)
		}
		f.clock.Advance(time.Second)
		c = f.stepUp(claims, device)
		f.disown(c, f.newest(c, storage.EventSteppedUp), stepkey.Disowned{PasswordStopped: true, NewPassword: true})
		if left := f.passkeys(c); len(left.Passkeys) != 1 {
			f.Error("the passkey of the own session was deleted")
		}

		f.signUp("noor")
		wantError(f.TB, "somebody else's event", second(f.service.Disown(f.Context(), f.logIn("noor"), e.ID, home)), stepkey.ErrNotFound)
	})
}

// Somebody who knows the password of an account without a passkey cannot shut its owner out.
func TestDisownWithoutAPasskeyEndsSessionsOnly(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.withEmail(box, "mira", miras)
		link := f.resetLink(box, "mira", miras)
		owner := f.logIn("mira")
		f.clock.Advance(time.Second)
		thief := f.logIn("mira")
		f.disown(thief, f.newest(thief, storage.EventResetRequested), stepkey.Disowned{})
		f.disown(thief, f.newest(thief, storage.EventSignedIn), stepkey.Disowned{SessionsEnded: 1, NewPassword: true})
		wantError(f.TB, "the other session", second(f.service.Passkeys(f.Context(), owner)), stepkey.ErrUnauthorized)
		wantError(f.TB, "the password", f.tryLogIn("mira", password), nil)
		wantError(f.TB, "the link", f.reset(link, another), nil)
	})
}
