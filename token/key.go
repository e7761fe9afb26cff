package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"errors"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithm is a JWS algorithm by its registered name. Comparison is exact and
// case-sensitive.
type Algorithm string

// The algorithms a key may have.
const (
	HS256 Algorithm = "HS256"
	ES256 Algorithm = "ES256"
	EdDSA Algorithm = "EdDSA"
)

// MinSecretBytes is the least length of a shared secret (RFC 7518 §3.2: a key
// of at least the hash's size).
const MinSecretBytes = 32

// ErrKey is the kind of every error about a key that cannot be used.
var ErrKey = errors.New("token: unusable key")

// VerificationKey checks signatures of one algorithm. The zero value refuses
// every token.
type VerificationKey struct {
	id        string
	algorithm Algorithm
	method    jwt.SigningMethod
	material  any
}

// ID is the kid that names the key in a token's header. The shared secret has
// none.
func (k VerificationKey) ID() string { return k.id }

// Algorithm is the only algorithm that the key is used with.
func (k VerificationKey) Algorithm() Algorithm { return k.algorithm }

// verify checks a signature over signed. With several shared secrets, any of
// them may match.
func (k VerificationKey) verify(signed string, signature []byte) error {
	secrets, shared := k.material.(sharedSecrets)
	if !shared {
		return k.method.Verify(signed, signature, k.material)
	}
	err := jwt.ErrSignatureInvalid
	for _, secret := range secrets {
		if err = k.method.Verify(signed, signature, secret); err == nil {
			return nil
		}
	}
	return err
}

// equal reports whether both keys accept the same signatures. The id of a
// public key is its hash.
func (k VerificationKey) equal(other VerificationKey) bool {
	if k.id != other.id || k.algorithm != other.algorithm {
		return false
	}
	mine, _ := k.material.(sharedSecrets)
	others, _ := other.material.(sharedSecrets)
	return slices.EqualFunc(mine, others, bytes.Equal)
}

// sharedSecrets are HS256 secrets. The first one signs.
type sharedSecrets [][]byte

// SigningKey makes signatures. It includes the key that checks them.
type SigningKey struct {
	verification VerificationKey
	private      any
}

// Verification returns the key that checks what this key signs. For a shared
// secret it contains the secret itself: do not publish it.
func (k SigningKey) Verification() VerificationKey { return k.verification }

// ID is the kid that names the key in a token's header.
func (k SigningKey) ID() string { return k.verification.id }

// Private returns the private key that the SigningKey was made from:
// *ecdsa.PrivateKey, ed25519.PrivateKey, or []byte for a shared secret.
func (k SigningKey) Private() any { return k.private }

// String keeps key material out of logs.
func (k SigningKey) String() string {
	return fmt.Sprintf("%s key %q [redacted]", k.verification.algorithm, k.verification.id)
}

// GoString keeps key material out of %#v.
func (k SigningKey) GoString() string { return k.String() }

// NewSecretKey makes an HS256 key from a shared secret. Like the original, it
// signs without a kid. Every service that has the secret can issue tokens;
// prefer [NewECDSAKey].
//
// Signatures by previous secrets are accepted as well. To change a secret, pass
// the old one as previous for [Lifetime] plus [Leeway], then drop it.
//
// Secrets shorter than [MinSecretBytes] are refused unless weak is true, which
// is for trying the original's sample settings on localhost.
func NewSecretKey(secret []byte, weak bool, previous ...[]byte) (SigningKey, error) {
	var accepted sharedSecrets
	for _, s := range append([][]byte{secret}, previous...) {
		if len(s) == 0 || (len(s) < MinSecretBytes && !weak) {
			return SigningKey{}, fmt.Errorf("%w: a shared secret needs at least %d bytes", ErrKey, MinSecretBytes)
		}
		accepted = append(accepted, bytes.Clone(s))
	}
	v := VerificationKey{algorithm: HS256, method: jwt.SigningMethodHS256, material: accepted}
	return SigningKey{verification: v, private: accepted[0]}, nil
}

// NewECDSAKey makes an ES256 key. Its kid is the RFC 7638 thumbprint.
func NewECDSAKey(private *ecdsa.PrivateKey) (SigningKey, error) {
	v, err := NewECDSAVerificationKey(&private.PublicKey)
	if err != nil {
		return SigningKey{}, err
	}
	return SigningKey{verification: v, private: private}, nil
}

// NewECDSAVerificationKey makes the verification key of an ES256 key.
func NewECDSAVerificationKey(public *ecdsa.PublicKey) (VerificationKey, error) {
	if public.Curve != elliptic.P256() {
		return VerificationKey{}, fmt.Errorf("%w: ES256 is for the curve P-256", ErrKey)
	}
	if _, err := public.ECDH(); err != nil {
		return VerificationKey{}, fmt.Errorf("%w: not a point on P-256", ErrKey)
	}
	k := VerificationKey{algorithm: ES256, method: jwt.SigningMethodES256, material: public}
	k.id = jwkOf(k).thumbprint()
	return k, nil
}

// NewEd25519Key makes an EdDSA key. Its kid is the RFC 7638 thumbprint.
func NewEd25519Key(private ed25519.PrivateKey) (SigningKey, error) {
	if len(private) != ed25519.PrivateKeySize {
		return SigningKey{}, fmt.Errorf("%w: an Ed25519 private key has %d bytes", ErrKey, ed25519.PrivateKeySize)
	}
	v, err := NewEd25519VerificationKey(private.Public().(ed25519.PublicKey))
	if err != nil {
		return SigningKey{}, err
	}
	return SigningKey{verification: v, private: private}, nil
}

// NewEd25519VerificationKey makes the verification key of an EdDSA key.
func NewEd25519VerificationKey(public ed25519.PublicKey) (VerificationKey, error) {
	if len(public) != ed25519.PublicKeySize {
		return VerificationKey{}, fmt.Errorf("%w: an Ed25519 public key has %d bytes", ErrKey, ed25519.PublicKeySize)
	}
	k := VerificationKey{algorithm: EdDSA, method: jwt.SigningMethodEdDSA, material: public}
	k.id = jwkOf(k).thumbprint()
	return k, nil
}
