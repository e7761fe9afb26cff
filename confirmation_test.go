package stepkey_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

// requiringAddress has the fixture's service require confirmed addresses, and send mail to the box.
func (f *fixture) requiringAddress(change ...func(*stepkey.Config)) *mailbox {
	f.Helper()
	box := &mailbox{}
	c := f.config()
	c.RequireConfirmedAddress, c.Mailer = true, box
	for _, set := range change {
		set(&c)
	}
	f.service = f.newService(c)
	return box
}

func (f *fixture) signUpAt(name, address string) error {
	f.Helper()
	try := f.signUpOf(name, password)
	try.Email = address
	return second(f.service.SignUp(f.Context(), try))
}

func (f *fixture) logInAs(name, typed string) error {
	return second(f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: name, Password: typed, Client: f.stranger()}))
}

func (f *fixture) resend(name, typed, address string) error {
	return f.service.ResendConfirmation(f.Context(), stepkey.ConfirmationRequest{
		Username: name, Password: typed, Email: address, Client: f.stranger(),
	})
}

func TestSignInAfterConfirmation(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("from-before")
		box := f.requiringAddress()
		wantError(f, "a user from before", f.logInAs("from-before", password), nil)

		wantError(f, "no address", f.signUpAt("mira", ""), stepkey.ErrInvalidRequest)
		wantError(f, "no such address", f.signUpAt("mira", "mira"), stepkey.ErrEmailInvalid)
		f.noMail(box, "nobody signed up")
		wantError(f, "sign-up", f.signUpAt("mira", "mira@example.com"), nil)
		link := f.tokenIn(f.one(box, "mira@example.com", "Confirm"), stepkey.PathConfirmEmail)
		for range 2 * storage.FreeAttempts {
			// A right password counts as no failure.
			wantError(f, "unconfirmed", f.logInAs("mira", password), stepkey.ErrAddressUnconfirmed)
			f.clock.Advance(10 * time.Second)
		}
		wantError(f, "a wrong password", f.logInAs("mira", "not her password"), stepkey.ErrInvalidCredentials)
		if n := f.events(storage.EventSignedIn); n != 1 {
			f.Errorf("%d sign-ins are recorded, want that of the user from before", n)
		}
		wantError(f, "the link", f.service.ConfirmEmail(f.Context(), link, f.stranger()), nil)
		wantError(f, "confirmed", f.logInAs("mira", password), nil)
	})
}

func TestResendConfirmation(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("from-before")
		wantError(f, "off", f.resend("from-before", password, "sol@example.com"), stepkey.ErrConfirmationOff)
		box := f.requiringAddress()
		wantError(f, "sign-up", f.signUpAt("mira", "mria@example.com"), nil)
		mistyped := f.tokenIn(f.one(box, "mria@example.com", "Confirm"), stepkey.PathConfirmEmail)

		wantError(f, "a wrong password", f.resend("mira", "not her password", "thief@example.com"), stepkey.ErrInvalidCredentials)
		wantError(f, "nobody", f.resend("nobody", password, "thief@example.com"), stepkey.ErrInvalidCredentials)
		wantError(f, "no address", f.resend("mira", password, "mira"), stepkey.ErrEmailInvalid)
		wantError(f, "a user who does not wait", f.resend("from-before", password, "thief@example.com"), nil)
		f.noMail(box, "nothing to confirm")

		wantError(f, "corrected", f.resend("mira", password, "mira@example.com"), nil)
		link := f.tokenIn(f.one(box, "mira@example.com", "Confirm"), stepkey.PathConfirmEmail)
		wantError(f, "the mistyped one", f.service.ConfirmEmail(f.Context(), mistyped, f.stranger()), stepkey.ErrLinkExpired)
		wantError(f, "still unconfirmed", f.logInAs("mira", password), stepkey.ErrAddressUnconfirmed)
		wantError(f, "the link", f.service.ConfirmEmail(f.Context(), link, f.stranger()), nil)
		wantError(f, "confirmed", f.logInAs("mira", password), nil)

		wantError(f, "confirmed, with another address", f.resend("mira", password, "thief@example.com"), nil)
		for _, m := range f.received(box) {
			if m.To == "thief@example.com" {
				f.Errorf("the password alone sent %q to another address", m.Subject)
			}
		}
	})
}

