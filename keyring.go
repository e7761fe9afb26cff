package stepkey

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

const (
	settingFingerprint = "secret_fingerprint"
	settingSuccessor   = "signing_key_after_" // and the id of the key before, or "none"
	purposeSigningKey  = "signing key"

	// keysEvery is how often an instance looks for keys that others made or revoked.
	keysEvery = 15 * time.Second

	// keysAtMost is how often it looks because a token names a key that it does not
	// know.
	keysAtMost = time.Second
)

// ErrNoKeys is returned where signing keys are asked for and tokens are signed
// with a shared secret.
var ErrNoKeys = errors.New("stepkey: tokens are signed with JWT_SECRET; there are no keys to manage")

// signingKeys keeps the keyring in step with the store and with time. It is a
// token.KeySource.
type signingKeys struct {
	service   *Service
	ring      *token.Keyring
	algorithm token.Algorithm
	lifetime  time.Duration

	// shared is the secret of earlier tokens, accepted until sharedUntil.
	shared      token.VerificationKey
	sharedUntil time.Time

	mu     sync.Mutex
	stored []storage.SealedKey
	opened map[string]token.SigningKey

	// asking lets one request at a time look for a key that a token names, and
	// askedAt, on this process's own clock, is when the last one was done.
	asking  sync.Mutex
	askedAt time.Time
}

// VerificationKey implements token.KeySource. A key that another instance made
// just now is looked for once.
func (k *signingKeys) VerificationKey(ctx context.Context, kid string) (token.VerificationKey, error) {
	key, err := k.ring.VerificationKey(ctx, kid)
	if !errors.Is(err, token.ErrUnknownKey) || !k.rotates() {
		return key, err
	}
	if err := k.ask(ctx); err != nil {
		return token.VerificationKey{}, err
	}
	return k.ring.VerificationKey(ctx, kid)
}

// ask looks, unless somebody did within keysAtMost. Anybody can send tokens with
// made-up keys, and must not be able to turn each of them into a query; also not
// while the database does not answer. Whoever waited finds what the one before saw.
func (k *signingKeys) ask(ctx context.Context) error {
	k.asking.Lock()
	defer k.asking.Unlock()
	if time.Since(k.askedAt) < keysAtMost {
		return nil
	}
	defer func() { k.askedAt = time.Now() }()
	return k.look(ctx)
}

// rotates reports whether there are keys in the store at all.
func (k *signingKeys) rotates() bool { return k.algorithm != token.HS256 }

