package storage

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// NameQuarantine is how long the name of a deleted account stays taken: people who knew its
// owner must not meet somebody else under the name.
const NameQuarantine = 30 * 24 * time.Hour

// MaxLanguage is the maximum length of the tag of a language, in bytes: RFC 5646 §4.4.1 expects
// no longer ones.
const MaxLanguage = 35

// KeepUnconfirmedUsers is how long a user exists who neither confirmed an address nor signed in; see
// User.AwaitsAddressSince. A week covers a holiday and a mail that was found late in a folder for spam.
// Each user holds a name that nobody else can take, and a network that may sign up 50 an hour would hold
// ever more of them if they were kept for longer.
const KeepUnconfirmedUsers = 7 * 24 * time.Hour

// User is a person who can sign in.
type User struct {
	// ID is random and never reused, not even after the account was deleted.
	ID uuid.UUID

	// Username is the name as typed, CanonicalName the form in which it is unique; see
	// stepkey.CanonicalUsername.
	Username      string
	CanonicalName string

	// PasswordHash is in PHC or crypt format, with its parameters.
	PasswordHash string

	// PasswordVersion counts changes of the password. A session holds the version it began
	// with and ends when the two differ. Rehashing the same password does not change it.
	PasswordVersion int

	// Handle is the WebAuthn user handle: random bytes, so that authenticators store nothing
	// personal (WebAuthn Level 3 §14.6.1).
	Handle []byte

	CreatedAt time.Time

	// Language is that of the user's mails, a BCP 47 tag of at most MaxLanguage bytes. It is
	// empty for a user who has not chosen one yet: the service's default.
	Language string

	// Realm and ExternalKey are those of an [ExternalUser], empty for a user who signs in here.
	// DisplayName is shown beside Username by devices; if it is empty, Username is.
	Realm, ExternalKey string
	DisplayName        string

	// AllowUntil is until when an external user may add a passkey without one of the old ones,
	// nil for not at all.
	AllowUntil *time.Time

	// Attributes are the groups and own claims, which external users do not have.
	Attributes Attributes

	// PasswordByMail reports whether the password was set by a link to the user's mailbox and
	// no passkey was verified since. Such a password proves the mailbox and nothing else.
	// PasswordByMailAt is when it was set, nil for other passwords.
	PasswordByMail   bool
	PasswordByMailAt *time.Time

	// PasswordStopped reports whether the password is refused until another one is set,
	// because its owner followed the "This was not me" link of a notice.
	PasswordStopped bool

	// AwaitsAddressSince is since when the user has to confirm a first address before signing in, nil
	// for a user who does not have to. SetEmail clears it. It means nothing in a service that requires
	// no confirmed address.
	AwaitsAddressSince *time.Time

	// Recovery is the recovery that is pending or has expired unfinished, nil for none.
	Recovery *PendingRecovery

	// DisabledAt is when the user was disabled, nil for an active user.
	DisabledAt *time.Time

	// DeletedAt is when the account was deleted, nil if it was not. Only the id and the
	// canonical name are left then, for NameQuarantine.
	DeletedAt *time.Time
}

// Active reports whether the user may sign in and hold sessions.
func (u User) Active() bool { return u.DisabledAt == nil }

// ConfirmedEmail is an address and the time at which its owner proved to receive mail there.
type ConfirmedEmail struct {
	Address     string // one plain address; see stepkey.Mail
	ConfirmedAt time.Time
}

// UserRecord is a user with the confirmed address and all passkeys.
type UserRecord struct {
	User     User
	Email    *ConfirmedEmail // nil for none
	Passkeys []Passkey
}

