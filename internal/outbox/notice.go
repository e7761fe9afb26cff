package outbox

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/storage"
)

// noticeLifetime is how long a notice is retried. RFC 5321 §4.5.4.1 has servers retry for
// four to five days. Half of that may be over when the next server takes the mail.
const noticeLifetime = 3 * 24 * time.Hour

// Notice is what a user is notified of, at the confirmed address of the account.
type Notice struct {
	Kind   mail.Kind
	UserID uuid.UUID
	At     time.Time

	// Client is where it was done, as far as that is known: the device and the network,
	// never a full address.
	Client storage.Client

	// Address is the new one, for mail.EmailChanged.
	Address string

	// Wait is how long after At the mail is due. Until is the time that the notice gives
	// for the end of something.
	Wait  time.Duration
	Until time.Time
}

// NoticeOf returns a notice of what was done in a session.
func NoticeOf(kind mail.Kind, session storage.Session, now time.Time) Notice {
	return Notice{Kind: kind, UserID: session.UserID, At: now, Client: session.Client}
}

// Notify queues a notice in the transaction of what it reports. Call it before a deleted
// user's row is removed: the address is removed with it. For a user without an address it
// does nothing.
func (o *Outbox) Notify(ctx context.Context, tx storage.Tx, n Notice) error {
	return o.NotifyBoth(ctx, tx, n, "")
}

// NotifyBoth is Notify, and also notifies the address that the account had before, unless
// that is empty or equal to the new one, ignoring case.
func (o *Outbox) NotifyBoth(ctx context.Context, tx storage.Tx, n Notice, before string) error {
	if o.send == nil {
		return nil
	}
	addressees, err := tx.Addressees(ctx, storage.AddresseesOf{UserID: n.UserID})
	if err != nil {
		return err
	}
	for _, a := range addressees {
		if err := o.NotifyAt(ctx, tx, n, a); err != nil {
			return err
		}
		if before == "" || storage.FoldAddress(before) == storage.FoldAddress(a.Address) {
			continue
		}
		a.Address = before
		if err := o.NotifyAt(ctx, tx, n, a); err != nil {
			return err
		}
	}
	return nil
}

// NotifyAt queues a notice for one address, with a "this was not me" link. A deleted
// account needs no such link, and an address that an operator removed must not get one.
func (o *Outbox) NotifyAt(ctx context.Context, tx storage.Tx, n Notice, a storage.Addressee) error {
	if o.send == nil {
		return nil
	}
	// The language is the user's or the default, and not that of the request: the request may be a
	// thief's, who could pick one that the owner cannot read.
	l := letter{
		Language: a.Language, Username: a.Username, At: n.At, Device: n.Client.Device, Network: n.Client.Network, Address: n.Address, Until: n.Until,
	}
	due := n.At.Add(n.Wait)
	if n.Kind != mail.AccountDeleted && n.Kind != mail.EmailRemovedByAdmin {
		linkToken, link, err := o.NewLink(storage.Link{
			Purpose: storage.LinkFreeze, UserID: n.UserID, Address: a.Address, ExpiresAt: due.Add(FreezeLifetime),
		})
		if err != nil {
			return err
		}
		if err := tx.PutLink(ctx, link); err != nil {
			return err
		}
		l.Freeze = linkToken
	}
	return o.put(ctx, tx, storage.QueuedMail{
		UserID: n.UserID, To: a.Address, Kind: n.Kind, CreatedAt: due, ExpiresAt: due.Add(noticeLifetime),
		Later: n.Wait > 0, Topic: n.topic(),
	}, l)
}

// topic is shared by notices that are sent as one: while they are pending, the newest
// replaces the others and says how many there were. Reminders of one event stay apart.
func (n Notice) topic() string {
	if n.Wait == 0 {
		return string(n.Kind)
	}
	return string(n.Kind) + " after " + n.Wait.String()
}
