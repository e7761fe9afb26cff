package storage

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// KeepRefusedCeremonies is how long refused ceremonies are kept.
const KeepRefusedCeremonies = 30 * 24 * time.Hour

// Passkey is a stored WebAuthn credential (WebAuthn Level 3 §4, credential record).
type Passkey struct {
	ID     uuid.UUID
	UserID uuid.UUID

	// Credential holds id, key, counter, flags and transports as the authenticator gave them.
	Credential Credential

	// Name is the owner's label for it.
	Name string

	CreatedAt time.Time

	// UsableFrom is when the passkey begins to work, if it has to wait: it was added through
	// recovery, or as the first one after a reset by mail. It is nil for others.
	UsableFrom *time.Time

	// LastUsedAt is the latest successful verification, nil before the first.
	LastUsedAt *time.Time
}

// Waits reports whether the passkey does not work yet.
func (p Passkey) Waits(now time.Time) bool { return p.UsableFrom != nil && now.Before(*p.UsableFrom) }

// PasskeyUse is what a verification changes of a passkey.
type PasskeyUse struct {
	PasskeyID uuid.UUID
	SignCount uint32
	Flags     byte
	At        time.Time

	// BackupChanged reports whether the passkey became syncable or stopped being so. The
	// maker's attestation then no longer holds: otherwise a synced passkey could pass for
	// hardware by dropping a flag.
	BackupChanged bool
}

// Verified is a response of a passkey that was verified in a session, with all that it changes.
// SessionStore.Elevate and ActionStore.Consent store it in one atomic step, all of it or nothing.
//
// The step has three conditions, asked in this order. The challenge was not spent before
// (ErrChallengeExpired); the passkey exists and its counter grows or stays at zero
// (ErrPasskeyStale); the session is live at Use.At in the sense of SessionStore.Account
// (ErrNotFound). While the step is stored, the session cannot end.
type Verified struct {
	UserID    uuid.UUID
	SessionID uuid.UUID
	Use       PasskeyUse

	// Spent is the challenge of the response where another store keeps the challenges, and
	// nil where this one does.
	Spent *SpentChallenge

	// Events are recorded. None is an EventSignedIn.
	Events []Event

	// Also, unless it is nil, runs in the transaction of the step, after it and with a lock on
	// the user's row. If it returns an error, nothing is stored. Where it is nil, the step may
	// take one round trip.
	Also func(Tx) error
}

// RefusedCeremony counts the responses to one ceremony of a user that were refused for one
// reason. It holds nothing that a client sent.
type RefusedCeremony struct {
	UserID   uuid.UUID
	Ceremony Purpose

	// Reason is a word such as "origin" or "challenge_expired". docs/passkeys.md lists them.
	Reason string

	// Times counts the refusals. In a flood not all of them are counted.
	Times int64

	// LastAt and RequestID are the time and the request of the latest one.
	LastAt    time.Time
	RequestID string
}

// PasskeyStore is the part of a [Store] about passkeys.
type PasskeyStore interface {
	// PasskeyOwner returns the user who has the passkey with that credential id, active or
	// not, with that passkey alone.
	PasskeyOwner(ctx context.Context, credentialID []byte) (UserRecord, error)

	// RecordRefusedCeremony counts a refusal at LastAt and keeps the latest request id, in one
	// record for each user, ceremony and reason. It does nothing for a user who does not exist
	// or is deleted.
	RecordRefusedCeremony(ctx context.Context, r RefusedCeremony) error

	// RefusedCeremonies returns the user's refused ceremonies, the latest first.
	RefusedCeremonies(ctx context.Context, userID uuid.UUID) ([]RefusedCeremony, error)
}

// PasskeyTx is the part of a [Tx] about passkeys.
type PasskeyTx interface {
	// CreatePasskey adds p, or returns ErrPasskeyExists if any user has a passkey with that
	// credential id.
	CreatePasskey(ctx context.Context, p Passkey) error

	// StoreVerified stores v in this transaction, which creates the session of v: its conditions
	// are those of [Verified] but the one about the session. An error has to undo the transaction.
	StoreVerified(ctx context.Context, v Verified) error

	// RenamePasskey renames a passkey of the user's, or returns ErrNotFound.
	RenamePasskey(ctx context.Context, userID, passkeyID uuid.UUID, name string) error

	// DeletePasskey deletes a passkey of the user's, or returns ErrNotFound. Call EndSessions
	// and LowerSessions after it: a verification that races is then either found by them or
	// fails because the passkey is gone.
	DeletePasskey(ctx context.Context, userID, passkeyID uuid.UUID) error

	// DropWaitingPasskeys deletes the user's passkeys that do not work yet at now, and returns
	// their names by id.
	DropWaitingPasskeys(ctx context.Context, userID uuid.UUID, now time.Time) (map[uuid.UUID]string, error)
}