// UserStore is the part of a [Store] about users.
type UserStore interface {
	// UserByName returns the user with that canonical name.
	UserByName(ctx context.Context, canonicalName string) (User, error)

	// UserByNameOrAddress returns the user with that canonical name, deleted or not, or if there
	// is none the active user with that folded address, unless several have it. One query
	// does both, so that its time does not tell them apart. An empty name is nobody's.
	UserByNameOrAddress(ctx context.Context, canonicalName, address string) (User, error)

	// UserRecord returns the user with that canonical name, deleted or not, with the address
	// and all passkeys, the oldest passkey first.
	UserRecord(ctx context.Context, canonicalName string) (UserRecord, error)

	// UserRecords returns at most limit users whose id is greater than after, in the order of
	// their ids, each as UserRecord does.
	UserRecords(ctx context.Context, after uuid.UUID, limit int) ([]UserRecord, error)

	// LastSignIns returns when each of the users last signed in, as noted when an event of
	// kind EventSignedIn was recorded. The time outlives the event. Users who never signed in
	// are missing from the map.
	LastSignIns(ctx context.Context, userIDs []uuid.UUID) (map[uuid.UUID]time.Time, error)

	// ReplacePasswordHash replaces the hash old, and reports whether old was still there
	// (compare and swap).
	ReplacePasswordHash(ctx context.Context, userID uuid.UUID, old, replacement string) (bool, error)

	// NextOldHash returns the least password hash, in byte order, that is not less than from
	// and is not argon2id with today's parameters, or ErrNotFound. It is called several times
	// a minute and must not read all users.
	NextOldHash(ctx context.Context, from string) (string, error)
}

// UserTx is the part of a [Tx] about users.
type UserTx interface {
	// CreateUser adds u, or returns ErrUsernameTaken.
	CreateUser(ctx context.Context, u User) error

	// ImportUsers adds users with their addresses and passkeys and returns the outcome of
	// each, in the same order. A user whose id exists stays unchanged, address and passkeys
	// included. A user whose canonical name or handle is taken is not added, nor is a passkey
	// whose credential id is taken. No two users of batch share an id, canonical name, handle
	// or credential id.
	ImportUsers(ctx context.Context, batch []UserRecord) ([]UserOutcome, error)

	// LockUser returns the user and locks the row until the end of the transaction. Other
	// callers of LockUser and LockAccount wait. It returns ErrNotFound if there is no such
	// user.
	LockUser(ctx context.Context, userID uuid.UUID) (User, error)

	// SetPassword replaces the user's password hash and increments the password's version,
	// provided that the version is still version and the user is active, and reports whether
	// it did. byMailAt is when a link to the mailbox set it, nil for any other way. The new
	// password is not stopped. Sessions of the previous version are no longer live: end them
	// first.
	SetPassword(ctx context.Context, userID uuid.UUID, version int, hash string, byMailAt *time.Time) (bool, error)

	// SetLanguage replaces the user's language. Without verified it changes nothing for a user who
	// has a passkey.
	SetLanguage(ctx context.Context, userID uuid.UUID, language string, verified bool) error

	// StopPassword sets whether the user's password is stopped, and reports whether that
	// changed anything.
	StopPassword(ctx context.Context, userID uuid.UUID, stopped bool) (bool, error)

	// TrustPassword clears PasswordByMail.
	TrustPassword(ctx context.Context, userID uuid.UUID) error

	// SetDisabled disables a user at that time, or enables the user if at is nil, and reports
	// whether that changed anything. A deleted user stays disabled.
	SetDisabled(ctx context.Context, userID uuid.UUID, at *time.Time) (bool, error)

	// SetAttributes replaces the attributes of version a.Version with the groups and claims of a,
	// and reports whether that changed anything: it does not if they are the same, if there is
	// another version by now, or if the user is deleted. The version grows by one. at is when, and
	// from then on EndedSessions returns a.Mark(userID), with the zero user.
	SetAttributes(ctx context.Context, userID uuid.UUID, a Attributes, at time.Time) (bool, error)

	// DeleteUser deletes everything about the user except id and canonical name, which stays
	// taken for NameQuarantine. hash, which matches no password, replaces the user's. It
	// returns ErrNotFound if the user does not exist or is deleted already. End the user's
	// sessions first.
	DeleteUser(ctx context.Context, userID uuid.UUID, hash string, at time.Time) error
}
