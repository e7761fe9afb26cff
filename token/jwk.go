package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// JWK is the public part of a key (RFC 7517). It has no field for a private or
// symmetric part, so that none can be published by mistake.
type JWK struct {
	Type      string    `json:"kty"`
	Curve     string    `json:"crv"`
	X         string    `json:"x"`
	Y         string    `json:"y,omitempty"`
	ID        string    `json:"kid"`
	Use       string    `json:"use"`
	Algorithm Algorithm `json:"alg"`
}

// JWKS is a set of public keys (RFC 7517 §5).
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// jwkOf returns the public key of k, and the zero JWK for a shared secret.
func jwkOf(k VerificationKey) JWK {
	switch public := k.material.(type) {
	case *ecdsa.PublicKey:
		// The uncompressed point: 0x04, X and Y in 32 bytes each.
		point, err := public.Bytes()
		if err != nil {
			return JWK{}
		}
		return JWK{
			Type: "EC", Curve: "P-256", X: encode(point[1:33]), Y: encode(point[33:]),
			ID: k.id, Use: "sig", Algorithm: ES256,
		}
	case ed25519.PublicKey:
		return JWK{Type: "OKP", Curve: "Ed25519", X: encode(public), ID: k.id, Use: "sig", Algorithm: EdDSA}
	default:
		return JWK{}
	}
}

// thumbprint is the RFC 7638 thumbprint: the required members in lexical order,
// without white space, hashed with SHA-256.
func (j JWK) thumbprint() string {
	members := fmt.Sprintf(`{"crv":%q,"kty":%q,"x":%q}`, j.Curve, j.Type, j.X)
	if j.Type == "EC" {
		members = fmt.Sprintf(`{"crv":%q,"kty":%q,"x":%q,"y":%q}`, j.Curve, j.Type, j.X, j.Y)
	}
	sum := sha256.Sum256([]byte(members))
	return encode(sum[:])
}

// VerificationKey returns the key that the JWK describes. It refuses anything
// but an ES256 key on P-256 or an EdDSA key on Ed25519 whose kid is its
// thumbprint, because a remote key set can contain anything.
func (j JWK) VerificationKey() (VerificationKey, error) {
	k, err := j.publicKey()
	if err != nil {
		return VerificationKey{}, err
	}
	if j.Algorithm != k.algorithm {
		return VerificationKey{}, fmt.Errorf("%w: the key is for %s", ErrKey, k.algorithm)
	}
	if j.ID != k.id {
		return VerificationKey{}, fmt.Errorf("%w: kid is not the key's thumbprint", ErrKey)
	}
	return k, nil
}

func (j JWK) publicKey() (VerificationKey, error) {
	x, err := base64.RawURLEncoding.Strict().DecodeString(j.X)
	if err != nil {
		return VerificationKey{}, fmt.Errorf("%w: x is not base64url", ErrKey)
	}
	switch {
	case j.Type == "OKP" && j.Curve == "Ed25519":
		return NewEd25519VerificationKey(x)
	case j.Type == "EC" && j.Curve == "P-256":
		y, err := base64.RawURLEncoding.Strict().DecodeString(j.Y)
		if err != nil || len(x) != 32 || len(y) != 32 {
			return VerificationKey{}, fmt.Errorf("%w: a P-256 coordinate has 32 bytes", ErrKey)
		}
		point := append([]byte{4}, append(x, y...)...)
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			return VerificationKey{}, fmt.Errorf("%w: not a point on P-256", ErrKey)
		}
		return NewECDSAVerificationKey(public)
	default:
		return VerificationKey{}, fmt.Errorf("%w: neither P-256 nor Ed25519", ErrKey)
	}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
