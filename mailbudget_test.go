package stepkey_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

// waitingMails counts the rows of the outbox.
func (f *fixture) waitingMails() (n int) {
	f.Helper()
	if err := f.sql.QueryRowContext(f.Context(), `SELECT count(*) FROM outbox`).Scan(&n); err != nil {
		f.Fatal(err)
	}
	return n
}

// limitedOrNot counts what succeeded, and fails the test for any error but a
// RateLimitedError.
func limitedOrNot(t testing.TB, results []error) (succeeded int) {
	t.Helper()
	for _, err := range results {
		var limited *stepkey.RateLimitedError
		switch {
		case err == nil:
			succeeded++
		case !errors.As(err, &limited):
			t.Errorf("%v, want a RateLimitedError", err)
		}
	}
	return succeeded
}

// An account that replaces its codes as fast as it can gets a few new sets and one mail.
func TestRecoveryCodesInALoop(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		claims, device := f.enrolled("mallory", authenticator.Config{})
		full := f.stepUp(claims, device)
		f.confirmEmail(box, &person{"mallory", full}, "mallory@example.com")
		var last atomic.Pointer[[]string]
		replace := func(int) error {
			codes, err := f.service.ReplaceRecoveryCodes(f.Context(), full)
			if err == nil {
				last.Store(&codes)
			}
			return err
		}
		if n := limitedOrNot(f, race(60, replace)); n != 7 {
			f.Errorf("%d of 60 sets were made, want 7", n)
		}
		if n := f.waitingMails(); n != 1 {
			f.Errorf("%d mails wait, want 1", n)
		}
		if n := f.events(storage.EventRecoveryCodesReplaced); n != 7 {
			f.Errorf("%d replacements are recorded, want 7", n)
		}
		m := f.one(box, "mallory@example.com", "recovery codes")
		for _, text := range []string{m.Text, m.HTML} {
			if !strings.Contains(text, "7 times") {
				f.Errorf("it does not say how often:\n%s", text)
			}
		}

		// A session of another device has the same budget, and what was refused changed nothing.
		again := f.stepUp(f.logIn("mallory"), device)
		_, err := f.service.ReplaceRecoveryCodes(f.Context(), again)
		wantLimited(f, "in another session", err, 16*time.Minute)
		f.wantLeft("after refusals", again, stepkey.RecoveryCodes)

		// Other defences have budgets of their own.
		if _, err := f.service.DeletePasskey(f.Context(), again, f.passkeys(again).Passkeys[0].ID, true); err != nil {
			f.Errorf("removing a passkey: %v", err)
		}
	})
}

// Anonymous requests for a new password, of an address or a name, use up nothing that its
// owner needs, and the other way round.
func TestBudgetsAreSeparate(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		owner := f.withEmail(box, "mira", "old@example.com")
		home := from("192.0.2.7") // an attacker behind the owner's own address
		for _, r := range []stepkey.ResetRequest{{Email: "mira@example.com"}, {Email: "old@example.com"}, {Username: "mira"}} {
			for range 3 {
				r.Client = f.stranger()
				wantError(f, "a reset", f.service.RequestPasswordReset(f.Context(), r), nil)
			}
			wantLimited(f, "one more", f.service.RequestPasswordReset(f.Context(), r), 61*time.Minute)
		}
		for i := range 7 {
			r := stepkey.ResetRequest{Username: fmt.Sprint("nobody", i), Client: home}
			wantError(f, "a reset from the owner's address", f.service.RequestPasswordReset(f.Context(), r), nil)
		}
		wantLimited(f, "an eighth", f.service.RequestPasswordReset(f.Context(), stepkey.ResetRequest{Username: "another", Client: home}), 16*time.Minute)
		f.received(box)

		wantError(f, "to confirm the address", f.service.RequestEmail(f.Context(), owner.claims, "mira@example.com", home), nil)
		link := f.tokenIn(f.one(box, "mira@example.com", "Confirm"), stepkey.PathConfirmEmail)
		wantError(f, "the link", f.service.ConfirmEmail(f.Context(), link, home), nil)
		if mails := f.received(box); len(mails) != 2 {
			f.Errorf("%d notices of the change, want both addresses to be told", len(mails))
		}
		if _, _, err := f.service.RecoverByMail(f.Context(), owner.claims, home); err != nil {
			f.Errorf("recovery by e-mail: %v", err)
		}
		f.one(box, "mira@example.com", "")

		// Another account that asks for links to the address keeps its owner from nothing.
		f.signUp("noor")
		other := &person{"noor", f.logIn("noor")}
		wantError(f, "to confirm", f.requestEmail(other, "sol@example.com"), nil)
		for limited := false; !limited; {
			limited = f.requestEmail(owner, "sol@example.com") != nil
		}
		wantError(f, "another account", f.requestEmail(other, "sol@example.com"), nil)
		wantError(f, "a reset", f.service.RequestPasswordReset(f.Context(),
			stepkey.ResetRequest{Email: "sol@example.com", Client: f.stranger()}), nil)
	})
}

