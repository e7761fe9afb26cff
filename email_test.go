package stepkey_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

// person is somebody who is signed in.
type person struct {
	name   string
	claims stepkey.Caller
}

func (f *fixture) wantEmail(what string, c stepkey.Caller, want stepkey.EmailState) {
	f.Helper()
	if got, err := f.service.Email(f.Context(), c); err != nil || got != want {
		f.Errorf("%s: %+v, %v; want %+v", what, got, err, want)
	}
}

func (f *fixture) requestEmail(p *person, address string) error {
	return f.service.RequestEmail(f.Context(), p.claims, address, f.stranger())
}

func TestAddressCountsOnceItIsConfirmed(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		f.signUp("Mira")
		p := &person{"mira", f.logIn("mira")}
		if err := f.requestEmail(p, "mira@example.com"); err != nil {
			f.Fatal(err)
		}
		f.wantEmail("asked for", p.claims, stepkey.EmailState{Pending: "mira@example.com"})
		m := f.one(box, "mira@example.com", "Confirm your e-mail address")
		f.forgot(box, "mira@example.com", "before it is confirmed")

		link := f.tokenIn(m, stepkey.PathConfirmEmail)
		if err := f.service.ConfirmEmail(f.Context(), link, stepkey.Client{}); err != nil {
			f.Fatal(err)
		}
		f.wantEmail("confirmed", p.claims, stepkey.EmailState{Address: "mira@example.com"})
		data, err := f.service.ExportAccount(f.Context(), p.claims)
		if err != nil || data.Email.Address != "mira@example.com" {
			f.Errorf("the export has the address %q, %v", data.Email.Address, err)
		}
		f.one(box, "mira@example.com", "Your e-mail address was changed")
		if n := f.events(storage.EventEmailConfirmed); n != 1 {
			f.Errorf("%d events, want 1", n)
		}
		wantError(f.TB, "again", f.service.ConfirmEmail(f.Context(), link, stepkey.Client{}), stepkey.ErrLinkExpired)
	})
}

// forgot asks for a reset that must not lead to a mail.
func (f *fixture) forgot(box *mailbox, address, why string) {
	f.Helper()
	err := f.service.RequestPasswordReset(f.Context(), stepkey.ResetRequest{Email: address, Client: f.stranger()})
	if err != nil {
		f.Errorf("%s: %v", why, err)
	}
	f.noMail(box, why)
}

func TestChangedAddressTellsBoth(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", "old@example.com")
	if err := f.requestEmail(p, "new@example.com"); err != nil {
		t.Fatal(err)
	}
	f.wantEmail("asked for", p.claims, stepkey.EmailState{Address: "old@example.com", Pending: "new@example.com"})
	link := f.tokenIn(f.one(box, "new@example.com", "Confirm"), stepkey.PathConfirmEmail)
	if err := f.service.ConfirmEmail(t.Context(), link, stepkey.Client{Device: "Firefox on Linux", Network: "203.0.113.0/24"}); err != nil {
		t.Fatal(err)
	}
	mails := f.received(box)
	if len(mails) != 2 || mails[0].To != "new@example.com" || mails[1].To != "old@example.com" {
		t.Fatalf("%+v", mails)
	}
	links := map[string]bool{}
	for _, m := range mails {
		links[f.tokenIn(m, stepkey.PathNotMe)] = true
		for _, wanted := range []string{"is now new@example.com", "Firefox on Linux", "203.0.113.0/24", "UTC"} {
			if !strings.Contains(m.Text, wanted) {
				t.Errorf("to %s: no %q in\n%s", m.To, wanted, m.Text)
			}
		}
	}
	if len(links) != 2 {
		t.Error("both have one link between them")
	}

	// The same in other letters is told once.
	if err := f.requestEmail(p, "NEW@example.com"); err != nil {
		t.Fatal(err)
	}
	link = f.tokenIn(f.one(box, "NEW@example.com", "Confirm"), stepkey.PathConfirmEmail)
	if err := f.service.ConfirmEmail(t.Context(), link, stepkey.Client{}); err != nil {
		t.Fatal(err)
	}
	f.one(box, "NEW@example.com", "changed")
}

