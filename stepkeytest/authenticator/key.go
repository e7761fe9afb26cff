package authenticator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"math/big"
)

// COSEKey is a COSE_Key (RFC 9052 §7) by its integer labels.
type COSEKey map[int64]any

// key is a credential key pair.
type key struct {
	alg    int64
	signer crypto.Signer
}

func newKey(alg int64, random io.Reader) (key, error) {
	signer, err := newSigner(alg, random)
	if err != nil {
		return key{}, fmt.Errorf("authenticator: generating a key: %w", err)
	}
	return key{alg: alg, signer: signer}, nil
}

func newSigner(alg int64, random io.Reader) (crypto.Signer, error) {
	switch alg {
	case EdDSA:
		seed := make([]byte, ed25519.SeedSize)
		if _, err := io.ReadFull(random, seed); err != nil {
			return nil, err
		}
		return ed25519.NewKeyFromSeed(seed), nil
	case ES256:
		return newP256(random)
	case RS256:
		return rsa.GenerateKey(rand.Reader, 2048)
	default:
		return nil, ErrNotSupported
	}
}

// newP256 draws scalars until one is below the order of the group, which the
// first one almost always is.
func newP256(random io.Reader) (crypto.Signer, error) {
	scalar := make([]byte, 32)
	for {
		if _, err := io.ReadFull(random, scalar); err != nil {
			return nil, err
		}
		if private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar); err == nil {
			return private, nil
		}
	}
}

// cose returns the public key as WebAuthn Level 3 §6.5.1.1 requires.
func (k key) cose() COSEKey {
	switch public := k.signer.Public().(type) {
	case ed25519.PublicKey:
		return COSEKey{1: 1, 3: k.alg, -1: 6, -2: []byte(public)}
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic("authenticator: its own key is not on the curve")
		}
		return COSEKey{1: 2, 3: k.alg, -1: 1, -2: point[1:33], -3: point[33:]}
	case *rsa.PublicKey:
		return COSEKey{1: 3, 3: k.alg, -1: public.N.Bytes(), -2: big.NewInt(int64(public.E)).Bytes()}
	default:
		panic("authenticator: unknown kind of key")
	}
}

// sign signs as WebAuthn Level 3 §6.5.5 requires: Ed25519 over the message,
// ASN.1 ECDSA and PKCS #1 v1.5 over its SHA-256.
func (k key) sign(message []byte) ([]byte, error) {
	if k.alg == EdDSA {
		return k.signer.Sign(nil, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return k.signer.Sign(nil, digest[:], crypto.SHA256)
}
