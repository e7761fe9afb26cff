package storage

import (
	"time"

	"github.com/google/uuid"
)

// ConfirmedEmail is an address, and when its owner proved to receive mail there.
type ConfirmedEmail struct {
	Address     string // one plain address; see Mail.To
	ConfirmedAt time.Time
}

// User is somebody who can sign in.
type User struct {
	// ID is random and never used again, also not after the user was deleted.
	ID uuid.UUID

	// Username is the name as typed, CanonicalName the form in which it is
	// unique (see CanonicalUsername).
	Username      string
	CanonicalName string

	// PasswordHash is in PHC or crypt form, with its parameters in it.
	PasswordHash string

	// PasswordVersion counts changes of the password. A session holds the
	// version that it was started with and ends when the two differ. Remaking
	// the hash of the same password does not change it.
	PasswordVersion int

	// Handle is the WebAuthn user handle: random, and nothing else, so that
	// authenticators store nothing personal (WebAuthn L3 §14.6.1).
	Handle []byte

	CreatedAt time.Time

	// PasswordByMail says that the password was set by a link to the user's mailbox, and
	// that no passkey was verified since: it proves no more than the mailbox.
	// PasswordByMailAt is when it was, nil for other passwords.
	PasswordByMail   bool
	PasswordByMailAt *time.Time

	// PasswordStopped says that the password signs nobody in until another one is set; see
	// Service.Freeze.
	PasswordStopped bool

	// Recovery is the recovery that waits, or waited and was not finished; nil for none.
	Recovery *PendingRecovery

	// DisabledAt is when the user was disabled, nil for an active one.
	DisabledAt *time.Time

	// DeletedAt is when the account was deleted. What is left then is the id and the
	// canonical name, for NameQuarantine.
	DeletedAt *time.Time
}

// NameQuarantine is for how long nobody gets the name of a deleted account: whoever
// knew it must not meet somebody else under it.
const NameQuarantine = 30 * 24 * time.Hour

// Active reports whether the user may sign in and hold sessions.
func (u User) Active() bool { return u.DisabledAt == nil }