func TestWhoMayChangeTheAddress(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", "mira@example.com")
	remove := func() error { return f.service.RemoveEmail(t.Context(), p.claims) }

	f.clock.Advance(stepkey.FirstPasskeyWindow)
	if err := f.requestEmail(p, "new@example.com"); err != nil {
		t.Errorf("at the end of the window: %v", err)
	}
	f.clock.Advance(time.Microsecond)
	wantError(t, "after it", f.requestEmail(p, "new@example.com"), stepkey.ErrReauthenticationRequired)
	wantError(t, "after it, remove", remove(), stepkey.ErrReauthenticationRequired)

	p.claims = f.logIn("mira")
	device := authenticator.New(authenticator.Config{})
	f.register(p.claims, device)
	wantStepUp(t, "with a passkey, at level password", f.requestEmail(p, "new@example.com"))
	wantStepUp(t, "with a passkey, at level password, remove", remove())
	p.claims = f.stepUp(p.claims, device)
	f.clock.Advance(stepkey.FullWindow + time.Second)
	wantStepUp(t, "full, too long ago", f.requestEmail(p, "new@example.com"))
	p.claims = f.stepUp(p.claims, device)
	f.received(box)
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	f.wantEmail("removed", p.claims, stepkey.EmailState{})
	f.one(box, "mira@example.com", "Your e-mail address was removed")
	if err := remove(); err != nil {
		t.Errorf("nothing to remove: %v", err)
	}
	f.noMail(box, "nothing to remove")
	if n := f.events(storage.EventEmailRemoved); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// A user who asks for an address gets the same answer whether or not somebody else has it.
func TestSeveralAccountsMayHaveOneAddress(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", "shared@example.com")
	noor := f.withEmail(box, "noor", "Shared@example.com")
	f.wantEmail("the second", noor.claims, stepkey.EmailState{Address: "Shared@example.com"})
	if err := f.service.RequestPasswordReset(t.Context(), stepkey.ResetRequest{Email: "shared@EXAMPLE.com"}); err != nil {
		t.Fatal(err)
	}
	mails := f.received(box)
	if len(mails) != 2 || !strings.Contains(mails[0].Text, "“noor”") || !strings.Contains(mails[1].Text, "“mira”") ||
		mails[0].To != "Shared@example.com" || mails[1].To != "shared@example.com" {
		t.Errorf("%+v", mails)
	}
}

// Somebody who enters a stranger's address gets nothing by the stranger's confirming it,
// and the stranger's own account is no part of it.
func TestConfirmingIsForOneAccount(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	victim := f.withEmail(box, "victim", "victim@example.com")
	f.signUp("mallory")
	mallory := &person{"mallory", f.logIn("mallory")}
	if err := f.requestEmail(mallory, "victim@example.com"); err != nil {
		t.Fatal(err)
	}
	m := f.one(box, "victim@example.com", "Confirm")
	if !strings.Contains(m.Text, "“mallory”") {
		t.Errorf("it does not name the account:\n%s", m.Text)
	}
	if err := f.service.ConfirmEmail(t.Context(), f.tokenIn(m, stepkey.PathConfirmEmail), stepkey.Client{}); err != nil {
		t.Fatal(err)
	}
	f.wantEmail("the attacker's account", mallory.claims, stepkey.EmailState{Address: "victim@example.com"})
	f.wantEmail("the victim's account", victim.claims, stepkey.EmailState{Address: "victim@example.com"})
}

func TestLinksToConfirm(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.signUp("mira")
	p := &person{"mira", f.logIn("mira")}
	ask := func() string {
		t.Helper()
		f.clock.Advance(20 * time.Minute)
		p.claims = f.logIn("mira")
		if err := f.requestEmail(p, "mira@example.com"); err != nil {
			t.Fatal(err)
		}
		return f.tokenIn(f.one(box, "mira@example.com", "Confirm"), stepkey.PathConfirmEmail)
	}
	confirm := func(link string) error { return f.service.ConfirmEmail(t.Context(), link, stepkey.Client{}) }

	replaced := ask()
	late := ask()
	wantError(t, "replaced by a newer one", confirm(replaced), stepkey.ErrLinkExpired)
	f.clock.Advance(stepkey.LinkLifetime)
	wantError(t, "late", confirm(late), stepkey.ErrLinkExpired)
	link := ask()
	for _, test := range []struct{ what, other string }{{"empty", ""}, {"unknown", strings.Repeat("A", 43)}, {"cut", link[:42]}, {"longer", link + "A"}} {
		wantError(t, test.what, confirm(test.other), stepkey.ErrLinkExpired)
	}
	wantError(t, "for another purpose", f.service.ResetPassword(t.Context(), link, "another long password", stepkey.Client{}), stepkey.ErrLinkExpired)
	wantError(t, "for freezing", f.service.Freeze(t.Context(), link, stepkey.Client{}), stepkey.ErrLinkExpired)
	f.clock.Advance(stepkey.LinkLifetime - time.Microsecond)
	if err := confirm(link); err != nil {
		t.Errorf("in time: %v", err)
	}
}

// A link stands in the mail and nowhere else.
func TestStoreHoldsNoLink(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", "mira@example.com")
	box.fails(errDown)
	if err := errors.Join(
		f.requestEmail(p, "new@example.com"),
		f.service.RequestPasswordReset(t.Context(), stepkey.ResetRequest{Username: "mira"}),
	); err != nil {
		t.Fatal(err)
	}
	f.deliver()
	dump := f.dump("outbox", "mail_links", "emails")
	box.fails(nil)
	f.clock.Advance(time.Minute)
	mails := f.received(box)
	if len(mails) != 2 {
		t.Fatalf("%d mails, want 2", len(mails))
	}
	for _, m := range mails {
		page := stepkey.PathConfirmEmail
		if m.To == "mira@example.com" {
			page = stepkey.PathResetPassword
		}
		if strings.Contains(dump, f.tokenIn(m, page)) || strings.Contains(dump, page) {
			t.Error("the database holds a link")
		}
	}
}

// dump is what the tables hold, as text.
func (f *fixture) dump(tables ...string) string {
	f.Helper()
	var text strings.Builder
	for _, table := range tables {
		rows, err := f.sql.QueryContext(f.Context(), `SELECT * FROM `+table)
		if err != nil {
			f.Fatal(err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			f.Fatal(err)
		}
		for rows.Next() {
			values, targets := make([][]byte, len(columns)), make([]any, len(columns))
			for i := range values {
				targets[i] = &values[i]
			}
			if err := rows.Scan(targets...); err != nil {
				f.Fatal(err)
			}
			for _, value := range values {
				text.Write(value)
				text.WriteByte(' ')
			}
		}
		if err := rows.Err(); err != nil {
			f.Fatal(err)
		}
	}
	return text.String()
}

func TestMailsThatAreAskedForAreLimited(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", "mira@example.com")
	reset := func(email, name string, c stepkey.Client) error {
		return f.service.RequestPasswordReset(t.Context(), stepkey.ResetRequest{Email: email, Username: name, Client: c})
	}
	// Whether anybody has the address makes no difference.
	for range 3 {
		wantError(t, "known", reset("MIRA@example.com", "", f.stranger()), nil)
	}
	wantLimited(t, "a fourth to one address", reset("mira@example.com", "", f.stranger()), 61*time.Minute)
	for range 3 {
		wantError(t, "unknown", reset("nobody@example.com", "", f.stranger()), nil)
		wantError(t, "known name", reset("", "mira", f.stranger()), nil)
		wantError(t, "unknown name", reset("", "nobody", f.stranger()), nil)
	}
	wantLimited(t, "a fourth to an unknown one", reset("nobody@example.com", "", f.stranger()), 61*time.Minute)
	wantLimited(t, "a fourth by name", reset("", "MIRA", f.stranger()), 61*time.Minute)
	wantLimited(t, "a fourth by an unknown name", reset("", "nobody", f.stranger()), 61*time.Minute)

	home := from("192.0.2.7")
	for i := range 7 {
		wantError(t, "from one address", reset("", "user"+string(rune('a'+i)), home), nil)
	}
	wantLimited(t, "an eighth", reset("", "another", home), 16*time.Minute)
	f.clock.Advance(61 * time.Minute)
	wantError(t, "later", reset("mira@example.com", "", home), nil)
}

func TestShapesThatAreRefused(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.signUp("mira")
	p := &person{"mira", f.logIn("mira")}
	for _, address := range []string{"", "mira", "mira@localhost", "mira@example.com\r\nBcc: noor@example.com", "Mira <mira@example.com>"} {
		wantError(t, "address "+address, f.requestEmail(p, address), stepkey.ErrEmailInvalid)
		want := stepkey.ErrEmailInvalid
		if address == "" {
			want = stepkey.ErrInvalidRequest
		}
		wantError(t, "reset of "+address, f.service.RequestPasswordReset(t.Context(), stepkey.ResetRequest{Email: address}), want)
	}
	for _, r := range []stepkey.ResetRequest{{}, {Email: "mira@example.com", Username: "mira"}} {
		wantError(t, "neither or both", f.service.RequestPasswordReset(t.Context(), r), stepkey.ErrInvalidRequest)
	}
	wantError(t, "no name", f.service.RequestPasswordReset(t.Context(), stepkey.ResetRequest{Username: "a b"}), stepkey.ErrUsernameInvalid)
	f.noMail(box, "refused")
}

func TestWithoutMailer(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	p := &person{"mira", f.logIn("mira")}
	_, state := f.service.Email(t.Context(), p.claims)
	for _, test := range []struct {
		what string
		err  error
	}{
		{"Email", state},
		{"RequestEmail", f.requestEmail(p, "mira@example.com")},
		{"ConfirmEmail", f.service.ConfirmEmail(t.Context(), "link", stepkey.Client{})},
		{"RemoveEmail", f.service.RemoveEmail(t.Context(), p.claims)},
		{"RequestPasswordReset", f.service.RequestPasswordReset(t.Context(), stepkey.ResetRequest{Username: "mira"})},
		{"ResetPassword", f.service.ResetPassword(t.Context(), "link", password, stepkey.Client{})},
		{"Freeze", f.service.Freeze(t.Context(), "link", stepkey.Client{})},
	} {
		wantError(t, test.what, test.err, stepkey.ErrEmailOff)
	}
	ended := f.logIn("mira")
	if err := f.service.LogOut(t.Context(), ended); err != nil {
		t.Fatal(err)
	}
	_, state = f.service.Email(t.Context(), ended)
	wantError(t, "Email in a session that has ended", state, stepkey.ErrUnauthorized)
	f.register(p.claims, authenticator.New(authenticator.Config{}))
	if dump := f.dump("outbox", "mail_links"); dump != "" {
		t.Errorf("a mail is queued that nobody sends: %q", dump)
	}
	if n, err := f.service.DeliverMail(t.Context()); n != 0 || err != nil {
		t.Errorf("DeliverMail: %d, %v", n, err)
	}
}
