package stepkey

import (
	"context"
	"time"

	"github.com/stepkey/stepkey/internal/tokens"
	"github.com/stepkey/stepkey/token"
)

// The schedule of signing keys, as docs/sessions.md explains it.
const (
	// KeyLead is how long a key is published before it signs: 15 minutes.
	KeyLead = tokens.KeyLead

	// JWKSMaxAge is how long verifiers may cache the public keys: 5 minutes.
	JWKSMaxAge = tokens.JWKSMaxAge

	// KeyLifetime is how long a key signs unless Config says otherwise.
	KeyLifetime = 90 * 24 * time.Hour
)

// KeyState is the state of a signing key at one moment.
type KeyState string

// The states, in the order of a key's life. Revoked can follow any of the others.
const (
	KeyNext     = KeyState(tokens.KeyNext)     // published, does not sign yet
	KeyCurrent  = KeyState(tokens.KeyCurrent)  // signs
	KeyPrevious = KeyState(tokens.KeyPrevious) // published; its signatures are accepted
	KeyRetired  = KeyState(tokens.KeyRetired)  // no longer accepted
	KeyRevoked  = KeyState(tokens.KeyRevoked)  // no longer accepted, by an operator's decision
)

// KeyInfo describes a signing key.
type KeyInfo struct {
	ID          string
	Algorithm   token.Algorithm
	State       KeyState
	CreatedAt   time.Time
	ActivatesAt time.Time
}

// Keys lists the signing keys, the newest first.
func (a *Admin) Keys(ctx context.Context) ([]KeyInfo, error) {
	if !a.service.keys.Stored() {
		return nil, ErrNoKeys
	}
	listed, err := a.service.keys.List(ctx)
	if err != nil {
		return nil, err
	}
	infos := make([]KeyInfo, len(listed))
	for i, k := range listed {
		infos[i] = KeyInfo{
			ID: k.ID, Algorithm: k.Algorithm, State: KeyState(k.State), CreatedAt: k.CreatedAt, ActivatesAt: k.ActivatesAt,
		}
	}
	return infos, nil
}

// RotateKey publishes a key that signs KeyLead from now. It does nothing if such a key
// is published already.
func (a *Admin) RotateKey(ctx context.Context) error {
	if !a.service.keys.Stored() {
		return ErrNoKeys
	}
	return a.service.keys.Rotate(ctx)
}

// RevokeKey stops a key for good, or returns ErrNotFound. This instance stops accepting
// its signatures at once, the others within 15 seconds, and services that verify by
// themselves when they next fetch the public keys. Clients that hold a token signed by it have
// to refresh or to sign in again. If it was the current key, a new one signs at once.
func (a *Admin) RevokeKey(ctx context.Context, id string) error {
	if !a.service.keys.Stored() {
		return ErrNoKeys
	}
	return a.service.keys.Revoke(ctx, id)
}
