package stepkey_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// resetLinkOn asks for a link on a client that has those device tokens.
func (f *fixture) resetLinkOn(box *mailbox, devices ...string) string {
	f.Helper()
	f.clock.Advance(time.Hour)
	err := f.service.RequestPasswordReset(f.Context(), stepkey.ResetRequest{Username: "mira", Client: f.stranger(), Devices: devices})
	if err != nil {
		f.Fatal(err)
	}
	return f.tokenIn(f.one(box, miras, "Set a new password"), stepkey.PathResetPassword)
}

// A thief who has the password signs in as often as he likes: the owner's link stays good.
func TestSignInsElsewhereLeaveTheResetLink(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.withEmail(box, "mira", miras)
		f.withEmail(box, "noor", "noor@example.com")
		owners := f.mustLogInFrom("owner", f.stranger())
		thiefs := f.mustLogInFrom("thief", f.stranger())
		for _, test := range []struct {
			what    string
			devices []string
		}{
			{"a device that is known", []string{"dv1.nonsense", owners}},
			{"a device that is not", nil},
			{"somebody else's", []string{f.deviceOf("noor")}},
		} {
			link := f.resetLinkOn(box, test.devices...)
			for range 3 {
				thiefs = f.mustLogInFrom("thief", f.stranger(), thiefs)
				f.mustLogInFrom("thief", f.stranger())
			}
			f.logInWith("noor", password)
			if err := f.reset(link, "no "+password); err != nil {
				f.Errorf("%s: %v", test.what, err)
			}
			f.received(box)
			if err := f.reset(f.resetLinkOn(box), password); err != nil {
				f.Fatal(err)
			}
			f.received(box)
		}
	})
}

func (f *fixture) deviceOf(name string) string {
	f.Helper()
	g, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: name, Password: password, Client: f.stranger()})
	if err != nil {
		f.Fatal(err)
	}
	return g.DeviceToken
}

// Who remembers the password on the device on which the link was asked for needs none.
func TestSignInOnTheDeviceThatAskedVoidsTheResetLink(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.withEmail(box, "mira", miras)
		owners := f.mustLogInFrom("owner", f.stranger())
		link := f.resetLinkOn(box, "dv1.nonsense", owners)
		f.mustLogInFrom("owner", f.stranger(), owners)
		wantError(f.TB, "the link", f.reset(link, another), stepkey.ErrLinkExpired)
	})
}

// frozen is somebody whose "this was not me" was followed.
func (f *fixture) frozen(box *mailbox) {
	f.Helper()
	f.withEmail(box, "mira", miras)
	f.follow(f.freezeLink(box))
	f.one(box, miras, "Your account was secured")
}

// freezeLink is from a notice of a copied refresh token.
func (f *fixture) freezeLink(box *mailbox) string {
	f.Helper()
	u, err := f.store.UserByName(f.Context(), "mira")
	if err != nil {
		f.Fatal(err)
	}
	if _, err := f.service.Admin().MakeRecoveryLink(f.Context(), u.ID, time.Second); err != nil {
		f.Fatal(err)
	}
	return f.tokenIn(f.one(box, miras, "way back"), stepkey.PathNotMe)
}

func (f *fixture) follow(freezeLink string) {
	f.Helper()
	if err := f.service.Freeze(f.Context(), freezeLink, f.stranger()); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) userID(name string) uuid.UUID {
	f.Helper()
	u, err := f.store.UserByName(f.Context(), name)
	if err != nil {
		f.Fatal(err)
	}
	return u.ID
}

func TestFreezeStopsThePassword(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.frozen(box)
		for range 3 {
			wantError(f.TB, "the password", f.tryLogIn("mira", password), stepkey.ErrInvalidCredentials)
		}
		if err := f.reset(f.resetLink(box, "mira", miras), another); err != nil {
			f.Fatal(err)
		}
		f.logInWith("mira", another)
		wantError(f.TB, "the stopped one", f.tryLogIn("mira", password), stepkey.ErrInvalidCredentials)
	})
}