// Somebody with the password alone uses up nothing that the owner does with a passkey.
func TestPasswordAloneDoesNotUseUpTheOwnersBudget(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	claims, device := f.enrolled("mira", authenticator.Config{})
	f.confirmEmail(box, &person{"mira", f.stepUp(claims, device)}, "mira@example.com")
	thief := f.logIn("mira")
	begin := func() error {
		return second2(f.service.RecoverByMail(t.Context(), thief, f.stranger()))
	}
	for i := 0; ; i++ {
		if err := begin(); err != nil {
			wantLimited(t, "to begin once more", err, 16*time.Minute)
			if i != 7 {
				t.Errorf("%d recoveries were begun, want 7", i)
			}
			break
		}
		wantStepUp(t, "to cancel", f.service.CancelRecovery(t.Context(), thief))
		f.stepUp(claims, device) // which cancels it
	}
	// Calls that a thief may not make charge nothing.
	for range 50 {
		_, err := f.service.DeletePasskey(t.Context(), thief, uuid.New(), true)
		wantStepUp(t, "to remove a passkey", err)
		wantStepUp(t, "to remove the address", f.service.RemoveEmail(t.Context(), thief))
		wantStepUp(t, "to make codes", second(f.service.ReplaceRecoveryCodes(t.Context(), thief)))
		wantStepUp(t, "to change the password", second(f.changePassword(thief, password, "another good password")))
	}
	owner := f.stepUp(f.logIn("mira"), device)
	wantError(t, "the owner begins", second2(f.service.RecoverByMail(t.Context(), owner, f.stranger())), nil)
	wantError(t, "the owner cancels", f.service.CancelRecovery(t.Context(), owner), nil)
	f.newCodes(owner)
	wantError(t, "the owner's password", second(f.changePassword(owner, password, "another good password")), nil)
}

func second2[A, B any](_ A, _ B, err error) error { return err }

// A person adds all the passkeys there may be and removes them again, in one session.
func TestPeopleDoNotMeetThePasskeyBudget(t *testing.T) {
	f := newFixture(t)
	claims, device := f.enrolled("mira", authenticator.Config{})
	c := f.stepUp(claims, device)
	f.clock.Advance(time.Second) // passkeys are listed by age, and this one stays
	for range stepkey.MaxPasskeys - 1 {
		f.register(c, authenticator.New(authenticator.Config{}))
	}
	for _, p := range f.passkeys(c).Passkeys[1:] {
		if _, err := f.service.DeletePasskey(t.Context(), c, p.ID, false); err != nil {
			t.Fatal(err)
		}
	}
	f.newCodes(c)
	wantError(t, "the password", second(f.changePassword(c, password, "another good password")), nil)

	f.clock.Advance(6 * time.Minute)
	c = f.stepUp(c, device)
	add := func() error {
		response := f.created(authenticator.New(authenticator.Config{}), f.registrationOptions(c))
		return second(f.service.FinishRegistration(t.Context(), c, response, ""))
	}
	for range 8 { // 45, less 38, plus the one of six minutes
		wantError(t, "to add one more", add(), nil)
	}
	wantLimited(t, "the 47th change", add(), 2*time.Minute)
	_, err := f.service.DeletePasskey(t.Context(), c, f.passkeys(c).Passkeys[1].ID, false)
	wantLimited(t, "the 47th change", err, 2*time.Minute)
	if n := len(f.passkeys(c).Passkeys); n != 9 {
		t.Errorf("%d passkeys after refusals, want 9", n)
	}
}

