package stepkey

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/stepkey/stepkey/token"
)

// SealedKey is a signing key as it is stored: the private part encrypted under
// a key derived from the service's secret, so that a copy of the database signs
// nothing.
type SealedKey struct {
	ID        string // the kid
	Sealed    []byte
	CreatedAt time.Time
}

// ErrOtherSecret is returned by [New] for a store that was set up with another
// secret. Its signing keys cannot be opened, and making new ones in silence
// would sign everybody out.
var ErrOtherSecret = errors.New("stepkey: the database was set up with another STEPKEY_SECRET: " +
	"start with the one it was first used with, found in the data folder or wherever it was kept")

const (
	settingFingerprint = "secret_fingerprint"
	settingFirstKey    = "first_signing_key"
	purposeSigningKey  = "signing key"
)

// pinSecret has the store remember which secret it belongs to.
func (s *Service) pinSecret(ctx context.Context) error {
	mine, stored := s.root.Fingerprint(), ""
	err := s.store.InTx(ctx, func(tx Tx) (err error) {
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

func (s *Service) openKeyring(ctx context.Context, c Config) (*token.Keyring, error) {
	if c.SharedSecret != "" {
		key, err := token.NewSecretKey([]byte(c.SharedSecret), c.WeakSharedSecret())
		if err != nil {
			return nil, err
		}
		return token.NewKeyring(key), nil
	}
	if err := s.ensureSigningKey(ctx); err != nil {
		return nil, fmt.Errorf("stepkey: make a signing key: %w", err)
	}
	sealed, err := s.store.SigningKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("stepkey: read the signing keys: %w", err)
	}
	return s.unsealKeys(sealed)
}

// ensureSigningKey makes the first key. Of several instances that start at once
// one pins its key's name; the others wait for it and use that key.
func (s *Service) ensureSigningKey(ctx context.Context) error {
	keys, err := s.store.SigningKeys(ctx)
	if err != nil || len(keys) > 0 {
		return err
	}
	fresh, err := s.newSealedKey()
	if err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx Tx) error {
		first, err := tx.PinSetting(ctx, settingFirstKey, fresh.ID)
		if err != nil || first != fresh.ID {
			return err
		}
		return tx.AddSigningKey(ctx, fresh)
	})
}

func (s *Service) newSealedKey() (SealedKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), s.random)
	if err != nil {
		return SealedKey{}, err
	}
	key, err := token.NewECDSAKey(private)
	if err != nil {
		return SealedKey{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return SealedKey{}, err
	}
	sealed, err := s.root.Seal(purposeSigningKey, key.ID(), der, s.random)
	return SealedKey{ID: key.ID(), Sealed: sealed, CreatedAt: s.now()}, err
}

func (s *Service) unsealKeys(sealed []SealedKey) (*token.Keyring, error) {
	var current token.SigningKey
	var others []token.VerificationKey
	for i, k := range sealed {
		key, err := s.unseal(k)
		if err != nil {
			return nil, fmt.Errorf("stepkey: open signing key %s: %w", k.ID, err)
		}
		if i == 0 {
			current = key
			continue
		}
		others = append(others, key.Verification())
	}
	return token.NewKeyring(current, others...), nil
}

func (s *Service) unseal(k SealedKey) (token.SigningKey, error) {
	der, err := s.root.Open(purposeSigningKey, k.ID, k.Sealed)
	if err != nil {
		return token.SigningKey{}, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return token.SigningKey{}, err
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return token.SigningKey{}, token.ErrKey
	}
	return token.NewECDSAKey(private)
}