// look reads the keys, makes the first or the next one if it is time, and puts the
// ring in order.
func (k *signingKeys) look(ctx context.Context) error {
	stored, err := k.service.store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	if due, activatesAt := k.due(stored); due {
		if err := k.add(ctx, stored, activatesAt); err != nil {
			return fmt.Errorf("stepkey: make a signing key: %w", err)
		}
		if stored, err = k.service.store.SigningKeys(ctx); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stored = stored
	return k.arrange()
}

// due reports whether a key has to be made, and when it is to sign. Without a
// current one that is at once; otherwise it is published first.
func (k *signingKeys) due(stored []storage.SealedKey) (bool, time.Time) {
	now := k.service.now()
	current := currentKey(stored, now)
	switch {
	case current < 0:
		return true, now
	case hasNext(stored, now):
		return false, time.Time{}
	case k.algorithmOf(stored[current]) != k.algorithm:
		return true, now.Add(KeyLead)
	case !now.Before(stored[current].ActivatesAt.Add(k.lifetime - KeyLead)):
		return true, later(now.Add(KeyLead), stored[current].ActivatesAt.Add(k.lifetime))
	default:
		return false, time.Time{}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (k *signingKeys) algorithmOf(stored storage.SealedKey) token.Algorithm {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.open(stored)
	if err != nil {
		return ""
	}
	return key.Verification().Algorithm()
}

// add makes a key. Of several instances that make the successor of one key at once,
// one pins its own; the others wait for it and then use that one.
func (k *signingKeys) add(ctx context.Context, stored []storage.SealedKey, activatesAt time.Time) error {
	fresh, err := k.newSealedKey(activatesAt)
	if err != nil {
		return err
	}
	before := "none"
	if last := lastKey(stored); last >= 0 {
		before = stored[last].ID
	}
	return k.service.store.InTx(ctx, func(tx storage.Tx) error {
		pinned, err := tx.PinSetting(ctx, settingSuccessor+before, fresh.ID)
		if err != nil || pinned != fresh.ID {
			return err
		}
		return tx.AddSigningKey(ctx, fresh)
	})
}

// lastKey is the index of the key that activates last, revoked or not, or -1.
func lastKey(stored []storage.SealedKey) int {
	last := -1
	for i := range stored {
		if last < 0 || laterKey(stored[i], stored[last]) {
			last = i
		}
	}
	return last
}

func (k *signingKeys) newSealedKey(activatesAt time.Time) (storage.SealedKey, error) {
	key, err := k.generate()
	if err != nil {
		return storage.SealedKey{}, err
	}
	der, err := key.MarshalPrivate()
	if err != nil {
		return storage.SealedKey{}, err
	}
	s := k.service
	sealed, err := s.root.Seal(purposeSigningKey, key.ID(), der, s.random)
	return storage.SealedKey{ID: key.ID(), Sealed: sealed, CreatedAt: s.now(), ActivatesAt: activatesAt}, err
}

func (k *signingKeys) generate() (token.SigningKey, error) {
	if k.algorithm == token.EdDSA {
		_, private, err := ed25519.GenerateKey(k.service.random)
		if err != nil {
			return token.SigningKey{}, err
		}
		return token.NewEd25519Key(private)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), k.service.random)
	if err != nil {
		return token.SigningKey{}, err
	}
	return token.NewECDSAKey(private)
}

// arrange gives the ring what is current, next and previous at this moment. The
// caller holds mu.
func (k *signingKeys) arrange() error {
	now := k.service.now()
	var current token.SigningKey
	var others []token.VerificationKey
	for i, state := range keyStates(k.stored, now) {
		if state == KeyRetired || state == KeyRevoked {
			continue
		}
		key, err := k.open(k.stored[i])
		if err != nil {
			return fmt.Errorf("stepkey: open signing key %s: %w", k.stored[i].ID, err)
		}
		if state == KeyCurrent {
			current = key
			continue
		}
		others = append(others, key.Verification())
	}
	if now.Before(k.sharedUntil) {
		others = append(others, k.shared)
	}
	k.ring.Replace(current, others...)
	return nil
}

// open decrypts a key, once. The caller holds mu.
func (k *signingKeys) open(stored storage.SealedKey) (token.SigningKey, error) {
	if key, ok := k.opened[stored.ID]; ok {
		return key, nil
	}
	der, err := k.service.root.Open(purposeSigningKey, stored.ID, stored.Sealed)
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

// run changes over when a key's time has come and looks for new ones, until ctx
// ends.
func (k *signingKeys) run(ctx context.Context, failed func(error)) {
	if !k.rotates() {
		return
	}
	arrange, look := time.NewTicker(time.Second), time.NewTicker(keysEvery)
	defer arrange.Stop()
	defer look.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-arrange.C:
			k.mu.Lock()
			err = k.arrange()
			k.mu.Unlock()
		case <-look.C:
			err = k.look(ctx)
		}
		if err != nil {
			failed(err)
		}
	}
}

// openKeys makes the keyring that c asks for.
func (s *Service) openKeys(ctx context.Context, c Config) (*signingKeys, error) {
	k := &signingKeys{
		service: s, algorithm: c.Algorithm, lifetime: c.KeyLifetime, opened: map[string]token.SigningKey{},
	}
	if c.SharedSecret != "" {
		previous := make([][]byte, len(c.PreviousSharedSecrets))
		for i, text := range c.PreviousSharedSecrets {
			previous[i] = []byte(text)
		}
		key, err := token.NewSecretKey([]byte(c.SharedSecret), c.WeakSharedSecret(), previous...)
		if err != nil {
			return nil, err
		}
		k.ring, k.shared, k.sharedUntil = token.NewKeyring(key), key.Verification(), c.SharedSecretUntil
	}
	if !k.rotates() {
		return k, nil
	}
	if k.ring == nil {
		k.ring = token.NewKeyring(token.SigningKey{})
	}
	return k, k.look(ctx)
}

// pinSecret has the store remember which secret it belongs to.
func (s *Service) pinSecret(ctx context.Context) error {
	mine, stored := s.root.Fingerprint(), ""
	err := s.store.InTx(ctx, func(tx storage.Tx) (err error) {
		stored, err = tx.PinSetting(ctx, settingFingerprint, mine)
		return err
	})
	if err != nil {
		return fmt.Errorf("stepkey: read the secret's fingerprint: %w", err)
	}
	if stored != mine {
		return ErrOtherSecret
	}
	return nil
}
