package tokens

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

const (
	settingSuccessor  = "signing_key_after_" // followed by the id of the previous key, or "none"
	purposeSigningKey = "signing key"

	// keysEvery is how often an instance reads the keys, to see those that other
	// instances made or revoked.
	keysEvery = 15 * time.Second

	// keysAtMost is the shortest time between two reads caused by tokens that name an
	// unknown key.
	keysAtMost = time.Second
)

// KeyStore is the part of [storage.Store] that signing keys need.
type KeyStore interface {
	SigningKeys(ctx context.Context) ([]storage.SealedKey, error)
	InTx(ctx context.Context, fn func(storage.Tx) error) error
}

// KeyConfig is what [OpenSigningKeys] needs.
type KeyConfig struct {
	Store  KeyStore
	Root   secret.Root // encrypts the private keys in the store
	Random io.Reader

	// Now returns the time as stores keep it.
	Now func() time.Time

	// Algorithm is what new keys are for, and Lifetime how long one signs. With HS256
	// there are no keys in the store, and Shared signs.
	Algorithm token.Algorithm
	Lifetime  time.Duration

	// Shared is the shared secret, zero for none. With another Algorithm, what it
	// signed earlier is accepted until SharedUntil.
	Shared      token.SigningKey
	SharedUntil time.Time
}

// SigningKeys keeps a keyring in step with the store and with the schedule. It is a
// [token.KeySource] and safe for concurrent use.
type SigningKeys struct {
	config KeyConfig
	ring   *token.Keyring

	mu     sync.Mutex
	stored []storage.SealedKey
	opened map[string]token.SigningKey

	// reading admits one read at a time for unknown keys. readAt, on this process's own
	// clock, is when the last of them ended.
	reading sync.Mutex
	readAt  time.Time
}

// OpenSigningKeys reads the keys, and makes the first if there is none.
func OpenSigningKeys(ctx context.Context, c KeyConfig) (*SigningKeys, error) {
	k := &SigningKeys{config: c, ring: token.NewKeyring(c.Shared), opened: map[string]token.SigningKey{}}
	if !k.Stored() {
		return k, nil
	}
	return k, k.read(ctx)
}

// Ring returns the keyring that is kept in step.
func (k *SigningKeys) Ring() *token.Keyring { return k.ring }

// Stored reports whether the keys are in the store. If not, a shared secret signs.
func (k *SigningKeys) Stored() bool { return k.config.Algorithm != token.HS256 }

// VerificationKey implements [token.KeySource]. For an unknown key it reads the store
// once, because another instance may have just made that key.
func (k *SigningKeys) VerificationKey(ctx context.Context, kid string) (token.VerificationKey, error) {
	key, err := k.ring.VerificationKey(ctx, kid)
	if !errors.Is(err, token.ErrUnknownKey) || !k.Stored() {
		return key, err
	}
	if err := k.readUnlessRecent(ctx); err != nil {
		return token.VerificationKey{}, err
	}
	return k.ring.VerificationKey(ctx, kid)
}

// readUnlessRecent reads the keys unless that was done within keysAtMost. Anybody can
// send tokens with made-up key ids, and must not be able to turn each into a query,
// not even while the database fails. A caller that waited here uses the result of the
// one before.
func (k *SigningKeys) readUnlessRecent(ctx context.Context) error {
	k.reading.Lock()
	defer k.reading.Unlock()
	if time.Since(k.readAt) < keysAtMost {
		return nil
	}
	defer func() { k.readAt = time.Now() }()
	return k.read(ctx)
}

// read reads the keys, makes the first or the next one if it is due, and updates the
// ring.
func (k *SigningKeys) read(ctx context.Context) error {
	stored, err := k.config.Store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	if due, activatesAt := k.due(stored); due {
		if err := k.add(ctx, stored, activatesAt); err != nil {
			return fmt.Errorf("tokens: make a signing key: %w", err)
		}
		if stored, err = k.config.Store.SigningKeys(ctx); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stored = stored
	return k.updateRing()
}

// due reports whether a key has to be made, and when it begins to sign: at once if no
// key is current, otherwise after it has been published for KeyLead.
func (k *SigningKeys) due(stored []storage.SealedKey) (bool, time.Time) {
	now := k.config.Now()
	current := currentKey(stored, now)
	switch {
	case current < 0:
		return true, now
	case hasNext(stored, now):
		return false, time.Time{}
	case k.algorithmOf(stored[current]) != k.config.Algorithm:
		return true, now.Add(KeyLead)
	case !now.Before(stored[current].ActivatesAt.Add(k.config.Lifetime - KeyLead)):
		return true, later(now.Add(KeyLead), stored[current].ActivatesAt.Add(k.config.Lifetime))
	default:
		return false, time.Time{}
	}
}

// algorithmOf returns the algorithm of a key, empty if the key cannot be opened.
func (k *SigningKeys) algorithmOf(stored storage.SealedKey) token.Algorithm {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.open(stored)
	if err != nil {
		return ""
	}
	return key.Verification().Algorithm()
}

// add makes a key and stores it. If several instances make the successor of one key at
// once, the first to pin its own wins, and the others then use that one.
func (k *SigningKeys) add(ctx context.Context, stored []storage.SealedKey, activatesAt time.Time) error {
	fresh, err := k.newSealedKey(activatesAt)
	if err != nil {
		return err
	}
	previous := "none"
	if last := lastKey(stored); last >= 0 {
		previous = stored[last].ID
	}
	return k.config.Store.InTx(ctx, func(tx storage.Tx) error {
		pinned, err := tx.PinSetting(ctx, settingSuccessor+previous, fresh.ID)
		if err != nil || pinned != fresh.ID {
			return err
		}
		return tx.AddSigningKey(ctx, fresh)
	})
}

func (k *SigningKeys) newSealedKey(activatesAt time.Time) (storage.SealedKey, error) {
	key, err := k.generate()
	if err != nil {
		return storage.SealedKey{}, err
	}
	der, err := key.MarshalPrivate()
	if err != nil {
		return storage.SealedKey{}, err
	}
	sealed, err := k.config.Root.Seal(purposeSigningKey, key.ID(), der, k.config.Random)
	return storage.SealedKey{ID: key.ID(), Sealed: sealed, CreatedAt: k.config.Now(), ActivatesAt: activatesAt}, err
}

func (k *SigningKeys) generate() (token.SigningKey, error) {
	if k.config.Algorithm == token.EdDSA {
		_, private, err := ed25519.GenerateKey(k.config.Random)
		if err != nil {
			return token.SigningKey{}, err
		}
		return token.NewEd25519Key(private)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), k.config.Random)
	if err != nil {
		return token.SigningKey{}, err
	}
	return token.NewECDSAKey(private)
}

