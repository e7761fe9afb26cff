package stepkey_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// resetMira is somebody without a passkey whose password was just reset by mail.
func (f *fixture) resetMira(box *mailbox) {
	f.Helper()
	f.withEmail(box, "mira", miras)
	f.resetAgain(box, another)
}

func (f *fixture) resetAgain(box *mailbox, newPassword string) {
	f.Helper()
	if err := f.reset(f.resetLink(box, "mira", miras), newPassword); err != nil {
		f.Fatal(err)
	}
	f.received(box)
}

func (f *fixture) logInWith(name, typed string) stepkey.Caller {
	f.Helper()
	g, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: name, Password: typed, Client: f.stranger()})
	if err != nil {
		f.Fatal(err)
	}
	return g.Caller()
}

func (f *fixture) accountChanges(box *mailbox) map[string]func(stepkey.Caller) error {
	return map[string]func(stepkey.Caller) error{
		"change the address": func(c stepkey.Caller) error {
			return f.service.RequestEmail(f.Context(), c, "new@example.com", f.stranger())
		},
		"remove the address": func(c stepkey.Caller) error { return f.service.RemoveEmail(f.Context(), c) },
		"delete the account": func(c stepkey.Caller) error { return f.service.DeleteAccount(f.Context(), c) },
	}
}

func wantTooRecent(t testing.TB, what string, err error, until time.Time) {
	t.Helper()
	var recent *stepkey.ResetTooRecentError
	if !errors.As(err, &recent) || !recent.Until.Equal(until) {
		t.Errorf("%s: %v, want too recent until %s", what, err, until)
	}
}

// The way from the mailbox to level full leads through a wait of which the owner is told.
func TestFirstPasskeyAfterAResetWaits(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.resetMira(box)
		claims, device := f.logInWith("mira", another), authenticator.New(authenticator.Config{})
		added := f.register(claims, device)
		if n := f.events(storage.EventSteppedUp); n != 0 {
			f.Error("a passkey that waits moved the session to level full")
		}
		until := f.clock.Now().Add(stepkey.RecoveryCoolOff)
		if added.UsableFrom == nil || !added.UsableFrom.Equal(until) {
			f.Fatalf("usable from %v, want %s", added.UsableFrom, until)
		}
		told := f.one(box, miras, "A passkey was added")
		if !strings.Contains(told.Text, "It works from "+until.Format("2 January 2006, 15:04")) {
			f.Errorf("the notice does not say from when:\n%s", told.Text)
		}
		var waits *stepkey.PasskeyWaitsError
		if _, err := f.service.BeginStepUp(f.Context(), claims, nil); !errors.As(err, &waits) {
			f.Errorf("step-up: %v, want that it waits", err)
		}
		wantStepUp(f.TB, "a second passkey", second(f.service.BeginRegistration(f.Context(), claims)))

		f.clock.Advance(stepkey.RecoveryCoolOff)
		if full := f.stepUp(f.logInWith("mira", another), device); full.Claims().Level != token.LevelFull {
			f.Errorf("after the wait: level %s", full.Claims().Level)
		}
		if u, err := f.store.UserByName(f.Context(), "mira"); err != nil || u.PasswordByMail || u.PasswordByMailAt != nil {
			f.Errorf("a verified passkey leaves the password set by mail: %+v, %v", u, err)
		}
	})
}

func TestOwnerTakesTheWaitingPasskeyAway(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.resetMira(box)
	claims := f.logInWith("mira", another)
	f.register(claims, authenticator.New(authenticator.Config{}))
	link := f.tokenIn(f.one(box, miras, "A passkey was added"), stepkey.PathNotMe)
	if err := f.service.Freeze(t.Context(), link, f.stranger()); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := f.sql.QueryRowContext(t.Context(), `SELECT count(*) FROM passkeys`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d passkeys are left, %v", n, err)
	}
}

