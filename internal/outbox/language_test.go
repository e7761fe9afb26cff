package outbox_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/messages"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// setLanguage makes a language that of mira.
func (f *fixture) setLanguage(language string) {
	f.Helper()
	f.inTx(func(ctx context.Context, tx storage.Tx) error {
		return tx.SetLanguage(ctx, f.mira.UserID, language, true)
	})
	f.mira.Language = language
}

// sendLinkFrom queues a link that a client with that language asked for.
func (f *fixture) sendLinkFrom(language string) {
	f.Helper()
	f.inTx(func(ctx context.Context, tx storage.Tx) error {
		return f.outbox.SendLink(ctx, tx, outbox.LinkMail{
			Kind: mail.ResetPassword, Purpose: storage.LinkResetPassword, To: f.mira, At: f.clock.Now(), From: storage.Client{Language: language},
		})
	})
}

func TestLanguageOfNotices(t *testing.T) {
	f := newFixture(t)
	notify := func(from string) {
		t.Helper()
		f.inTx(func(ctx context.Context, tx storage.Tx) error {
			return f.outbox.Notify(ctx, tx, outbox.Notice{
				Kind: mail.PasswordReset, UserID: f.mira.UserID, At: f.clock.Now(), Client: storage.Client{Language: from},
			})
		})
	}
	notify("de") // a thief's language is not the owner's
	f.one(mirasAt, "Your password was reset")
	f.setLanguage("de")
	notify("en")
	f.one(mirasAt, "Dein Passwort wurde zurückgesetzt")
}

func TestLanguageOfLinks(t *testing.T) {
	f := newFixture(t)
	f.sendLinkFrom("")
	f.one(mirasAt, "Set a new password")
	f.sendLinkFrom("de")
	f.one(mirasAt, "Neues Passwort festlegen")
	f.setLanguage("en")
	f.sendLinkFrom("de")
	f.one(mirasAt, "Set a new password")
}

// The words are those of the instance that sends a mail, in the language that was decided when it was queued.
func TestAnotherInstanceSends(t *testing.T) {
	f := newFixture(t)
	f.setLanguage("de")
	f.box.fails(errDown)
	f.notify(mail.PasskeyAdded)
	f.deliver()
	f.setLanguage("en") // a later sign-in changes nothing about a mail that is queued
	f.box.fails(nil)
	c := f.config()
	c.Languages = f.languages(messages.Service, fstest.MapFS{"de.json": {Data: []byte(`{"mail": {"passkey_added": {"subject": "Neuer Passkey"}}}`)}})
	f.outbox = f.newOutbox(c)
	f.clock.Advance(time.Minute)
	if m := f.one(mirasAt, "Neuer Passkey"); !strings.Contains(m.HTML, `lang="de"`) {
		t.Errorf("the mail is\n%s", m.HTML)
	}
}

// A language that the sending instance lacks is no reason to lose a mail.
func TestInstanceWithoutTheLanguage(t *testing.T) {
	f := newFixture(t)
	f.setLanguage("fr")
	f.notify(mail.PasskeyAdded)
	f.one(mirasAt, "A passkey was added")
}
