package webauthn

import (
	"encoding/base64"
	"errors"
)

// Base64URL is binary data that travels as base64url without padding (RFC 4648
// §5), as all binary data of WebAuthn's JSON does.
type Base64URL []byte

// MarshalText encodes without padding.
func (b Base64URL) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText accepts exactly what MarshalText produces. Padding, line
// breaks, the standard alphabet and stray trailing bits are refused, so that
// one value has one spelling. The error does not quote the text.
func (b *Base64URL) UnmarshalText(text []byte) error {
	decoded, err := decodeBase64URL(text)
	if err != nil {
		return err
	}
	*b = decoded
	return nil
}

func decodeBase64URL(text []byte) ([]byte, error) {
	for _, c := range text {
		// encoding/base64 skips these two even when it is strict.
		if c == '\r' || c == '\n' {
			return nil, errBase64URL
		}
	}
	decoded, err := base64.RawURLEncoding.Strict().AppendDecode([]byte{}, text)
	if err != nil {
		return nil, errBase64URL
	}
	return decoded, nil
}

var errBase64URL = errors.New("webauthn: not canonical unpadded base64url")
