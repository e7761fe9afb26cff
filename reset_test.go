package stepkey_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

const another = "another long password"

// resetLink lets an hour pass, so that limits are no subject here, and asks for a link.
func (f *fixture) resetLink(box *mailbox, name, address string) string {
	f.Helper()
	f.clock.Advance(time.Hour)
	return f.resetLinkNow(box, name, address)
}

// resetLinkNow asks for a new password by name and returns the token of the link.
func (f *fixture) resetLinkNow(box *mailbox, name, address string) string {
	f.Helper()
	err := f.service.RequestPasswordReset(f.Context(), stepkey.ResetRequest{Username: name, Client: f.stranger()})
	if err != nil {
		f.Fatal(err)
	}
	return f.tokenIn(f.one(box, address, "Set a new password"), stepkey.PathResetPassword)
}

func (f *fixture) reset(link, newPassword string) error {
	return f.service.ResetPassword(f.Context(), link, newPassword, stepkey.Client{Device: "Chrome on Android", Network: "198.51.100.0/24"})
}

func (f *fixture) tryLogIn(name, typed string, devices ...string) error {
	return second(f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: name, Password: typed, Devices: devices, Client: f.stranger()}))
}

func TestPasswordReset(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		p := f.withEmail(box, "mira", "mira@example.com")
		device := authenticator.New(authenticator.Config{})
		f.register(p.claims, device)
		full := f.stepUp(p.claims, device)
		granted, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: password, Refresh: stepkey.RefreshBody})
		if err != nil {
			f.Fatal(err)
		}
		f.received(box)
		link := f.resetLinkNow(box, "mira", "mira@example.com")

		if err := f.reset(link, another); err != nil {
			f.Fatal(err)
		}
		wantError(f.TB, "the old password", f.tryLogIn("mira", password), stepkey.ErrInvalidCredentials)
		wantError(f.TB, "the device of before is no proof", f.tryLogIn("mira", password, granted.DeviceToken), stepkey.ErrInvalidCredentials)
		_, err = f.service.Refresh(f.Context(), granted.RefreshToken)
		wantError(f.TB, "a refresh token of before", err, stepkey.ErrUnauthorized)
		_, _, err = f.service.Sessions(f.Context(), full, nil, 1)
		wantError(f.TB, "the session at level full", err, stepkey.ErrUnauthorized)
		if ended, err := f.service.Ended(full.Claims()); !ended || err != nil {
			f.Errorf("guards are not told: %v, %v", ended, err)
		}
		if f.events(storage.EventPasswordReset) != 1 || f.events(storage.EventSessionEnded) == 0 {
			f.Error("events are missing")
		}
		m := f.one(box, "mira@example.com", "Your password was reset")
		for _, wanted := range []string{"Chrome on Android", "198.51.100.0/24"} {
			if !strings.Contains(m.Text, wanted) {
				f.Errorf("no %q in\n%s", wanted, m.Text)
			}
		}

		// It yields a password and nothing else: the passkey is as it was, and needed.
		g, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: another})
		if err != nil || g.Claims.Level != "password" {
			f.Fatalf("the new password: %v, level %s", err, g.Claims.Level)
		}
		if got := f.stepUp(g.Caller(), device); got.Claims().Level != "full" {
			f.Errorf("the passkey of before yields level %s", got.Claims().Level)
		}
		wantError(f.TB, "the link again", f.reset(link, "yet another password"), stepkey.ErrLinkExpired)
	})
}

func TestRefusedPasswordLeavesTheLink(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira.amsel", "mira@example.com")
	link := f.resetLink(box, "mira.amsel", "mira@example.com")
	for _, test := range []struct {
		typed string
		want  error
	}{
		{"short", stepkey.ErrPasswordTooShort},
		{"password1", stepkey.ErrPasswordCommon},
		{"Mira.Amsel1", stepkey.ErrPasswordContainsUsername},
		{strings.Repeat("x", 1025), stepkey.ErrPasswordTooLong},
	} {
		wantError(t, test.typed, f.reset(link, test.typed), test.want)
	}
	if err := f.reset(link, another); err != nil {
		t.Errorf("after refusals: %v", err)
	}
}

func TestLinksToReset(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", "mira@example.com")
	f.withEmail(box, "noor", "noor@example.com")
	link := func() string { t.Helper(); return f.resetLink(box, "mira", "mira@example.com") }
	void := func(what, link string) {
		t.Helper()
		wantError(t, what, f.reset(link, another), stepkey.ErrLinkExpired)
		if err := f.tryLogIn("mira", password); err != nil {
			t.Errorf("%s: the password has changed: %v", what, err)
		}
	}
	replaced, late := link(), link()
	void("replaced by a newer one", replaced)
	f.clock.Advance(stepkey.LinkLifetime)
	void("late", late)
	void("unknown", strings.Repeat("A", 43))
	void("empty", "")

	// For another purpose, and for another account.
	l := link()
	wantError(t, "as an address's", f.service.ConfirmEmail(t.Context(), l, stepkey.Client{}), stepkey.ErrLinkExpired)
	wantError(t, "as a notice's", f.service.Freeze(t.Context(), l, stepkey.Client{}), stepkey.ErrLinkExpired)
	f.resetLinkNow(box, "noor", "noor@example.com") // somebody else's newer one replaces nothing
	f.clock.Advance(stepkey.LinkLifetime - time.Microsecond)
	if err := f.reset(l, another); err != nil {
		t.Errorf("in time: %v", err)
	}
	if err := f.tryLogIn("noor", password); err != nil {
		t.Errorf("somebody else's password: %v", err)
	}
}