// Each notice of a frozen account carries a link that freezes it. Following one after the
// other always works, and is not told for ever.
func TestFreezingIsToldAFewTimes(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", "mira@example.com")
	if err := f.service.RemoveEmail(t.Context(), p.claims); err != nil {
		t.Fatal(err)
	}
	link := f.tokenIn(f.one(box, "mira@example.com", "removed"), stepkey.PathNotMe)
	p.claims = f.logIn("mira")
	f.confirmEmail(box, p, "mira@example.com")
	told := 0
	for told < 20 {
		if err := f.service.Freeze(t.Context(), link, f.stranger()); err != nil {
			t.Fatal(err)
		}
		mails := f.received(box)
		if len(mails) == 0 {
			break
		}
		told++
		link = f.tokenIn(mails[0], stepkey.PathNotMe)
	}
	if told != 7 || f.events(storage.EventAccountFrozen) != 8 {
		t.Errorf("told %d times of %d, want 7 of 8", told, f.events(storage.EventAccountFrozen))
	}
}

// Every reused token ends its session. The mails about it are few, and a token of a
// session that has ended uses none of them up.
func TestReuseIsToldAFewTimes(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", "mira@example.com")
	told := 0
	for range 12 {
		g := f.logInForRefresh("mira")
		f.refresh(f.refresh(g.RefreshToken).RefreshToken)
		for range 20 {
			f.wantRefused("an old token", g.RefreshToken)
		}
		if ended, err := f.service.Ended(g.Claims); !ended || err != nil {
			t.Errorf("Ended: %v, %v", ended, err)
		}
		told += len(f.received(box))
	}
	if told != 7 || f.events(storage.EventRefreshReused) != 12 {
		t.Errorf("told %d times of %d, want 7 of 12", told, f.events(storage.EventRefreshReused))
	}
}

// Of the links of one purpose the newest is sent, whatever address it is for.
func TestNewerLinkTakesThePlaceOfTheMailBefore(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		p := f.withEmail(box, "mira", "mira@example.com")
		for _, address := range []string{"a@example.com", "b@example.com", "b@example.com"} {
			wantError(f, address, f.requestEmail(p, address), nil)
		}
		link := f.tokenIn(f.one(box, "b@example.com", "Confirm"), stepkey.PathConfirmEmail)
		wantError(f, "the newest link", f.service.ConfirmEmail(f.Context(), link, f.stranger()), nil)
	})
}

// The eighth change of a kind at once is refused and changes nothing.
func TestEachChangeIsLimited(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		claims, device := f.enrolled("mira", authenticator.Config{})
		p := &person{"mira", f.stepUp(claims, device)}
		f.confirmEmail(box, p, "mira@example.com")

		for range 7 {
			wantError(f, "to remove the address", f.service.RemoveEmail(f.Context(), p.claims), nil)
		}
		f.received(box)
		f.confirmEmail(box, p, "mira@example.com")
		wantLimited(f, "to remove it again", f.service.RemoveEmail(f.Context(), p.claims), 16*time.Minute)
		f.wantEmail("after the refusal", p.claims, stepkey.EmailState{Address: "mira@example.com"})

		begin := func(by *person) {
			f.Helper()
			wantError(f, "to begin a recovery", second2(f.service.RecoverByMail(f.Context(), by.claims, f.stranger())), nil)
		}
		low := &person{"mira", f.logIn("mira")}
		for range 7 {
			begin(low)
			wantError(f, "to cancel it", f.service.CancelRecovery(f.Context(), p.claims), nil)
		}
		begin(p)
		wantLimited(f, "to cancel the eighth", f.service.CancelRecovery(f.Context(), p.claims), 16*time.Minute)
		if state, err := f.service.Recovery(f.Context(), p.claims); err != nil || state.Pending == nil {
			f.Errorf("after the refusal %+v waits, %v", state.Pending, err)
		}

		now := password
		for i := range 7 {
			next := fmt.Sprintf("another good password %d", i)
			g, err := f.changePassword(p.claims, now, next)
			if err != nil {
				f.Fatal(err)
			}
			p.claims, now = g.Caller(), next
		}
		wantLimited(f, "an eighth password", second(f.changePassword(p.claims, now, "one good password more")), 16*time.Minute)
		wantError(f, "the password after the refusal", f.tryLogIn("mira", now), nil)
	})
}
