package storage

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// MailKind is what a mail is about. To a store it is a word.
type MailKind string

// QueuedMail is a mail that is to be sent, or a task that leads to some: that of finding
// out to whom a reset has to go has no address yet.
type QueuedMail struct {
	ID     uuid.UUID
	UserID uuid.UUID // whom it concerns; zero where that is not known yet
	To     string
	Kind   MailKind

	// Sealed is what the mail is made of. Links are in it, so it is encrypted under a
	// key derived from the service's secret.
	Sealed []byte

	CreatedAt time.Time

	// ExpiresAt is when the mail is worth nothing any more.
	ExpiresAt time.Time

	// Urgent is for mails with a link that works for minutes: they are sent before
	// notices. Later is for a mail whose CreatedAt has not come yet.
	Urgent, Later bool

	// Topic is what mails have in common of which only the newest is worth sending: of
	// one user, mailbox and topic one mail waits at most. Mails without a topic, or
	// without a user, stay apart.
	Topic string

	// Times is how many mails the one that is handed out stands for.
	Times int

	// Tries is how often it was handed out for sending.
	Tries int
}

// Addressee is a user who can be reached: at an address that was confirmed in that
// account.
type Addressee struct {
	UserID          uuid.UUID
	Username        string
	Active          bool
	PasswordVersion int
	Address         string
}

// AddresseesOf says which users are meant: the one with that id, the one with that
// canonical name, or all with that address, in whichever letters it was typed.
type AddresseesOf struct {
	UserID        uuid.UUID
	CanonicalName string
	Address       string
}

// EmailState is what an account page shows.
type EmailState struct {
	// Address is the confirmed one, Pending the one whose link has not been followed
	// yet. Either may be empty.
	Address, Pending string
}

// MailStore is the part of a [Store] for e-mail.
type MailStore interface {
	// ClaimMail hands out at most limit mails whose time has come at now, and keeps them
	// back until that time, in one conditional statement: a mail is handed out once, and
	// again only if nobody reports before until what became of it. Their Tries say how
	// often, with this time.
	//
	// Urgent mails come first, and new ones before those that were tried. Among equals
	// mailboxes take turns, however many mails one of them has. A mailbox is sent one
	// mail at a time, so that a slow one occupies one connection. The cost does not
	// grow with the number of mails that wait.
	ClaimMail(ctx context.Context, now, until time.Time, limit int) ([]QueuedMail, error)

	// PutOffMail has a mail wait until that time, unless it was handed out again since
	// it was tried for the tries-th time.
	PutOffMail(ctx context.Context, id uuid.UUID, tries int, until time.Time) error

	// Email returns the user's address and the one that a live link is for.
	Email(ctx context.Context, userID uuid.UUID, now time.Time) (EmailState, error)

	// LinkOwner returns the user whose live link that is, and leaves it as it is. It
	// returns ErrNotFound where TakeLink would.
	LinkOwner(ctx context.Context, digest LinkDigest, purpose LinkPurpose, now time.Time) (User, error)
}

// MailTx is the part of a [Tx] for e-mail.
type MailTx interface {
	// QueueMail adds m, to be handed out from its CreatedAt on. It takes the place of the
	// mail of its user, mailbox and Topic that is still there: that one is not handed out
	// any more, its id is unknown from then on, and if it was not being sent at this
	// moment, its Times are added to those of m. A mailbox is an address without regard
	// to case.
	QueueMail(ctx context.Context, m QueuedMail) error

	// DeleteMail removes a mail and reports whether it was there.
	DeleteMail(ctx context.Context, id uuid.UUID) (bool, error)

	// Addressees returns those whom which means, at most MaxAddressees.
	Addressees(ctx context.Context, which AddresseesOf) ([]Addressee, error)

	// PutLink adds l. It takes the place of the user's last one of its purpose, unless
	// that is LinkFreeze, of which there may be any number.
	PutLink(ctx context.Context, l Link) error

	// TakeLink removes the link and returns it, in one conditional statement, or
	// returns ErrNotFound unless at now it has not expired, its user is active, the
	// password is the one that it was made for and, for LinkResetPassword and
	// LinkFinishRecovery, the user's address is the one that it was sent to. Of several
	// that take it at once one gets it. AskedBy is not returned.
	TakeLink(ctx context.Context, digest LinkDigest, purpose LinkPurpose, now time.Time) (Link, error)

	// DropLinkAskedBy removes the user's link of that purpose if that device asked for it.
	DropLinkAskedBy(ctx context.Context, userID uuid.UUID, purpose LinkPurpose, device []byte) error

	// DropLinks removes the user's links of those purposes.
	DropLinks(ctx context.Context, userID uuid.UUID, purposes ...LinkPurpose) error

	// SetEmail makes address the user's, confirmed at that time, and returns the one
	// before, or nothing. An empty address leaves the user without one. The lock on the
	// user's row lasts to the end of the transaction.
	SetEmail(ctx context.Context, userID uuid.UUID, address string, at time.Time) (before string, err error)

	// SetPassword puts hash in the place of the user's, records when it was set by mail, or
	// nil for any other way, and moves the version of the password on by one, provided that
	// it is version and that the user is active. It reports whether it did. The new password
	// is not stopped. Sessions of the version before are not live any more; end them first,
	// while they are.
	SetPassword(ctx context.Context, userID uuid.UUID, version int, hash string, byMailAt *time.Time) (bool, error)

	// StopPassword sets whether the user's password is stopped, and reports whether that
	// changed anything.
	StopPassword(ctx context.Context, userID uuid.UUID, stopped bool) (bool, error)
}

// MaxAddressees is how many accounts one address is looked up for.
const MaxAddressees = 10
