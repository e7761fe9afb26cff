package storage

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// KeepEmptyExternalUsers is how long an external user without passkeys and recovery codes is
// kept after the last call of EnterExternal.
const KeepEmptyExternalUsers = 30 * 24 * time.Hour

// KeepPurposeCounts is how long counts of outcomes are kept.
const KeepPurposeCounts = 365 * 24 * time.Hour

// ExternalUser names a user of an application that signs its users in itself.
type ExternalUser struct {
	// Realm names the application, which makes equal keys of two applications two users. It is
	// not empty: the empty realm is Stepkey's own users.
	Realm string

	// Key is the application's key of the user. Keys are compared byte by byte.
	Key string
}

// Standing is what an external user has, and has proved in one session.
type Standing struct {
	UserID uuid.UUID

	// HasPasskeys reports whether the user has a passkey, UsablePasskeys whether one of them
	// does not have to wait.
	HasPasskeys, UsablePasskeys bool

	// FullAt is when a passkey was last verified in the session, and FullPasskeyID that passkey.
	// FullAt is nil if none was, or if the session is not live or the passkey is gone.
	FullAt        *time.Time
	FullPasskeyID uuid.UUID

	// AllowUntil and OfferDeclinedAt are as set by AllowExternal and DeclineExternalOffer, nil
	// for never.
	AllowUntil, OfferDeclinedAt *time.Time
}

// PurposeCount is how often an outcome of a purpose came on a day.
type PurposeCount struct {
	Day                     time.Time // midnight UTC
	Purpose, Route, Outcome string
	N                       int64
}

// ExternalStore is the part of a [Store] about external users.
type ExternalStore interface {
	// Standing returns the standing of u in a session, as of one moment, or ErrNotFound if there
	// is no such user. Every request that needs a passkey asks, so it takes one look.
	Standing(ctx context.Context, u ExternalUser, sessionID uuid.UUID, now time.Time) (Standing, error)

	// ExternalPasskeys returns the passkeys of u, the oldest first, none for an unknown user.
	ExternalPasskeys(ctx context.Context, u ExternalUser) ([]Passkey, error)

	// TakeConsent removes a consent in a live session that has not expired and expires at latest
	// at the latest, and reports whether there was one. Of any number of callers, one is told so.
	TakeConsent(ctx context.Context, sessionID uuid.UUID, digest [sha256.Size]byte, now, latest time.Time) (bool, error)

	// AddPurposeCounts adds to the counts of a realm.
	AddPurposeCounts(ctx context.Context, realm string, counts []PurposeCount) error

	// PurposeCounts returns the counts of a realm since a day, in the order of day, purpose,
	// route and outcome.
	PurposeCounts(ctx context.Context, realm string, since time.Time) ([]PurposeCount, error)
}

// ExternalTx is the part of a [Tx] about external users.
type ExternalTx interface {
	// EnterExternal makes sure that an external user and a session of theirs are there, and
	// returns the user's id. Of u and s, it stores Realm, ExternalKey, Username, DisplayName, and
	// PasswordAt, Client and ExpiresAt; the ids, handle and canonical name of u are for a user
	// who is not there yet.
	//
	// A session that is live keeps its proof, and does not end before it would have; at level recovery
	// it does not end later either. One that
	// has expired, or whose proofs have been ended, begins anew without a proof. One that has
	// ended, or belongs to somebody else, is ErrNotFound: it never comes back. s.LastSeenAt is
	// the time.
	EnterExternal(ctx context.Context, u User, s Session) (userID uuid.UUID, err error)

	// EndExternalProofs ends all sessions of u with their proofs and consents, those of
	// verifications under way included. An unknown user is no error.
	EndExternalProofs(ctx context.Context, u ExternalUser) error

	// ForgetExternal deletes u and everything about u. The same key is then a new user. An
	// unknown user is no error.
	ForgetExternal(ctx context.Context, u ExternalUser) error

	// RecoverExternal moves a session that is live at that time to level recovery, until it
	// expires at until, and takes the proofs of the user's other sessions and all
	// consents. It returns ErrNotFound if the session is not live.
	RecoverExternal(ctx context.Context, userID, sessionID uuid.UUID, by RecoveryProof, at, until time.Time) error

	// EndExternalRecovery moves a session back to level password, until it expires at until.
	EndExternalRecovery(ctx context.Context, userID, sessionID uuid.UUID, until time.Time) error

	// AllowExternal stores until when u may add a passkey without an old one, nil for no longer,
	// and reports whether there is such a user.
	AllowExternal(ctx context.Context, u ExternalUser, until *time.Time) (bool, error)

	// SpendAllowance clears what AllowExternal stored for a user, and reports whether it held at
	// now. Of several transactions that commit, one is told so.
	SpendAllowance(ctx context.Context, userID uuid.UUID, now time.Time) (bool, error)

	// DeclineExternalOffer stores that a user declined to add a first passkey.
	DeclineExternalOffer(ctx context.Context, userID uuid.UUID, at time.Time) error

	// AddConsent stores that a passkey was verified in a session for what has this digest. An
	// equal consent is replaced. The caller has locked the user.
	AddConsent(ctx context.Context, sessionID uuid.UUID, digest [sha256.Size]byte, until time.Time) error
}
