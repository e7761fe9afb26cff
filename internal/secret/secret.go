// Package secret keeps secrets out of logs and derives keys from the one root.
//
// [Root] is the 32 bytes from which every internal key comes: one key for each
// purpose, so that what protects one thing says nothing about another, and no
// key is ever used for two. [Text] is a setting that must not be printed.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// RootBytes is the length of a root.
const RootBytes = 32

const redacted = "[redacted]"

// ErrSealed is returned for sealed data that this root, purpose and label do
// not open.
var ErrSealed = errors.New("secret: cannot be opened with this root")

// Text is a secret that came as a setting.
type Text string

// String hides the secret from fmt and from logs.
func (t Text) String() string {
	if t == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret from %#v.
func (t Text) GoString() string { return t.String() }

// LogValue hides the secret from log/slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Reveal returns the secret itself.
func (t Text) Reveal() string { return string(t) }

// Root is the secret that all others are derived from. The zero Root is not
// usable; make one with [NewRoot] or [ParseRoot].
type Root struct{ key [RootBytes]byte }

// NewRoot draws a root from random.
func NewRoot(random io.Reader) (Root, error) {
	var r Root
	if _, err := io.ReadFull(random, r.key[:]); err != nil {
		return Root{}, fmt.Errorf("secret: draw a root: %w", err)
	}
	return r, nil
}

// ParseRoot reads a root from standard or URL-safe base64, padded or not. A root that
// can be guessed from its pattern is refused with [ErrPredictable].
func ParseRoot(text string) (Root, error) {
	raw, err := decodeBase64(text)
	if err != nil || len(raw) != RootBytes {
		return Root{}, fmt.Errorf("secret: a root is %d bytes in base64", RootBytes)
	}
	// A person may have typed a pattern in either form.
	if err := errors.Join(CheckPredictable(raw), CheckPredictable([]byte(strings.Trim(text, " \t\r\n=")))); err != nil {
		return Root{}, ErrPredictable
	}
	return Root{key: [RootBytes]byte(raw)}, nil
}

// decodeBase64 reads standard or URL-safe base64, padded or not.
func decodeBase64(text string) ([]byte, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	return base64.RawStdEncoding.DecodeString(text)
}

// Encode returns the root in base64, as ParseRoot takes it.
func (r Root) Encode() string { return base64.StdEncoding.EncodeToString(r.key[:]) }

// IsZero reports whether r was never made.
func (r Root) IsZero() bool { return r == Root{} }

// String hides the root.
func (r Root) String() string { return redacted }

// GoString hides the root from %#v.
func (r Root) GoString() string { return redacted }

// LogValue hides the root from log/slog.
func (r Root) LogValue() slog.Value { return slog.StringValue(redacted) }

// Derive returns the 32-byte key for purpose (HKDF-SHA256, RFC 5869).
func (r Root) Derive(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, r.key[:], nil, "stepkey "+purpose, 32)
	if err != nil {
		// Only an output of more than 255 hashes is an error.
		panic(err)
	}
	return key
}

// Fingerprint tells two roots apart and says nothing else about either.
func (r Root) Fingerprint() string {
	mac := hmac.New(sha256.New, r.Derive("fingerprint"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// Seal encrypts plain for purpose (AES-256-GCM). The label is not secret, but
// without the same label it does not open, so that sealed data cannot be moved
// from one row to another.
func (r Root) Seal(purpose, label string, plain []byte, random io.Reader) ([]byte, error) {
	aead, err := r.aead(purpose)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("secret: draw a nonce: %w", err)
	}
	return aead.Seal(nonce, nonce, plain, []byte(label)), nil
}

// Open decrypts what Seal made with the same root, purpose and label.
func (r Root) Open(purpose, label string, sealed []byte) ([]byte, error) {
	aead, err := r.aead(purpose)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, ErrSealed
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(label))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

func (r Root) aead(purpose string) (cipher.AEAD, error) {
	block, err := aes.NewCipher(r.Derive(purpose))
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return cipher.NewGCM(block)
}
