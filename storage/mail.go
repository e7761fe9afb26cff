package storage

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// MaxAddressees is how many accounts one address is looked up for.
const MaxAddressees = 10

// MailKind is what a mail is about. A store does not interpret it.
type MailKind string

// QueuedMail is a mail in the outbox, or a task that leads to mails: a task has no address.
type QueuedMail struct {
	ID     uuid.UUID
	UserID uuid.UUID // the user it concerns, zero if that is not known yet
	To     string
	Kind   MailKind

	// Sealed is the content. It contains links, so it is encrypted with a key derived from
	// the service's secret.
	Sealed []byte

	CreatedAt time.Time

	// ExpiresAt is when the mail is no longer worth sending.
	ExpiresAt time.Time

	// Urgent marks mails with a link that works for minutes: they are sent before notices.
	// Later marks a mail whose CreatedAt is in the future.
	Urgent, Later bool

	// Topic is shared by mails of which only the newest is worth sending: of one user, mailbox
	// and topic at most one mail is pending. Mails without a topic or without a user stay
	// apart.
	Topic string

	// Times is how many mails the one that is handed out stands for.
	Times int

	// Tries is how often the mail was handed out for sending.
	Tries int
}

// Addressee is a user with a confirmed address.
type Addressee struct {
	UserID          uuid.UUID
	Username        string
	Active          bool
	PasswordVersion int
	Address         string
	Language        string // as of User
}

// AddresseesOf selects users: the one with that id, the one with that canonical name, or all
// with that address, ignoring case.
type AddresseesOf struct {
	UserID        uuid.UUID
	CanonicalName string
	Address       string
}

// EmailState is a user's confirmed address, and the one whose link has not been followed yet.
// Either may be empty.
type EmailState struct{ Address, Pending string }

// MailStore is the part of a [Store] about addresses and the outbox.
type MailStore interface {
	// Email returns the user's address and the one that a live link is for.
	Email(ctx context.Context, userID uuid.UUID, now time.Time) (EmailState, error)

	// ClaimMail hands out at most limit mails of those kinds that are due at now and keeps them
	// back until that time, in one conditional statement: a mail is handed out once, and again
	// only if nobody reports its fate before until. Tries of each counts this time too. Programs
	// that deliver different kinds can share a store: mails of other kinds stay as they are.
	//
	// Urgent mails come first, and new ones before those that were tried before. Among equals,
	// mailboxes take turns, however many mails one of them has. A mailbox is sent one mail at
	// a time, so that a slow one occupies one connection. The cost does not grow with the
	// number of pending mails of those kinds.
	ClaimMail(ctx context.Context, kinds []MailKind, now, until time.Time, limit int) ([]QueuedMail, error)

	// PutOffMail postpones a mail until that time, unless it was handed out again since the
	// tries-th try.
	PutOffMail(ctx context.Context, id uuid.UUID, tries int, until time.Time) error
}

// MailTx is the part of a [Tx] about addresses and the outbox.
type MailTx interface {
	// SetEmail makes address the user's, confirmed at that time, and returns the previous one,
	// or nothing, and clears AwaitsAddressSince. An empty address leaves the user without one and
	// clears nothing. The user's row is locked until
	// the end of the transaction.
	SetEmail(ctx context.Context, userID uuid.UUID, address string, at time.Time) (before string, err error)

	// Addressees returns at most MaxAddressees of the users that which selects.
	Addressees(ctx context.Context, which AddresseesOf) ([]Addressee, error)

	// QueueMail adds m, to be handed out from its CreatedAt on. It replaces the mail of the
	// same user, mailbox and Topic that is still in the outbox: that one is no longer handed
	// out, its id becomes unknown and, unless it is being sent at this moment, its Times are
	// added to those of m. A mailbox is an address, ignoring case.
	QueueMail(ctx context.Context, m QueuedMail) error

	// DeleteMail removes a mail, and reports whether it was there.
	DeleteMail(ctx context.Context, id uuid.UUID) (bool, error)

	// DropMail removes the user's pending mails of those kinds.
	DropMail(ctx context.Context, userID uuid.UUID, kinds ...MailKind) error
}