// Until the cool-off has passed, neither the address nor the account goes.
func TestAccountThatRestsOnItsMailbox(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.resetMira(box)
		until := f.clock.Now().Add(stepkey.RecoveryCoolOff)
		refused := func(what, typed string) {
			f.Helper()
			for name, change := range f.accountChanges(box) {
				wantTooRecent(f.TB, what+": "+name, change(f.logInWith("mira", typed)), until)
			}
			f.noMail(box, what)
		}
		refused("after the reset", another)

		claims, current := f.logInWith("mira", another), another
		_, err := f.service.ChangePassword(f.Context(), claims, stepkey.ChangePasswordRequest{Current: &current, New: password})
		if err != nil {
			f.Fatal(err)
		}
		f.received(box)
		refused("after another change", password)

		f.clock.Advance(until.Sub(f.clock.Now()) - time.Microsecond)
		refused("at the end", password)
		f.register(f.logInWith("mira", password), authenticator.New(authenticator.Config{}))
		f.received(box)
		refused("with a passkey that waits", password)
		f.exec(`DELETE FROM passkeys`)

		f.clock.Advance(time.Microsecond)
		// However long ago the reset was, a first passkey gives the owner time to object.
		added := f.register(f.logInWith("mira", password), authenticator.New(authenticator.Config{}))
		if want := f.clock.Now().Add(stepkey.RecoveryCoolOff); added.UsableFrom == nil || !added.UsableFrom.Equal(want) {
			f.Errorf("a passkey after the cool-off works from %v, want %s", added.UsableFrom, want)
		}
		f.exec(`DELETE FROM passkeys`)
		for _, name := range []string{"change the address", "remove the address", "delete the account"} {
			wantError(f.TB, name+", after the cool-off", f.accountChanges(box)[name](f.logInWith("mira", password)), nil)
		}
	})
}

func TestEachResetBeginsACoolOff(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.resetMira(box)
	f.clock.Advance(stepkey.RecoveryCoolOff)
	f.resetAgain(box, password)
	claims := f.logInWith("mira", password)
	wantTooRecent(t, "after the second", f.service.RemoveEmail(t.Context(), claims), f.clock.Now().Add(stepkey.RecoveryCoolOff))
}

// With a passkey that works, the passkey is asked for, and the mailbox adds nothing to it.
func TestResetWithAPasskeyAsksForThePasskey(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", miras)
	device := authenticator.New(authenticator.Config{})
	f.register(p.claims, device)
	f.received(box)
	f.resetAgain(box, another)
	for name, change := range f.accountChanges(box) {
		wantStepUp(t, name, change(f.logInWith("mira", another)))
	}
	added := f.register(f.stepUp(f.logInWith("mira", another), device), authenticator.New(authenticator.Config{}))
	if added.UsableFrom != nil {
		t.Error("a further passkey waits")
	}
}

// An address that somebody asked for with the password alone is not confirmed once the
// account has a passkey.
func TestFirstPasskeyVoidsThePendingAddress(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.signUp("mira")
		thief := &person{"mira", f.logIn("mira")}
		if err := f.requestEmail(thief, "thief@example.com"); err != nil {
			f.Fatal(err)
		}
		link := f.tokenIn(f.one(box, "thief@example.com", "Confirm"), stepkey.PathConfirmEmail)
		if err := f.requestEmail(thief, "second@example.com"); err != nil {
			f.Fatal(err)
		}
		owner, device := f.logIn("mira"), authenticator.New(authenticator.Config{})
		f.register(owner, device)
		f.noMail(box, "a link that waits to be sent to a void address")
		wantError(f.TB, "confirm", f.service.ConfirmEmail(f.Context(), link, f.stranger()), stepkey.ErrLinkExpired)
		f.wantEmail("with a passkey", owner, stepkey.EmailState{})

		owner = f.stepUp(owner, device)
		p := &person{"mira", owner}
		if err := f.requestEmail(p, miras); err != nil {
			f.Fatal(err)
		}
		link = f.tokenIn(f.one(box, miras, "Confirm"), stepkey.PathConfirmEmail)
		f.register(owner, authenticator.New(authenticator.Config{}))
		wantError(f.TB, "asked for with the passkey", f.service.ConfirmEmail(f.Context(), link, f.stranger()), nil)
	})
}

