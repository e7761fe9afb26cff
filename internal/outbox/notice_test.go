package outbox_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/pages"
	"github.com/stepkey/stepkey/storage"
)

// A notice carries a link that works for a week, unless the account is gone or an operator
// has removed the address.
func TestLinkOfANotice(t *testing.T) {
	for _, kind := range mail.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			f := newFixture(t)
			f.notify(kind)
			links := f.count(`SELECT count(*) FROM mail_links`)
			if kind == mail.AccountDeleted || kind == mail.EmailRemovedByAdmin {
				if links != 0 {
					t.Errorf("%d links, want none", links)
				}
				return
			}
			if kind == mail.ConfirmEmail || kind == mail.ResetPassword || kind == mail.FinishRecovery || kind == mail.Invitation {
				return // no notice
			}
			linkToken := tokenIn(f.one(mirasAt, ""), pages.NotMe)
			for _, at := range []struct {
				after time.Duration
				want  error
			}{{outbox.FreezeLifetime - time.Microsecond, nil}, {outbox.FreezeLifetime, storage.ErrNotFound}} {
				_, err := f.store.LinkOwner(t.Context(), outbox.LinkDigest(linkToken), storage.LinkFreeze, f.clock.Now().Add(at.after))
				if err != at.want {
					t.Errorf("after %s: %v, want %v", at.after, err, at.want)
				}
			}
		})
	}
}

func TestNotifyBoth(t *testing.T) {
	for _, test := range []struct{ name, before, want string }{
		{"another address", "old@example.com", "mira@example.com old@example.com"},
		{"the same in other letters", "MIRA@example.com", "mira@example.com"},
		{"none", "", "mira@example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.inTx(func(ctx context.Context, tx storage.Tx) error {
				n := outbox.Notice{Kind: mail.EmailChanged, UserID: f.mira.UserID, At: f.clock.Now(), Address: mirasAt}
				return f.outbox.NotifyBoth(ctx, tx, n, test.before)
			})
			var to []string
			for _, m := range f.received() {
				to = append(to, m.To)
			}
			if got := strings.Join(to, " "); got != test.want {
				t.Errorf("notices to %q, want %q", got, test.want)
			}
		})
	}
}

// Notices of one kind that wait are one, and reminders of one event are not.
func TestEqualNoticesAreOne(t *testing.T) {
	f := newFixture(t)
	f.notify(mail.RecoveryCodesReplaced)
	f.notify(mail.RecoveryCodesReplaced)
	if m := f.one(mirasAt, "recovery codes"); !strings.Contains(m.Text, "2 times") {
		t.Errorf("it does not say how often:\n%s", m.Text)
	}
	f.inTx(func(ctx context.Context, tx storage.Tx) error {
		n := outbox.Notice{Kind: mail.RecoveryStarted, UserID: f.mira.UserID, At: f.clock.Now()}
		for _, n.Wait = range []time.Duration{0, time.Hour, 2 * time.Hour} {
			if err := f.outbox.Notify(ctx, tx, n); err != nil {
				return err
			}
		}
		return nil
	})
	for range 3 {
		f.one(mirasAt, "recovering")
		f.noMail("the next reminder is not due")
		f.clock.Advance(time.Hour)
	}
}

// Without a Sender nothing is queued for nobody to send.
func TestNoSender(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	c.Send = nil
	f.outbox = f.newOutbox(c)
	f.notify(mail.PasskeyAdded)
	f.inTx(func(ctx context.Context, tx storage.Tx) error {
		return f.outbox.NotifyAt(ctx, tx, outbox.Notice{Kind: mail.EmailRemovedByAdmin, UserID: f.mira.UserID, At: f.clock.Now()}, f.mira)
	})
	if n := f.rows() + f.count(`SELECT count(*) FROM mail_links`); n != 0 || f.outbox.SendsMail() {
		t.Errorf("%d rows are queued, want none", n)
	}
	f.outbox.Run(t.Context(), func(err error) { t.Error(err) }) // returns at once
}

// A newer link of one purpose replaces the mail with the older one, also where that is
// addressed to another mailbox. The store keeps no token.
func TestNewerLinkReplacesTheMailBefore(t *testing.T) {
	f := newFixture(t)
	elsewhere := f.mira
	elsewhere.Address = "a@example.com"
	f.sendLink(elsewhere)
	f.sendLink(f.mira)
	linkToken := tokenIn(f.one(mirasAt, "Set a new password"), pages.ResetPassword)
	owner, err := f.store.LinkOwner(t.Context(), outbox.LinkDigest(linkToken), storage.LinkResetPassword, f.clock.Now())
	if err != nil || owner.ID != f.mira.UserID {
		t.Errorf("the link is of %s, %v", owner.ID, err)
	}
	if n := f.count(`SELECT count(*) FROM mail_links`); n != 1 {
		t.Errorf("%d links, want 1", n)
	}
}
