package stepkey_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

// logInOn signs in with a refresh token on a device that notices name.
func (f *fixture) logInOn(name, device string) stepkey.Grant {
	f.Helper()
	g, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{
		Username: name, Password: password, Refresh: stepkey.RefreshBody,
		Client: stepkey.Client{Device: device, Network: "203.0.113.0/24"},
	})
	if err != nil {
		f.Fatal(err)
	}
	return g
}

// wantNotice is for the only mail that has come: it names account, device, network and
// time, and has a way out.
func (f *fixture) wantNotice(box *mailbox, subject string) stepkey.Mail {
	f.Helper()
	at := f.clock.Now().UTC().Format("2 January 2006, 15:04 UTC")
	m := f.one(box, "mira@example.com", subject)
	for _, wanted := range []string{"“mira”", "Firefox on Linux", "203.0.113.0/24", at} {
		if !strings.Contains(m.Text, wanted) || !strings.Contains(m.HTML, wanted) {
			f.Errorf("%s: no %q in\n%s", subject, wanted, m.Text)
		}
	}
	f.tokenIn(m, stepkey.PathNotMe)
	return m
}

func (f *fixture) failStepUp(c stepkey.Caller, device *authenticator.Authenticator) {
	f.Helper()
	response := f.got(device, f.stepUpOptions(c))
	response.Response.Signature[8] ^= 1
	_, err := f.service.FinishStepUp(f.Context(), c, response)
	wantError(f.TB, "a bad signature", err, stepkey.ErrVerificationFailed)
}

func TestNotices(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.withEmail(box, "mira", "mira@example.com")
		g := f.logInOn("mira", "Firefox on Linux")
		device := authenticator.New(authenticator.Config{})
		response := f.created(device, f.registrationOptions(g.Caller()))
		// A name that somebody typed is nothing for a mail that people trust.
		if _, err := f.service.FinishRegistration(f.Context(), g.Caller(), response, "call us at once"); err != nil {
			f.Fatal(err)
		}
		if m := f.wantNotice(box, "A passkey was added"); strings.Contains(m.Text+m.HTML, "call us") {
			f.Errorf("it says what somebody typed:\n%s", m.Text)
		}

		g = f.logInOn("mira", "Firefox on Linux")
		f.failStepUp(g.Caller(), device)
		f.wantNotice(box, "A sign-in stopped at your passkey")
		f.failStepUp(g.Caller(), device)
		f.noMail(box, "again within an hour")

		f.clock.Advance(61 * time.Minute)
		g = f.logInOn("mira", "Chrome on Android")
		f.failStepUp(f.stepUp(g.Caller(), device), device)
		f.noMail(box, "at level full it is somebody with a passkey")
		g = f.logInOn("mira", "Firefox on Linux")
		f.failStepUp(g.Caller(), device)
		f.wantNotice(box, "stopped at your passkey")

		next, err := f.service.Refresh(f.Context(), g.RefreshToken)
		if err != nil {
			f.Fatal(err)
		}
		f.clock.Advance(time.Minute)
		for range 2 {
			_, err = f.service.Refresh(f.Context(), g.RefreshToken)
			wantError(f.TB, "a token that was replaced", err, stepkey.ErrUnauthorized)
		}
		f.wantNotice(box, "A device was signed out")
		_, err = f.service.Refresh(f.Context(), next.RefreshToken)
		wantError(f.TB, "the session that was copied", err, stepkey.ErrUnauthorized)
	})
}

func TestRegistrationThatFailsIsNoNotice(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", "mira@example.com")
	response := f.created(authenticator.New(authenticator.Config{}), f.registrationOptions(p.claims))
	response.Response.ClientDataJSON = bytes.Replace(response.Response.ClientDataJSON, []byte("//app."), []byte("//bad."), 1)
	_, err := f.service.FinishRegistration(t.Context(), p.claims, response, "")
	wantError(t, "of another origin", err, stepkey.ErrVerificationFailed)
	f.noMail(box, "somebody without passkeys failed to add one")
}

func TestNobodyIsToldOfWhatDidNotHappen(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.signUp("noor")
	noor := f.logIn("noor")
	f.register(noor, authenticator.New(authenticator.Config{}))
	f.noMail(box, "an account without an address")

	p := f.withEmail(box, "mira", "mira@example.com")
	device := authenticator.New(authenticator.Config{})
	first := f.created(device, f.registrationOptions(p.claims))
	late := f.created(authenticator.New(authenticator.Config{}), f.registrationOptions(p.claims))
	if _, err := f.service.FinishRegistration(t.Context(), p.claims, first, ""); err != nil {
		t.Fatal(err)
	}
	_, err := f.service.FinishRegistration(t.Context(), p.claims, late, "")
	wantStepUp(t, "a second passkey without the first", err)
	f.one(box, "mira@example.com", "A passkey was added")
}

func TestFreeze(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		p := f.withEmail(box, "mira", "mira@example.com")
		device := authenticator.New(authenticator.Config{})
		f.register(p.claims, device)
		full := f.stepUp(p.claims, device)
		added := f.tokenIn(f.one(box, "mira@example.com", "added"), stepkey.PathNotMe)
		f.failStepUp(f.logIn("mira"), device)
		failed := f.tokenIn(f.one(box, "mira@example.com", "stopped"), stepkey.PathNotMe)
		link := f.resetLinkNow(box, "mira", "mira@example.com")
		p.claims = full
		if err := f.requestEmail(p, "mallory@example.com"); err != nil {
			f.Fatal(err)
		}
		pending := f.tokenIn(f.one(box, "mallory@example.com", "Confirm"), stepkey.PathConfirmEmail)

		if err := f.service.Freeze(f.Context(), added, f.stranger()); err != nil {
			f.Fatal(err)
		}
		_, _, err := f.service.Sessions(f.Context(), full, nil, 1)
		wantError(f.TB, "a session", err, stepkey.ErrUnauthorized)
		wantError(f.TB, "a link for a new password", f.reset(link, another), stepkey.ErrLinkExpired)
		wantError(f.TB, "a link for a new address", f.service.ConfirmEmail(f.Context(), pending, stepkey.Client{}), stepkey.ErrLinkExpired)
		wantError(f.TB, "the link again", f.service.Freeze(f.Context(), added, stepkey.Client{}), stepkey.ErrLinkExpired)
		f.one(box, "mira@example.com", "Your account was secured")
		if f.events(storage.EventAccountFrozen) != 1 {
			f.Error("it is not recorded")
		}

		// The link of another notice works as well, after a change of the password too.
		wantError(f.TB, "the password", f.tryLogIn("mira", password), stepkey.ErrInvalidCredentials)
		again := f.passkeyLogIn(device).Caller()
		f.exec(`UPDATE users SET password_version = 2`)
		f.clock.Advance(stepkey.FreezeLifetime - time.Microsecond)
		if err := f.service.Freeze(f.Context(), failed, stepkey.Client{}); err != nil {
			f.Errorf("another link, days later: %v", err)
		}
		_, _, err = f.service.Sessions(f.Context(), again, nil, 1)
		wantError(f.TB, "a session of since", err, stepkey.ErrUnauthorized)
		last := f.tokenIn(f.received(box)[0], stepkey.PathNotMe)
		f.clock.Advance(stepkey.FreezeLifetime)
		wantError(f.TB, "a week later", f.service.Freeze(f.Context(), last, stepkey.Client{}), stepkey.ErrLinkExpired)
	})
}