// Either the address is confirmed before the first passkey is there, or not at all.
func TestFirstPasskeyRacesWithThePendingAddress(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.signUp("mira")
		claims, device := f.logIn("mira"), authenticator.New(authenticator.Config{})
		if err := f.requestEmail(&person{"mira", claims}, miras); err != nil {
			f.Fatal(err)
		}
		link := f.tokenIn(f.one(box, miras, "Confirm"), stepkey.PathConfirmEmail)
		response := f.created(device, f.registrationOptions(claims))
		errs := race(2, func(i int) error {
			if i == 0 {
				return second(f.service.FinishRegistration(f.Context(), claims, response, ""))
			}
			return f.service.ConfirmEmail(f.Context(), link, f.stranger())
		})
		if errs[0] != nil {
			f.Errorf("the passkey: %v", errs[0])
		}
		if errs[1] != nil && !errors.Is(errs[1], stepkey.ErrLinkExpired) {
			f.Errorf("the address: %v", errs[1])
		}
	})
}

// Links sent to the previous address are void, and mails with links that are still pending are not sent to it.
func TestChangeOfAddressVoidsWhatWasSent(t *testing.T) {
	changes := map[string]func(f *fixture, box *mailbox, p *person) error{
		"changed": func(f *fixture, box *mailbox, p *person) error {
			f.confirmEmail(box, p, "new@example.com")
			return nil
		},
		"removed": func(f *fixture, box *mailbox, p *person) error { return f.service.RemoveEmail(f.Context(), p.claims) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(f *fixture) {
				box := f.withMail()
				p := f.withEmail(box, "mira", miras)
				link := f.resetLink(box, "mira", miras)
				p.claims = f.logIn("mira")
				if _, _, err := f.service.RecoverByMail(f.Context(), p.claims, f.stranger()); err != nil {
					f.Fatal(err)
				}
				notice := f.tokenIn(f.one(box, miras, "Someone is recovering"), stepkey.PathNotMe)
				if err := change(f, box, p); err != nil {
					f.Fatal(err)
				}
				f.exec(`UPDATE emails SET address = $1`, miras) // and back again
				wantError(f.TB, "the link for a new password", f.reset(link, another), stepkey.ErrLinkExpired)
				if state, err := f.service.Recovery(f.Context(), p.claims); err != nil || state.Pending != nil {
					f.Errorf("the recovery goes on: %+v, %v", state, err)
				}
				f.received(box)
				f.clock.Advance(stepkey.RecoveryWait)
				f.noMail(box, "notices of a recovery that was stopped")
				wantError(f.TB, "the link of a notice", f.service.Freeze(f.Context(), notice, f.stranger()), nil)
			})
		})
	}
}

// A reset that waits in the outbox is for whatever address the account has when it is sent.
func TestResetIsNotSentToTheAddressOfBefore(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", miras)
	f.clock.Advance(time.Hour)
	p.claims = f.logIn("mira")
	if err := f.requestEmail(p, "new@example.com"); err != nil {
		t.Fatal(err)
	}
	confirm := f.tokenIn(f.one(box, "new@example.com", "Confirm"), stepkey.PathConfirmEmail)
	if err := f.service.RequestPasswordReset(t.Context(), stepkey.ResetRequest{Username: "mira", Client: f.stranger()}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.service.DeliverMail(t.Context()); err != nil { // finds the account, and queues the link
		t.Fatal(err)
	}
	if err := f.service.ConfirmEmail(t.Context(), confirm, f.stranger()); err != nil {
		t.Fatal(err)
	}
	for _, m := range f.received(box) {
		if strings.Contains(m.Subject, "Set a new password") {
			t.Errorf("a link for a new password to %s", m.To)
		}
	}
}

// An owner who is back has the account as it was: an address that somebody asked for with
// the password is not confirmed any more.
func TestRecoveryVoidsThePendingAddress(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.signUp("mira")
	if err := f.requestEmail(&person{"mira", f.logIn("mira")}, "thief@example.com"); err != nil {
		t.Fatal(err)
	}
	link := f.tokenIn(f.one(box, "thief@example.com", "Confirm"), stepkey.PathConfirmEmail)
	if _, err := f.service.RecoverByLink(t.Context(), f.operatorsLink(time.Hour), f.stranger()); err != nil {
		t.Fatal(err)
	}
	wantError(t, "confirm", f.service.ConfirmEmail(t.Context(), link, f.stranger()), stepkey.ErrLinkExpired)
}
