package storage

import (
	"time"

	"github.com/google/uuid"
)

// Passkey is a stored WebAuthn credential (WebAuthn L3 §4, credential record).
type Passkey struct {
	ID     uuid.UUID
	UserID uuid.UUID

	// Credential holds id, key, counter, flags and transports as the
	// authenticator gave them.
	Credential Credential

	// Name is what its owner calls it.
	Name string

	CreatedAt time.Time

	// UsableFrom is from when a passkey works that was added through recovery, nil for
	// every other.
	UsableFrom *time.Time

	// LastUsedAt is the newest successful verification, nil before the first.
	LastUsedAt *time.Time
}

// Waits reports whether the passkey was added through recovery and cannot be used yet.
func (p Passkey) Waits(now time.Time) bool { return p.UsableFrom != nil && now.Before(*p.UsableFrom) }

// KeepRefusedCeremonies is how long refused ceremonies are remembered.
const KeepRefusedCeremonies = 30 * 24 * time.Hour

// RefusedCeremony says that answers to a ceremony of a user were refused for one reason.
// It holds nothing that a client sent.
type RefusedCeremony struct {
	UserID   uuid.UUID
	Ceremony Purpose

	// Reason is a word such as "origin" or "challenge_expired". docs/passkeys.md lists
	// them.
	Reason string

	// Times counts the refusals, at least: of a flood not all are counted.
	Times int64

	// LastAt and RequestID are the time and the request of the newest.
	LastAt    time.Time
	RequestID string
}

// PasskeyUse is what a verification changes of a passkey.
type PasskeyUse struct {
	PasskeyID uuid.UUID
	SignCount uint32
	Flags     byte
	At        time.Time

	// BackupChanged says that the passkey could not be synced before and now can, or
	// the other way round. What its maker said of it then no longer holds; otherwise a
	// synced passkey could pass for hardware by dropping a flag.
	BackupChanged bool
}