// updateRing gives the ring the current, next and previous keys of this moment. The
// caller holds mu.
func (k *SigningKeys) updateRing() error {
	now := k.config.Now()
	var current token.SigningKey
	var others []token.VerificationKey
	for i, state := range keyStates(k.stored, now) {
		if state == KeyRetired || state == KeyRevoked {
			continue
		}
		key, err := k.open(k.stored[i])
		if err != nil {
			return fmt.Errorf("tokens: open signing key %s: %w", k.stored[i].ID, err)
		}
		if state == KeyCurrent {
			current = key
			continue
		}
		others = append(others, key.Verification())
	}
	if now.Before(k.config.SharedUntil) {
		others = append(others, k.config.Shared.Verification())
	}
	k.ring.Replace(current, others...)
	return nil
}

// open decrypts a key, or returns it as decrypted before. The caller holds mu.
func (k *SigningKeys) open(stored storage.SealedKey) (token.SigningKey, error) {
	if key, ok := k.opened[stored.ID]; ok {
		return key, nil
	}
	der, err := k.config.Root.Open(purposeSigningKey, stored.ID, stored.Sealed)
	if err != nil {
		return token.SigningKey{}, err
	}
	key, err := token.ParsePrivateKey(der)
	if err == nil && key.ID() != stored.ID {
		err = token.ErrKey
	}
	if err != nil {
		return token.SigningKey{}, err
	}
	k.opened[stored.ID] = key
	return key, nil
}

// Run follows the schedule and reads what other instances changed, until ctx ends.
// Failures go to failed.
func (k *SigningKeys) Run(ctx context.Context, failed func(error)) {
	if !k.Stored() {
		return
	}
	update, read := time.NewTicker(time.Second), time.NewTicker(keysEvery)
	defer update.Stop()
	defer read.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-update.C:
			k.mu.Lock()
			err = k.updateRing()
			k.mu.Unlock()
		case <-read.C:
			err = k.read(ctx)
		}
		if err != nil {
			failed(err)
		}
	}
}

// ListedKey is a signing key in a list for operators.
type ListedKey struct {
	storage.SealedKey
	State     KeyState
	Algorithm token.Algorithm
}

// List returns the keys in the store, the newest first, each with its state now.
func (k *SigningKeys) List(ctx context.Context) ([]ListedKey, error) {
	stored, err := k.config.Store.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	listed := make([]ListedKey, len(stored))
	for i, state := range keyStates(stored, k.config.Now()) {
		listed[i] = ListedKey{SealedKey: stored[i], State: state, Algorithm: k.algorithmOf(stored[i])}
	}
	return listed, nil
}

// Rotate publishes a key that signs KeyLead from now, unless one is published already
// that does not sign yet.
func (k *SigningKeys) Rotate(ctx context.Context) error {
	stored, err := k.config.Store.SigningKeys(ctx)
	if err != nil || hasNext(stored, k.config.Now()) {
		return err
	}
	if err := k.add(ctx, stored, k.config.Now().Add(KeyLead)); err != nil {
		return err
	}
	return k.read(ctx)
}

// Revoke revokes a key and has this instance stop accepting it at once, or returns
// [storage.ErrNotFound]. If it was the current key, a new one signs at once.
func (k *SigningKeys) Revoke(ctx context.Context, id string) error {
	now := k.config.Now()
	err := k.config.Store.InTx(ctx, func(tx storage.Tx) error { return tx.RevokeSigningKey(ctx, id, now) })
	if err != nil {
		return err
	}
	return k.read(ctx)
}
