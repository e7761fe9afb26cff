package token

import (
	"context"
	"errors"
	"sync/atomic"
)

// ErrUnknownKey is returned by a [KeySource] that has no key of that name.
var ErrUnknownKey = errors.New("token: unknown key")

// KeySource finds the key that a token names. Implementations must be safe for
// concurrent use.
type KeySource interface {
	// VerificationKey returns the key named kid, which is empty for the shared
	// secret, or [ErrUnknownKey]. Any other error means that the look-up failed;
	// the caller refuses the token then too.
	VerificationKey(ctx context.Context, kid string) (VerificationKey, error)
}

// Keyring holds the key that signs and the keys that are still or already
// accepted. It is a [KeySource] and safe for concurrent use.
type Keyring struct {
	state atomic.Pointer[keyringState]
}

type keyringState struct {
	current SigningKey
	byID    map[string]VerificationKey
	public  JWKS
}

// NewKeyring returns a keyring that signs with current and accepts signatures
// by current and others.
func NewKeyring(current SigningKey, others ...VerificationKey) *Keyring {
	r := &Keyring{}
	r.Replace(current, others...)
	return r
}

// Replace replaces all keys at once. A running verification finishes with the
// keys it started with.
func (r *Keyring) Replace(current SigningKey, others ...VerificationKey) {
	s := &keyringState{current: current, byID: make(map[string]VerificationKey, 1+len(others))}
	s.public.Keys = []JWK{}
	for _, k := range append([]VerificationKey{current.verification}, others...) {
		if _, seen := s.byID[k.id]; seen {
			continue
		}
		s.byID[k.id] = k
		if jwk := jwkOf(k); jwk.Type != "" {
			s.public.Keys = append(s.public.Keys, jwk)
		}
	}
	r.state.Store(s)
}

// Current returns the key that signs.
func (r *Keyring) Current() SigningKey { return r.state.Load().current }

// VerificationKey implements [KeySource].
func (r *Keyring) VerificationKey(_ context.Context, kid string) (VerificationKey, error) {
	k, ok := r.state.Load().byID[kid]
	if !ok {
		return VerificationKey{}, ErrUnknownKey
	}
	return k, nil
}

// JWKS returns the public keys, the signing one first. Shared secrets are never
// in it.
func (r *Keyring) JWKS() JWKS { return r.state.Load().public }
