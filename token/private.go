package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
)

// ParsePrivateKey parses an ES256 or EdDSA key written by
// [SigningKey.MarshalPrivate]: PKCS #8 in DER (RFC 5958). Any other kind of key
// is an [ErrKey].
func ParsePrivateKey(der []byte) (SigningKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		// The library's error may quote from the key.
		return SigningKey{}, fmt.Errorf("%w: not a PKCS #8 private key", ErrKey)
	}
	switch private := parsed.(type) {
	case *ecdsa.PrivateKey:
		return NewECDSAKey(private)
	case ed25519.PrivateKey:
		return NewEd25519Key(private)
	default:
		return SigningKey{}, fmt.Errorf("%w: neither P-256 nor Ed25519", ErrKey)
	}
}

// MarshalPrivate returns the private key as PKCS #8 in DER, unencrypted:
// encrypt it before storing it. A shared secret has no such form and is an
// [ErrKey].
func (k SigningKey) MarshalPrivate() ([]byte, error) {
	switch k.private.(type) {
	case *ecdsa.PrivateKey, ed25519.PrivateKey:
		return x509.MarshalPKCS8PrivateKey(k.private)
	default:
		return nil, fmt.Errorf("%w: a shared secret has no PKCS #8 form", ErrKey)
	}
}
