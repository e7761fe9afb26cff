package token

import (
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// Type is the header's typ for access tokens (RFC 9068 §2.1). Every other token
// has another type and is refused where an access token is wanted.
const Type = "at+jwt"

// Signer makes access tokens with the keyring's current key. It is safe for
// concurrent use.
type Signer struct {
	keys *Keyring
}

// NewSigner returns a Signer over keys.
func NewSigner(keys *Keyring) *Signer { return &Signer{keys: keys} }

// Sign returns the token that says c. The caller fills in every claim; Sign
// refuses claims that its own verifier would refuse.
func (s *Signer) Sign(c Claims) (string, error) {
	if reason := c.incomplete(); reason != "" {
		return "", fmt.Errorf("token: cannot sign: %s", reason)
	}
	key := s.keys.Current()
	t := jwt.NewWithClaims(key.verification.method, c)
	t.Header["typ"] = Type
	if key.ID() != "" {
		t.Header["kid"] = key.ID()
	}
	signed, err := t.SignedString(key.private)
	if err != nil {
		return "", fmt.Errorf("token: sign: %w", err)
	}
	return signed, nil
}

// incomplete names what a token needs and c lacks, or returns the empty text.
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
		return "lives too long"
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
