package stepkey

import (
	"context"

	"github.com/stepkey/stepkey/storage"
)

// Keys lists the signing keys, the newest first.
func (s *Service) Keys(ctx context.Context) ([]KeyInfo, error) {
	if !s.keys.rotates() {
		return nil, ErrNoKeys
	}
	stored, err := s.store.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	infos := make([]KeyInfo, len(stored))
	for i, state := range keyStates(stored, s.now()) {
		k := stored[i]
		infos[i] = KeyInfo{ID: k.ID, State: state, Algorithm: s.keys.algorithmOf(k), CreatedAt: k.CreatedAt, ActivatesAt: k.ActivatesAt}
	}
	return infos, nil
}

// RotateKey publishes a key that signs KeyLead from now. If one is waiting already
// nothing happens.
func (s *Service) RotateKey(ctx context.Context) error {
	if !s.keys.rotates() {
		return ErrNoKeys
	}
	stored, err := s.store.SigningKeys(ctx)
	if err != nil || hasNext(stored, s.now()) {
		return err
	}
	if err := s.keys.add(ctx, stored, s.now().Add(KeyLead)); err != nil {
		return err
	}
	return s.keys.look(ctx)
}

// RevokeKey stops a key for good: this instance accepts nothing that it signed from
// now on, the others within 15 seconds, services that verify by themselves when
// they next fetch the public keys. Everybody whose token it signed has to refresh
// or to sign in again. If it was the current key, a new one signs at once. A key
// that is not there is ErrNotFound.
func (s *Service) RevokeKey(ctx context.Context, id string) error {
	if !s.keys.rotates() {
		return ErrNoKeys
	}
	now := s.now()
	err := s.store.InTx(ctx, func(tx storage.Tx) error { return tx.RevokeSigningKey(ctx, id, now) })
	if err != nil {
		return err
	}
	return s.keys.look(ctx)
}