// A mail that was under way when the address was removed sets no password.
func TestRemovedAddressResetsNothing(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", "mira@example.com")
	l := f.resetLinkNow(box, "mira", "mira@example.com")
	if err := f.service.RemoveEmail(t.Context(), p.claims); err != nil {
		t.Fatal(err)
	}
	f.received(box)
	wantError(t, "its link", f.reset(l, another), stepkey.ErrLinkExpired)
	f.clock.Advance(time.Hour)
	f.forgot(box, "mira@example.com", "the address was removed")
}

func TestDisabledUserResetsNothing(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", "mira@example.com")
	link := f.resetLink(box, "mira", "mira@example.com")
	u, err := f.store.UserByName(t.Context(), "mira")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.service.Admin().DisableUser(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	f.received(box)
	wantError(t, "a link of before", f.reset(link, another), stepkey.ErrLinkExpired)
	f.clock.Advance(time.Hour)
	f.forgot(box, "mira@example.com", "disabled")
	if n := f.events(storage.EventResetRequested); n != 1 {
		t.Errorf("%d events, want that of before", n)
	}
}

// Who guesses at an account until it allows no more is outdone by its owner's mailbox.
func TestResetForgetsWrongPasswords(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", "mira@example.com")
	for range storage.MaxAttempts {
		wantError(t, "guess", f.guess("mira"), stepkey.ErrInvalidCredentials)
		f.clock.Advance(time.Hour)
	}
	wantLimited(t, "the owner", f.tryLogIn("mira", password), time.Hour)
	if err := f.reset(f.resetLink(box, "mira", "mira@example.com"), another); err != nil {
		t.Fatal(err)
	}
	if err := f.tryLogIn("mira", another); err != nil {
		t.Errorf("the owner, with the new password: %v", err)
	}
}

func TestOf50ResetsOneSucceeds(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.withEmail(box, "mira", "mira@example.com")
		link := f.resetLink(box, "mira", "mira@example.com")
		won := 0
		for _, err := range race(50, func(int) error { return f.reset(link, another) }) {
			var limited *stepkey.RateLimitedError
			switch {
			case err == nil:
				won++
			case !errors.Is(err, stepkey.ErrLinkExpired) && !errors.As(err, &limited):
				f.Errorf("reset: %v", err)
			}
		}
		if won != 1 || f.events(storage.EventPasswordReset) != 1 {
			f.Errorf("%d succeeded and %d were recorded, want 1", won, f.events(storage.EventPasswordReset))
		}
		f.one(box, "mira@example.com", "reset")
	})
}

// A request does the same for known and unknown users until it has been answered.
func TestRequestDoesTheSameForEverybody(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", "mira@example.com")
	rows := func(table string) (n int) {
		t.Helper()
		if err := f.sql.QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	f.exec(`DELETE FROM mail_links`)
	for i, r := range []stepkey.ResetRequest{{Email: "mira@example.com"}, {Email: "noor@example.com"}, {Username: "mira"}, {Username: "noor"}} {
		r.Client = f.stranger()
		if err := f.service.RequestPasswordReset(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if rows("outbox") != i+1 || rows("mail_links") != 0 {
			t.Errorf("%+v: %d rows in the outbox and %d links, want %d and none", r, rows("outbox"), rows("mail_links"), i+1)
		}
	}
	if dump := f.dump("outbox"); strings.Contains(dump, "mira") || strings.Contains(dump, "noor") {
		t.Errorf("the outbox names who was asked for: %q", dump)
	}
	// Two of them found mira. The second link made the first void, so that one is not sent.
	f.tokenIn(f.one(box, "mira@example.com", "Set a new password"), stepkey.PathResetPassword)
}

// A request that an earlier version stored is done after an upgrade, and one that this version
// stores can be done by an earlier one that still runs beside it.
func TestStoredRequestOutlivesAnUpgrade(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", "mira@example.com")
	root, err := secret.ParseRoot(rootSecret)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{
		`{"device":"Firefox on Linux","network":"203.0.113.0/24","name":"mira"}`,
		`{"device":"Firefox on Linux","network":"203.0.113.0/24","address":"mira@example.com","askedBy":{"` + uuid.NewString() + `":"AQID"}}`,
	} {
		id := uuid.New()
		sealed, err := root.Seal("outbox", id.String()+" find_accounts ", []byte(content), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		err = f.store.InTx(t.Context(), func(tx storage.Tx) error {
			return tx.QueueMail(t.Context(), storage.QueuedMail{
				ID: id, Kind: "find_accounts", Sealed: sealed, CreatedAt: f.clock.Now(), ExpiresAt: f.clock.Now().Add(time.Minute), Urgent: true,
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		m := f.one(box, "mira@example.com", "Set a new password")
		if f.tokenIn(m, stepkey.PathResetPassword); !strings.Contains(m.Text, "Firefox on Linux") || !strings.Contains(m.Text, "203.0.113.0/24") {
			t.Errorf("the mail does not name the client:\n%s", m.Text)
		}
	}

	r := stepkey.ResetRequest{Username: "mira", Client: stepkey.Client{Device: "Firefox on Linux", Network: "203.0.113.0/24"}}
	if err := f.service.RequestPasswordReset(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	due, err := f.store.ClaimMail(t.Context(), []storage.MailKind{"find_accounts"}, f.clock.Now(), f.clock.Now().Add(time.Minute), 1)
	if err != nil || len(due) != 1 {
		t.Fatalf("%d rows, %v", len(due), err)
	}
	content, err := root.Open("outbox", due[0].ID.String()+" find_accounts ", due[0].Sealed)
	if want := `{"name":"mira","device":"Firefox on Linux","network":"203.0.113.0/24"}`; err != nil || string(content) != want {
		t.Errorf("the request is stored as %s, %v, want %s", content, err, want)
	}
}
