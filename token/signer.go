package token

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Type is the typ header of access tokens (RFC 9068 §2.1). Other tokens have
// other types and are refused where an access token is expected.
const Type = "at+jwt"

// Signer signs tokens with the keyring's current key. It is safe for concurrent
// use.
type Signer struct {
	keys *Keyring
}

// NewSigner returns a Signer that uses keys.
func NewSigner(keys *Keyring) *Signer { return &Signer{keys: keys} }

// Sign returns an access token with the claims c. The caller fills in every
// claim; Sign refuses claims that [Verifier.Verify] would refuse.
func (s *Signer) Sign(c Claims) (string, error) {
	return s.sign(Type, c, c.incomplete(), MaxBytes)
}

// sign returns a token of type typ. It fails if incomplete is not empty or if
// the token would be longer than limit.
func (s *Signer) sign(typ string, claims any, incomplete string, limit int) (string, error) {
	if incomplete != "" {
		return "", fmt.Errorf("token: cannot sign: %s", incomplete)
	}
	key := s.keys.Current()
	if key.verification.method == nil {
		return "", fmt.Errorf("%w: no key to sign with", ErrKey)
	}
	header, err1 := json.Marshal(tokenHeader{string(key.verification.algorithm), key.ID(), typ})
	payload, err2 := marshal(claims)
	if err := errors.Join(err1, err2); err != nil {
		return "", fmt.Errorf("token: sign: %w", err)
	}
	signed := encode(header) + "." + encode(payload)
	signature, err := key.verification.method.Sign(signed, key.private)
	if err != nil {
		return "", fmt.Errorf("token: sign: %w", err)
	}
	raw := signed + "." + encode(signature)
	if len(raw) > limit {
		return "", fmt.Errorf("token: cannot sign: the token is longer than %d bytes", limit)
	}
	return raw, nil
}

// marshal is json.Marshal, which would parse and copy what claims encoded by themselves.
func marshal(claims any) ([]byte, error) {
	if encoder, ok := claims.(json.Marshaler); ok {
		return encoder.MarshalJSON()
	}
	return json.Marshal(claims)
}

// incomplete names the first claim that is missing or wrong, or returns the
// empty string.
func (c Claims) incomplete() string {
	switch {
	case c.Subject == "":
		return "no sub"
	case c.SessionID == "":
		return "no sid"
	case c.ID == "":
		return "no jti"
	case c.Issuer == "":
		return "no iss"
	case len(c.Audience) == 0:
		return "no aud"
	case c.IssuedAt <= 0:
		return "no iat"
	case c.ExpiresAt <= c.IssuedAt:
		return "exp is not after iat"
	case c.ExpiresAt-c.IssuedAt > int64(Lifetime.Seconds()):
		return "lifetime too long"
	case !c.Level.Known():
		return "unknown level"
	case c.ACR != c.Level, c.PasskeyVerified != (c.Level == LevelFull):
		return "levels disagree"
	case c.Level == LevelFull && c.PasskeyTime == 0:
		return "full without passkey_time"
	case c.AuthTime <= 0:
		return "no auth_time"
	default:
		return ""
	}
}
