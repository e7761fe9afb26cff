package storage

import "time"

// SealedKey is a signing key as it is stored: the private part encrypted under a
// key derived from the service's secret, so that a copy of the database signs
// nothing.
type SealedKey struct {
	ID          string // the kid
	Sealed      []byte
	CreatedAt   time.Time
	ActivatesAt time.Time // begins to sign
	RevokedAt   *time.Time
}
