package storage

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// Store keeps users, passkeys, sessions, events and the service's own settings.
//
// An implementation is safe for concurrent use by several instances, answers
// within a bounded time, returns [ErrNotFound] for what it does not hold and
// [ErrUnavailable] when it cannot say, and passes storetest.TestStore.
type Store interface {
	// InTx runs fn in one transaction, which is committed if fn returns nil and
	// has no effect otherwise. It runs to its end also if ctx is cancelled
	// meanwhile: whether the client waits must not decide what is true. Where the
	// database asks for it (deadlock), fn runs again from the start.
	InTx(ctx context.Context, fn func(Tx) error) error

	// UserByName returns the user of that canonical name.
	UserByName(ctx context.Context, canonicalName string) (User, error)

	// Account returns the session, its user and the user's passkeys in one look,
	// or ErrNotFound unless the session is live at now: it is userID's, has not
	// ended nor expired, its user is active and the password has not changed
	// since.
	Account(ctx context.Context, userID, sessionID uuid.UUID, now time.Time) (Account, error)

	// PasskeyOwner returns the passkey of that credential id, alone, and the user whose it
	// is, active or not.
	PasskeyOwner(ctx context.Context, credentialID []byte) (UserRecord, error)

	// RefreshSession returns a session with a refresh token, live or not.
	RefreshSession(ctx context.Context, id uuid.UUID) (Session, error)

	// RotateSession moves a session on to its next generation, in one conditional
	// statement, or returns ErrNotFound if a condition of r does not hold. Of several
	// that rotate one generation at once, one does.
	RotateSession(ctx context.Context, r Rotation) (Rotated, error)

	// Sessions returns a user's sessions that are live at now and were seen since
	// idleSince, the newest first and of one time by id, at most limit. With before it begins
	// after that place, whether or not a session is there.
	Sessions(
		ctx context.Context, userID uuid.UUID, now, idleSince time.Time, before *SessionPlace, limit int,
	) ([]Session, error)

	// Events returns what is recorded of a user, the newest first and of one time by id, at
	// most limit. With before it begins behind that place, whether or not an event is there.
	Events(ctx context.Context, userID uuid.UUID, before *EventPlace, limit int) ([]Event, error)

	// EndedSessions returns at most limit sessions that ended before their time, in the
	// order of that time and of id, beginning behind the place that At and ID of after
	// name. The zero id comes before all others.
	EndedSessions(ctx context.Context, after EndedSession, limit int) ([]EndedSession, error)

	// OpenSessions returns at most limit of the user's sessions that began before
	// createdBefore, expire after expiringAfter and have not ended.
	OpenSessions(ctx context.Context, userID uuid.UUID, createdBefore, expiringAfter time.Time, limit int) ([]uuid.UUID, error)

	// LoweredSessions returns the sessions that LowerSessions lowered at or after since, each
	// with its newest lowering.
	LoweredSessions(ctx context.Context, since time.Time) ([]LoweredSession, error)

	// SpendAction remembers id until that time at least, and reports whether it was
	// not known before. Of any number of callers one is told so.
	SpendAction(ctx context.Context, id string, until time.Time) (first bool, err error)

	// ChargeAttempt counts an attempt at a password before it is made, in one
	// conditional statement, unless its key has to wait at that time or has reached
	// MaxAttempts. FreeAttempts go without a wait; after each further one there is
	// one, of FirstWait and twice as long each time, up to MaxWait. After
	// AttemptMemory without attempts waits start over, but the count of failures does
	// not.
	ChargeAttempt(ctx context.Context, a Attempt) (Attempts, error)

	// RefundAttempt takes back an attempt that was charged at that time and not made.
	RefundAttempt(ctx context.Context, a Attempt) error

	// ReplacePasswordHash puts replacement in the place of old and reports
	// whether old was still there (compare and swap).
	ReplacePasswordHash(ctx context.Context, userID uuid.UUID, old, replacement string) (bool, error)

	// NextOldHash returns the least password hash, in byte order, that is not less than
	// from and not argon2id with the parameters of today, or ErrNotFound. It is asked
	// several times a minute and must not read all users.
	NextOldHash(ctx context.Context, from string) (string, error)

	// UserRecords returns up to limit users whose id is greater than after, by id,
	// each with the address and all passkeys by age.
	UserRecords(ctx context.Context, after uuid.UUID, limit int) ([]UserRecord, error)

	// UserRecord returns the user of that canonical name, deleted or not, with address
	// and passkeys, as UserRecords does.
	UserRecord(ctx context.Context, canonicalName string) (UserRecord, error)

	// LastSignIns returns when each of the users last signed in, which recording an event of
	// that kind notes. It outlives the event. Users who never did are not in it.
	LastSignIns(ctx context.Context, userIDs []uuid.UUID) (map[uuid.UUID]time.Time, error)

	// RecordRefusedCeremony counts a refusal at LastAt and keeps the newest request id, in
	// one record for each user, ceremony and reason. Of a user who is not there, or
	// deleted, nothing is recorded.
	RecordRefusedCeremony(ctx context.Context, r RefusedCeremony) error

	// RefusedCeremonies returns what is recorded of refused ceremonies of a user, the
	// newest first.
	RefusedCeremonies(ctx context.Context, userID uuid.UUID) ([]RefusedCeremony, error)

	// SigningKeys returns all signing keys, the one that activates last first.
	SigningKeys(ctx context.Context) ([]SealedKey, error)

	// MailStore is for e-mail, RecoveryStore for recovery.
	MailStore
	RecoveryStore

	// Ping reports whether the store can be reached.
	Ping(ctx context.Context) error
}

