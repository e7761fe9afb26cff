package tokens

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// format is the form that refresh and device tokens share: a prefix, then in base64url
// a payload of fixed size and its HMAC-SHA256. They are not JWTs, so that no verifier
// can take one for an access token.
type format struct {
	prefix  string
	payload int // bytes
}

func (f format) encode(payload, mac []byte) string {
	return f.prefix + base64.RawURLEncoding.EncodeToString(append(payload, mac...))
}

// decode splits a token without checking its MAC. It accepts only the spelling that
// encode produces.
func (f format) decode(text string) (payload, mac []byte, ok bool) {
	encoded, ok := strings.CutPrefix(text, f.prefix)
	if !ok || len(encoded) != base64.RawURLEncoding.EncodedLen(f.payload+sha256.Size) {
		return nil, nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) != f.payload+sha256.Size {
		return nil, nil, false // base64 ignores line breaks
	}
	return raw[:f.payload], raw[f.payload:], true
}

func macOf(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}