// A mailbox gets no more mail from one account than with RequestEmail, and the count of wrong passwords is
// that of signing in.
func TestResendConfirmationIsLimited(t *testing.T) {
	f := newFixture(t)
	box := f.requiringAddress()
	wantError(t, "sign-up", f.signUpAt("mira", "mira@example.com"), nil)
	for range 2 {
		wantError(t, "again", f.resend("mira", password, "mira@example.com"), nil)
	}
	if err := f.resend("mira", password, "mira@example.com"); !limited(err) {
		t.Errorf("the fourth mail to one address: %v", err)
	}
	f.received(box)
	n := 0
	for n < 100 && !limited(f.resend("mira", "not her password", "mira@example.com")) {
		n++
	}
	if n != storage.FreeAttempts || !limited(f.logInAs("mira", password)) {
		t.Errorf("%d guesses were free, want %d", n, storage.FreeAttempts)
	}
}

// An invitation for an address has confirmed it; with any other one the guest names an address.
func TestConfirmationOfInvited(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.requiringAddress(func(c *stepkey.Config) { c.SignUp = stepkey.SignUpInvite })
		_, fixed := f.invite("mira@example.com")
		f.received(box)
		wantError(f, "for an address", second(f.signUpInvited("mira", fixed)), nil)
		wantError(f, "confirmed by the invitation", f.logInAs("mira", password), nil)
		f.received(box)

		_, open := f.invite("")
		wantError(f, "for no address", second(f.signUpInvited("noor", open)), stepkey.ErrInvalidRequest)
		try := f.signUpOf("noor", password)
		try.Invitation, try.Email = open, "noor@example.com"
		wantError(f, "with an address", second(f.service.SignUp(f.Context(), try)), nil)
		f.one(box, "noor@example.com", "Confirm")
		wantError(f, "unconfirmed", f.logInAs("noor", password), stepkey.ErrAddressUnconfirmed)
	})
}

// A passkey, which an operator's link has let a user add, signs in no sooner than the password.
func TestPasskeyOfUnconfirmed(t *testing.T) {
	onBoth(t, func(f *fixture) {
		_, device := f.enrolled("mira", authenticator.Config{})
		box := f.requiringAddress()
		f.exec(`UPDATE users SET awaits_address_since = created_at`)
		_, err := f.finishLogIn(f.got(device, f.logInOptions()))
		wantError(f, "unconfirmed", err, stepkey.ErrAddressUnconfirmed)
		wantError(f, "a link", f.resend("mira", password, "mira@example.com"), nil)
		link := f.tokenIn(f.one(box, "mira@example.com", "Confirm"), stepkey.PathConfirmEmail)
		wantError(f, "the link", f.service.ConfirmEmail(f.Context(), link, f.stranger()), nil)
		f.passkeyLogIn(device)
	})
}

// An account that nobody confirmed gives its name back after a week, with the counts of attempts at it.
func TestUnconfirmedNameIsFreeAgain(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.requiringAddress()
		wantError(f, "sign-up", f.signUpAt("mira", "squatter@example.com"), nil)
		wantError(f, "a guess", f.logInAs("mira", "not the password"), stepkey.ErrInvalidCredentials)
		f.clock.Advance(storage.KeepUnconfirmedUsers - time.Second)
		f.sweep()
		wantError(f, "within the week", f.signUpAt("mira", "mira@example.com"), stepkey.ErrUsernameTaken)
		f.clock.Advance(time.Second)
		f.sweep()
		wantError(f, "after a week", f.signUpAt("mira", "mira@example.com"), nil)
		f.clock.Advance(31 * 24 * time.Hour)
		f.sweep()
		if dump := f.dump("login_attempts"); dump != "" {
			f.Errorf("attempts are still counted: %s", dump)
		}
	})
}

// Without the setting, users who were asked for an address sign in, and are kept.
func TestConfirmationIsSwitchedOff(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.requiringAddress()
		wantError(f, "sign-up", f.signUpAt("mira", "mira@example.com"), nil)
		f.received(box)
		f.service = f.newService(f.config())
		wantError(f, "off", f.logInAs("mira", password), nil)
		f.clock.Advance(2 * storage.KeepUnconfirmedUsers)
		f.sweep()
		wantError(f, "kept", f.logInAs("mira", password), nil)
		wantError(f, "an address that nobody asked for", f.signUpAt("noor", "noor@example.com"), nil)
		f.noMail(box, "off")
	})
}

func TestConfirmationNeedsMail(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	c.RequireConfirmedAddress, c.Mailer = true, nil
	if _, err := stepkey.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), "Config.Mailer") {
		t.Errorf("without a Mailer: %v", err)
	}
}