// A stopped password takes the way of a wrong one: its hash is not remade on the way.
func TestStoppedPasswordTakesTheWayOfAWrongOne(t *testing.T) {
	f := newFixture(t)
	u := comer("mira")
	u.PasswordHash, u.PasswordStopped = oldHash, true
	f.importAll(false, u)
	wantError(t, "the password", f.tryLogIn("mira", password), stepkey.ErrInvalidCredentials)
	if stored, err := f.store.UserByName(t.Context(), "mira"); err != nil || stored.PasswordHash != oldHash {
		t.Errorf("the hash was remade: %s, %v", stored.PasswordHash, err)
	}
	if _, err := f.service.Admin().AllowPassword(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	f.logIn("mira")
}

func TestFreezeSaysWhatToDo(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", miras)
	f.follow(f.freezeLink(box))
	m := f.one(box, miras, "Your account was secured")
	for _, want := range []string{"The password no longer works.", origin + stepkey.PathResetPassword} {
		if !strings.Contains(m.Text, want) || !strings.Contains(m.HTML, want) {
			t.Errorf("no %q in\n%s", want, m.Text)
		}
	}
}

// A passkey needs no password, and its owner sets another one with it.
func TestPasskeySignsInWhileThePasswordIsStopped(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", miras)
	device := authenticator.New(authenticator.Config{})
	f.register(p.claims, device)
	f.received(box)
	f.follow(f.freezeLink(box))
	g := f.passkeyLogIn(device)
	if g.Claims.Level != token.LevelFull {
		t.Fatalf("level %s", g.Claims.Level)
	}
	wantError(t, "the password", f.tryLogIn("mira", password), stepkey.ErrInvalidCredentials)
	if _, err := f.service.ChangePassword(t.Context(), g.Caller(), stepkey.ChangePasswordRequest{New: another}); err != nil {
		t.Fatal(err)
	}
	f.logInWith("mira", another)
}

// Of a login and a freeze at once, none leaves a session that lives.
func TestFreezeRacesWithLogIns(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.withEmail(box, "mira", miras)
		link := f.freezeLink(box)
		var claims [12]stepkey.Caller
		for i, err := range race(len(claims)+1, func(i int) error {
			if i == len(claims) {
				return f.service.Freeze(f.Context(), link, f.stranger())
			}
			g, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: password, Client: f.stranger()})
			claims[i] = g.Caller()
			return err
		}) {
			var overloaded *stepkey.OverloadedError
			var limited *stepkey.RateLimitedError
			if err != nil && (i == len(claims) || !errors.Is(err, stepkey.ErrInvalidCredentials) && !errors.As(err, &overloaded) && !errors.As(err, &limited)) {
				f.Errorf("%d: %v", i, err)
			}
		}
		for _, c := range claims {
			if c.Claims().Subject == "" {
				continue
			}
			_, _, err := f.service.Sessions(f.Context(), c, nil, 1)
			wantError(f.TB, "a session", err, stepkey.ErrUnauthorized)
		}
	})
}

// A password that was compared before the freeze starts no session after it.
func TestLogInThatWasComparedBeforeTheFreeze(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.withEmail(box, "mira", miras)
		link := f.freezeLink(box)
		freezing := f.service
		config := f.config()
		config.Mailer = box
		store := &meanwhile{Store: f.store}
		config.Store = store
		f.service = f.newService(config)
		store.happens = func() {
			if err := freezing.Freeze(f.Context(), link, f.stranger()); err != nil {
				f.Error(err)
			}
		}
		wantError(f.TB, "the login", f.tryLogIn("mira", password), stepkey.ErrInvalidCredentials)
		if n := f.events(storage.EventAccountFrozen); n != 1 {
			f.Errorf("%d freezes, want 1", n)
		}
	})
}

func TestOperatorAllowsThePassword(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.frozen(box)
		id := f.userID("mira")
		u, err := f.store.UserByName(f.Context(), "mira")
		if err != nil {
			f.Fatal(err)
		}
		wantError(f.TB, "unlock", f.service.Admin().UnlockUser(f.Context(), u), nil)
		wantError(f.TB, "unlocked and no more", f.tryLogIn("mira", password), stepkey.ErrInvalidCredentials)
		for _, want := range []bool{true, false} {
			if lifted, err := f.service.Admin().AllowPassword(f.Context(), id); lifted != want || err != nil {
				f.Errorf("AllowPassword: %v, %v; want %v", lifted, err, want)
			}
		}
		f.logIn("mira")
		if n := f.events(storage.EventUserUnlocked); n != 2 {
			f.Errorf("%d events, want 2", n)
		}
	})
}

