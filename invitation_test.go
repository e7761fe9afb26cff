package stepkey_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
)

// inviting has the fixture's service take sign-ups by invitation only, and send mail to the box.
func (f *fixture) inviting() *mailbox {
	f.Helper()
	box := &mailbox{}
	c := f.config()
	c.SignUp, c.Mailer = stepkey.SignUpInvite, box
	f.service = f.newService(c)
	return box
}

// invite makes an invitation, and returns the token of its link too.
func (f *fixture) invite(address string) (stepkey.Invitation, string) {
	f.Helper()
	question := ""
	if address == "" && f.service.RequiresConfirmedAddress() {
		question = "?email" // then the page asks for one
	}
	i, url, err := f.service.Admin().Invite(f.Context(), stepkey.InviteRequest{Address: address, Lifetime: time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	linkToken, ok := strings.CutPrefix(url, origin+stepkey.PathInvitation+question+"#")
	if !ok {
		f.Fatalf("the link is %s", url)
	}
	return i, linkToken
}

func (f *fixture) signUpInvited(name, linkToken string) (stepkey.User, error) {
	try := f.signUpOf(name, password)
	try.Invitation = linkToken
	return f.service.SignUp(f.Context(), try)
}

func TestSignUpByInvitation(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		box := f.inviting()
		_, err := f.signUpInvited("noor", "")
		wantError(f, "without an invitation", err, stepkey.ErrInvitationRequired)
		for _, name := range []string{"noor", "mira"} {
			_, err = f.signUpInvited(name, "nothing")
			wantError(f, "unknown, as "+name, err, stepkey.ErrInvitationInvalid)
		}
		_, linkToken := f.invite("")
		_, err = f.signUpInvited("mira", linkToken)
		wantError(f, "a name that is taken", err, stepkey.ErrUsernameTaken)
		if _, err := f.signUpInvited("noor", linkToken); err != nil {
			f.Fatal(err)
		}
		_, err = f.signUpInvited("zoe", linkToken)
		wantError(f, "used", err, stepkey.ErrInvitationInvalid)
		if strings.Contains(f.dump("users", "events", "outbox"), linkToken) {
			f.Error("the database holds the link")
		}
		_, late := f.invite("")
		f.clock.Advance(time.Hour)
		_, err = f.signUpInvited("zoe", late)
		wantError(f, "too old", err, stepkey.ErrInvitationInvalid)
		f.noMail(box, "nobody gave an address")
	})
}

// Many try to use one invitation at once, each with a name of its own: one of them is a user then.
func TestOneSignUpForAnInvitation(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.inviting()
		_, linkToken := f.invite("mira@example.com")
		var wg sync.WaitGroup
		errs := make([]error, 32)
		for n := range errs {
			try := f.signUpOf(fmt.Sprint("mira", n), password)
			try.Invitation = linkToken
			wg.Go(func() { _, errs[n] = f.service.SignUp(f.Context(), try) })
		}
		wg.Wait()
		if won := 32 - len(slices.DeleteFunc(errs, func(err error) bool { return err == nil })); won != 1 {
			f.Errorf("%d signed up, want 1", won)
		}
		for _, err := range errs {
			if err != nil && !errors.Is(err, stepkey.ErrInvitationInvalid) {
				f.Error(err)
			}
		}
		if n := f.events(storage.EventSignedUp); n != 1 {
			f.Errorf("%d users, want 1", n)
		}
	})
}

func TestInvitationWithAnAddress(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.inviting()
		_, linkToken := f.invite("Mira@example.com")
		if got := f.tokenIn(f.one(box, "Mira@example.com", "You are invited"), stepkey.PathInvitation); got != linkToken {
			f.Error("the mail has another link")
		}
		u, err := f.signUpInvited("mira", linkToken)
		if err != nil {
			f.Fatal(err)
		}
		state, err := f.store.Email(f.Context(), u.ID, f.clock.Now())
		if err != nil || state.Address != "Mira@example.com" {
			f.Errorf("the address is %+v, %v", state, err)
		}
		f.tokenIn(f.one(box, "Mira@example.com", "e-mail address was changed"), stepkey.PathNotMe)
		if n := f.events(storage.EventEmailConfirmed); n != 1 {
			f.Errorf("%d addresses were confirmed, want 1", n)
		}
	})
}

// An address that an operator vouches for is confirmed without a mail server, and where sign-up is open.
func TestInvitationWithoutMail(t *testing.T) {
	f := newFixture(t)
	_, linkToken := f.invite("mira@example.com")
	u, err := f.signUpInvited("mira", linkToken)
	if err != nil {
		t.Fatal(err)
	}
	if state, err := f.store.Email(t.Context(), u.ID, f.clock.Now()); err != nil || state.Address != "mira@example.com" {
		t.Errorf("the address is %+v, %v", state, err)
	}
	if dump := f.dump("outbox"); dump != "" {
		t.Errorf("mails are queued: %s", dump)
	}
	_, err = f.signUpInvited("noor", linkToken)
	wantError(t, "used, where sign-up is open", err, stepkey.ErrInvitationInvalid)
}

func TestInvitationsAreListedAndRevoked(t *testing.T) {
	f := newFixture(t)
	f.inviting()
	admin := f.service.Admin()
	i, linkToken := f.invite("mira@example.com")
	if list, err := admin.Invitations(t.Context(), uuid.Nil, 10); err != nil || len(list) != 1 || list[0] != i {
		t.Errorf("the list is %+v, %v; want %+v", list, err, i)
	}
	if err := admin.RevokeInvitation(t.Context(), i.ID); err != nil {
		t.Fatal(err)
	}
	wantError(t, "revoked twice", admin.RevokeInvitation(t.Context(), i.ID), stepkey.ErrNotFound)
	_, err := f.signUpInvited("mira", linkToken)
	wantError(t, "revoked", err, stepkey.ErrInvitationInvalid)
}

func TestInvitationsThatAreRefused(t *testing.T) {
	f := newFixture(t)
	for _, test := range []struct {
		name, address string
		lifetime      time.Duration
		mode          stepkey.SignUpMode
		want          error
	}{
		{"no time", "", 0, stepkey.SignUpInvite, stepkey.ErrInvalidRequest},
		{"too long", "", stepkey.MaxInvitationLifetime + 1, stepkey.SignUpInvite, stepkey.ErrInvalidRequest},
		{"no address", "mira", time.Hour, stepkey.SignUpInvite, stepkey.ErrEmailInvalid},
		{"closed", "", time.Hour, stepkey.SignUpClosed, stepkey.ErrSignUpClosed},
		{"the longest", "", stepkey.MaxInvitationLifetime, stepkey.SignUpInvite, nil},
	} {
		c := f.config()
		c.SignUp = test.mode
		_, _, err := f.newService(c).Admin().Invite(t.Context(), stepkey.InviteRequest{Address: test.address, Lifetime: test.lifetime})
		wantError(t, test.name, err, test.want)
	}
}

// An invitation that was made before sign-up was closed is worth nothing.
func TestClosedSignUpRefusesInvitations(t *testing.T) {
	f := newFixture(t)
	_, linkToken := f.invite("")
	c := f.config()
	c.SignUp = stepkey.SignUpClosed
	f.service = f.newService(c)
	_, err := f.signUpInvited("mira", linkToken)
	wantError(t, "closed", err, stepkey.ErrSignUpClosed)
}
