package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"errors"
	"fmt"

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

// MinSecretBytes is how long a shared secret has to be (RFC 7518 §3.2: a key of
// at least the hash's size).
const MinSecretBytes = 32

// ErrKey is the kind of every error about a key that cannot be used.
var ErrKey = errors.New("token: unusable key")

// VerificationKey checks signatures of one algorithm. The zero value checks
// nothing: every token is refused.
type VerificationKey struct {
	id        string
	algorithm Algorithm
	method    jwt.SigningMethod
	material  any
}

// ID is the kid that names the key in a token's header. The shared secret has
// none.
func (k VerificationKey) ID() string { return k.id }

// Algorithm is the one algorithm this key is for.
func (k VerificationKey) Algorithm() Algorithm { return k.algorithm }

// SigningKey makes signatures, and knows the key that checks them.
type SigningKey struct {
	verification VerificationKey
	private      any
}

// Verification returns the half that checks what this key signs. For a shared
// secret that half is the secret itself: keep it.
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

// NewSecretKey makes an HS256 key of a shared secret. It signs as the original
// does: without kid. Every service that holds the secret can mint tokens;
// prefer [NewECDSAKey].
//
// Secrets shorter than [MinSecretBytes] are refused, unless weak is true, which
// is for trying the original's sample settings on localhost.
func NewSecretKey(secret []byte, weak bool) (SigningKey, error) {
	if len(secret) == 0 || (len(secret) < MinSecretBytes && !weak) {
		return SigningKey{}, fmt.Errorf("%w: a shared secret needs at least %d bytes", ErrKey, MinSecretBytes)
	}
	v := VerificationKey{algorithm: HS256, method: jwt.SigningMethodHS256, material: secret}
	return SigningKey{verification: v, private: secret}, nil
}

// NewECDSAKey makes an ES256 key. Its kid is the RFC 7638 thumbprint.
func NewECDSAKey(private *ecdsa.PrivateKey) (SigningKey, error) {
	v, err := NewECDSAVerificationKey(&private.PublicKey)
	if err != nil {
		return SigningKey{}, err
	}
	return SigningKey{verification: v, private: private}, nil
}

// NewECDSAVerificationKey makes the checking half of an ES256 key.
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

// NewEd25519VerificationKey makes the checking half of an EdDSA key.
func NewEd25519VerificationKey(public ed25519.PublicKey) (VerificationKey, error) {
	if len(public) != ed25519.PublicKeySize {
		return VerificationKey{}, fmt.Errorf("%w: an Ed25519 public key has %d bytes", ErrKey, ed25519.PublicKeySize)
	}
	k := VerificationKey{algorithm: EdDSA, method: jwt.SigningMethodEdDSA, material: public}
	k.id = jwkOf(k).thumbprint()
	return k, nil
}