// Tx is a transaction of a [Store]. It must not be used after the function that
// it was handed to has returned, nor by two goroutines at once.
type Tx interface {
	// CreateUser adds u, or returns ErrUsernameTaken.
	CreateUser(ctx context.Context, u User) error

	// ImportUsers adds users with their addresses and passkeys and says of each what
	// became of it, in the same order. A user whose id is there already stays as it is,
	// address and passkeys included. One whose canonical name or handle somebody has is not added, nor is
	// a passkey whose credential id somebody has. No two of batch have an id,
	// canonical name, handle or credential id in common.
	ImportUsers(ctx context.Context, batch []UserRecord) ([]UserOutcome, error)

	// LockUser returns the user under a lock on the row that lasts to the end of the
	// transaction: whoever else asks for it waits. It returns ErrNotFound where there is
	// none.
	LockUser(ctx context.Context, userID uuid.UUID) (User, error)

	// LockAccount is Store.Account under a lock on the user's row that lasts to
	// the end of the transaction: whoever else asks for it waits.
	LockAccount(ctx context.Context, userID, sessionID uuid.UUID, now time.Time) (Account, error)

	// CreateSession adds s.
	CreateSession(ctx context.Context, s Session) error

	// ElevateSession sets what s says of FullAt, FullPasskeyID, FullHardware and
	// ExpiresAt, and
	// moves the generation on by two at FullAt, provided that the session is live
	// then, as Account means it. It returns the session's generation, or
	// ErrNotFound.
	ElevateSession(ctx context.Context, s Session) (generation int64, err error)

	// EndSessions ends live sessions and returns their ids.
	EndSessions(ctx context.Context, which EndSessions) ([]uuid.UUID, error)

	// ForgetAttempts sets back the count of failures of a key, and its waits as well
	// unless keepWaits.
	ForgetAttempts(ctx context.Context, key AttemptKey, keepWaits bool) error

	// AdoptPassword takes a session over to the password that its user has now, as s
	// says of PasswordVersion and PasswordAt, and moves its generation on by two at
	// that time. It returns the generation, or ErrNotFound if the session has ended or
	// expired.
	AdoptPassword(ctx context.Context, s Session, at time.Time) (generation int64, err error)

	// DeleteUser empties the user's account at that time: passkeys, and all that is
	// known of the user but id and canonical name, are gone. hash, which belongs to no
	// password, takes the place of the user's. The name is free again after
	// NameQuarantine. It returns ErrNotFound if there is no such user any more.
	//
	// Sessions are the caller's to end, before.
	DeleteUser(ctx context.Context, userID uuid.UUID, hash string, at time.Time) error

	// SetDisabled disables a user at that time, or enables the user if at is nil,
	// and reports whether that changed anything. A deleted user stays disabled.
	SetDisabled(ctx context.Context, userID uuid.UUID, at *time.Time) (bool, error)

	// CreatePasskey adds p, or returns ErrPasskeyExists if anybody has a passkey
	// with that credential id.
	CreatePasskey(ctx context.Context, p Passkey) error

	// RenamePasskey gives a passkey of the user's another name, or returns ErrNotFound.
	RenamePasskey(ctx context.Context, userID, passkeyID uuid.UUID, name string) error

	// DeletePasskey deletes a passkey of the user's, or returns ErrNotFound. Sessions are
	// the caller's: EndSessions and LowerSessions, after it, so that a verification that
	// comes in between is either found or fails for want of the passkey.
	DeletePasskey(ctx context.Context, userID, passkeyID uuid.UUID) error

	// LowerSessions takes the user's sessions that were raised with a passkey and have not
	// ended back to level password, notes the time, and returns their ids.
	LowerSessions(ctx context.Context, userID, passkeyID uuid.UUID, at time.Time) ([]uuid.UUID, error)

	// UsePasskey stores a successful verification: signature counter, flags and
	// time, and with BackupChanged that the passkey is not attested any more. It
	// reports false, and changes nothing, if the passkey is gone or unless the counter
	// grows or stays at zero (WebAuthn L3 §7.2 step 22).
	UsePasskey(ctx context.Context, use PasskeyUse) (bool, error)

	// SpendChallenge remembers digest until that time at least, and reports whether
	// it was not known before. Of several transactions that are committed one is told
	// so; the others wait for it.
	SpendChallenge(ctx context.Context, digest [sha256.Size]byte, until time.Time) (first bool, err error)

	// RecordEvent adds e.
	RecordEvent(ctx context.Context, e Event) error

	// RecordEvents adds all of events, for when there are many.
	RecordEvents(ctx context.Context, events []Event) error

	// PinSetting stores value under name unless a value is there already, and
	// returns the one that is there now. Of several transactions that pin one
	// name, all but the first wait for it and get what it stored.
	PinSetting(ctx context.Context, name, value string) (string, error)

	// AddSigningKey adds k.
	AddSigningKey(ctx context.Context, k SealedKey) error

	// RevokeSigningKey marks a key as revoked, or returns ErrNotFound. A key that is
	// revoked already keeps its time.
	RevokeSigningKey(ctx context.Context, id string, at time.Time) error

	// MailTx is for e-mail, RecoveryTx for recovery.
	MailTx
	RecoveryTx
}
