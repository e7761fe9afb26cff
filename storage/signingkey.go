package storage

import (
	"context"
	"time"
)

// SealedKey is a signing key as it is stored. The private part is encrypted with a key derived
// from the service's secret, so that a copy of the database signs nothing.
type SealedKey struct {
	ID          string // the kid
	Sealed      []byte
	CreatedAt   time.Time
	ActivatesAt time.Time // when it begins to sign
	RevokedAt   *time.Time
}

// KeyStore is the part of a [Store] about signing keys.
type KeyStore interface {
	// SigningKeys returns all signing keys, the one that activates last first.
	SigningKeys(ctx context.Context) ([]SealedKey, error)
}

// KeyTx is the part of a [Tx] about signing keys and what the instances on one store have to
// agree on.
type KeyTx interface {
	// AddSigningKey adds k.
	AddSigningKey(ctx context.Context, k SealedKey) error

	// RevokeSigningKey marks a key as revoked, or returns ErrNotFound. A key that is revoked
	// already keeps its time.
	RevokeSigningKey(ctx context.Context, id string, at time.Time) error

	// PinSetting stores value under name unless there is a value already, and returns the one
	// that is stored now. Of several transactions that pin one name, all but the first wait
	// for it and get its value.
	PinSetting(ctx context.Context, name, value string) (string, error)
}