// Somebody who reads the mailbox has old notices and new ones, asks for resets and follows
// everything: whom an operator has recognised gets back in.
func TestMailboxReaderDoesNotBlockTheOperator(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.withEmail(box, "mira", miras)
		first, later := f.freezeLink(box), f.freezeLink(box)
		link := f.operatorsLink(time.Hour)
		ofTheLink := f.tokenIn(f.one(box, miras, "way back"), stepkey.PathNotMe)
		f.follow(first)
		f.received(box)
		if err := f.reset(f.resetLinkNow(box, "mira", miras), another); err != nil {
			f.Fatal(err)
		}
		f.received(box)
		claims, current := f.logInWith("mira", another), another
		if _, err := f.service.ChangePassword(f.Context(), claims, stepkey.ChangePasswordRequest{Current: &current, New: password}); err != nil {
			f.Fatal(err)
		}
		f.received(box)

		g, err := f.service.RecoverByLink(f.Context(), link, f.stranger())
		if err != nil {
			f.Fatalf("the operator's link: %v", err)
		}
		device := authenticator.New(authenticator.Config{})
		f.register(g.Caller(), device)
		for _, old := range []string{later, ofTheLink} {
			wantError(f.TB, "a notice of before", f.service.Freeze(f.Context(), old, f.stranger()), stepkey.ErrLinkExpired)
		}
		f.clock.Advance(stepkey.RecoveryCoolOff)
		if owner := f.passkeyLogIn(device); owner.Claims.Level != token.LevelFull {
			f.Errorf("level %s", owner.Claims.Level)
		}
	})
}

// An operator who was deceived is outdone by the owner, who is told.
func TestOwnerStopsAnOperatorsRecovery(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", miras)
	link := f.operatorsLink(time.Hour)
	f.received(box)
	g, err := f.service.RecoverByLink(t.Context(), link, f.stranger())
	if err != nil {
		t.Fatal(err)
	}
	used := f.tokenIn(f.one(box, miras, "Your account was recovered"), stepkey.PathNotMe)
	f.register(g.Caller(), authenticator.New(authenticator.Config{}))
	f.follow(used)
	if n := f.count("passkeys"); n != 0 {
		t.Errorf("%d passkeys are left", n)
	}
}

// After that nothing that lies in the mailbox does anything, and nothing new comes there
// that does.
func TestOperatorRemovesTheAddress(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		p := f.withEmail(box, "mira", miras)
		freeze := f.freezeLink(box)
		f.clock.Advance(time.Hour)
		p.claims = f.logIn("mira")
		reset := f.resetLinkNow(box, "mira", miras)
		if err := f.requestEmail(p, "new@example.com"); err != nil {
			f.Fatal(err)
		}
		confirm := f.tokenIn(f.one(box, "new@example.com", "Confirm"), stepkey.PathConfirmEmail)
		if _, _, err := f.service.RecoverByMail(f.Context(), p.claims, f.stranger()); err != nil {
			f.Fatal(err)
		}
		operators := f.operatorsLink(time.Hour)

		if err := f.service.Admin().RemoveUserEmail(f.Context(), f.userID("mira")); err != nil {
			f.Fatal(err)
		}
		m := f.one(box, miras, "Your e-mail address was removed")
		if strings.Contains(m.Text, stepkey.PathNotMe) || strings.Contains(m.HTML, stepkey.PathNotMe) {
			f.Errorf("a link that acts in\n%s", m.Text)
		}
		if n := f.count("mail_links"); n != 1 {
			f.Errorf("%d links, want the operator's", n)
		}
		wantError(f.TB, "a notice", f.service.Freeze(f.Context(), freeze, f.stranger()), stepkey.ErrLinkExpired)
		wantError(f.TB, "a reset", f.reset(reset, another), stepkey.ErrLinkExpired)
		wantError(f.TB, "a new address", f.service.ConfirmEmail(f.Context(), confirm, f.stranger()), stepkey.ErrLinkExpired)
		f.wantEmail("removed", p.claims, stepkey.EmailState{})
		if n := f.events(storage.EventEmailRemoved); n != 1 {
			f.Errorf("%d events, want 1", n)
		}
		if _, err := f.service.RecoverByLink(f.Context(), operators, f.stranger()); err != nil {
			f.Errorf("the operator's link: %v", err)
		}
		f.clock.Advance(stepkey.RecoveryWait)
		f.noMail(box, "the notices of a recovery")
		wantError(f.TB, "again", f.service.Admin().RemoveUserEmail(f.Context(), f.userID("mira")), nil)
		wantError(f.TB, "nobody", f.service.Admin().RemoveUserEmail(f.Context(), uuid.New()), stepkey.ErrNotFound)
		if n := f.events(storage.EventEmailRemoved); n != 1 {
			f.Errorf("%d events, want still 1", n)
		}
	})
}

func (f *fixture) count(table string) (n int) {
	f.Helper()
	if err := f.sql.QueryRowContext(f.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		f.Fatal(err)
	}
	return n
}
