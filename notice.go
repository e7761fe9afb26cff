package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/storage"
)

// notice is something that a user is told about, at the address that was confirmed in
// the account.
type notice struct {
	Kind   mail.Kind
	UserID uuid.UUID
	At     time.Time

	// Client is where it was done, as far as it is known: the device and the network,
	// never a whole address.
	Client Client

	// Address is the new one, for mail.EmailChanged.
	Address string

	// Wait is how long after At the mail is due. Until is what the notice says of how
	// long something lasts.
	Wait  time.Duration
	Until time.Time
}

// notify queues a notice in the transaction of what it reports. It has to be called
// before a deleted user's row goes, because the address goes with it. Without a Mailer,
// or for a user without an address, it does nothing.
func (s *Service) notify(ctx context.Context, tx storage.Tx, n notice) error {
	if s.mailer == nil {
		return nil
	}
	addressees, err := tx.Addressees(ctx, storage.AddresseesOf{UserID: n.UserID})
	if err != nil {
		return err
	}
	for _, a := range addressees {
		if err := s.notifyAt(ctx, tx, n, a); err != nil {
			return err
		}
	}
	return nil
}

// notifyAt queues a notice for one address, with a link by which its reader can say that
// it was somebody else. An account that is about to go needs none, and an address that an
// operator took away gets none.
func (s *Service) notifyAt(ctx context.Context, tx storage.Tx, n notice, a storage.Addressee) error {
	l := letter{
		Username: a.Username, At: n.At, Device: n.Client.Device, Network: n.Client.Network, Address: n.Address, Until: n.Until,
	}
	due := n.At.Add(n.Wait)
	if n.Kind != mail.AccountDeleted && n.Kind != mail.EmailRemovedByAdmin {
		linkToken, link, err := s.newLink(storage.Link{
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
	return s.queue(ctx, tx, storage.QueuedMail{
		UserID: n.UserID, To: a.Address, Kind: n.Kind, CreatedAt: due, ExpiresAt: due.Add(noticeLifetime),
		Later: n.Wait > 0, Topic: n.topic(),
	}, l)
}

// topic is what notices have in common that are sent as one while they wait: the newest
// is sent and says how many there were. Reminders of one thing stay apart.
func (n notice) topic() string {
	if n.Wait == 0 {
		return string(n.Kind)
	}
	return string(n.Kind) + " after " + n.Wait.String()
}

// noticeOf is a notice about what was done in a session.
func noticeOf(kind mail.Kind, session Session, now time.Time) notice {
	return notice{Kind: kind, UserID: session.UserID, At: now, Client: session.Client}
}
