package token

import (
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Lifetime is how long an access token is valid. The original's clients expect
// fifteen minutes; it bounds how long a stolen token works at services that
// verify offline.
const Lifetime = 15 * time.Minute

// Claims are the claims of an access token. Times are whole seconds since the
// Unix epoch (RFC 7519 NumericDate without fractions).
type Claims struct {
	// Issuer made the token for Audience (RFC 7519 §4.1).
	Issuer   string   `json:"iss"`
	Audience Audience `json:"aud"`

	// Subject is the user's id: random, never reused. Applications key their
	// own data on Issuer and Subject, never on Username.
	Subject string `json:"sub"`

	// Username is the name as the user typed it, for display.
	Username string `json:"username"`

	// ID is unique per token, SessionID per sign-in. Revocation uses SessionID and
	// never the bytes of a token, because anyone can re-encode an ECDSA signature.
	ID        string `json:"jti"`
	SessionID string `json:"sid"`

	IssuedAt  int64 `json:"iat"`
	ExpiresAt int64 `json:"exp"`

	// NotBefore is the time before which the token is refused (RFC 7519 §4.1.5).
	// Stepkey's own tokens leave it out.
	NotBefore int64 `json:"nbf,omitzero"`

	// Level is repeated in ACR (OpenID Connect Core §2) for clients that know
	// the standard name, and in PasskeyVerified for clients of the original.
	Level           Level `json:"authLevel"`
	PasskeyVerified bool  `json:"passkeyVerified"`
	ACR             Level `json:"acr"`

	// Methods are the authentication methods, as named in RFC 8176.
	Methods []string `json:"amr"`

	// AuthTime is when the user last authenticated: with the passkey at level
	// full, with the password otherwise. A refresh never moves it (RFC 9068
	// §2.2.1).
	AuthTime int64 `json:"auth_time"`

	// PasswordTime and PasskeyTime are when each factor was verified, zero if it
	// was not, so that any service can check its age offline.
	PasswordTime int64 `json:"password_time,omitzero"`
	PasskeyTime  int64 `json:"passkey_time,omitzero"`

	// Groups are the groups that the user was in when the token was made, in ascending order.
	Groups []string `json:"groups,omitempty"`

	// OwnClaims are the claims whose names the service chose. In the token each is a member of
	// its own, under its name.
	OwnClaims map[string]string `json:"-"`

	// AttributesVersion counts the changes of the user's groups and own claims. Guards refuse the
	// token once there is a later one; see [AttributesMark].
	AttributesVersion int64 `json:"attributes_version,omitzero"`
}

// InGroup reports whether the user was in that group when the token was made.
func (c Claims) InGroup(name string) bool { return slices.Contains(c.Groups, name) }

// Claim returns the own claim of that name, and whether there is one.
func (c Claims) Claim(name string) (value string, ok bool) {
	value, ok = c.OwnClaims[name]
	return value, ok
}

// PasskeyAge returns how long before now the passkey was verified, in whole
// seconds and never negative. It returns false if no passkey was verified, or
// more than [Leeway] after now: such a proof would stay fresh for longer than any
// limit.
func (c Claims) PasskeyAge(now time.Time) (time.Duration, bool) {
	if c.Level != LevelFull || c.PasskeyTime == 0 || c.PasskeyTime > now.Add(Leeway).Unix() {
		return 0, false
	}
	return max(0, time.Duration(now.Unix()-c.PasskeyTime)*time.Second), true
}

// readMember reads one member of a payload. Unknown members are ignored, unless they have the form
// of own claims.
func (c *Claims) readMember(name, value []byte) error {
	switch string(name) {
	case "iss":
		return readText(&c.Issuer, value)
	case "aud":
		return readAudience(&c.Audience, value)
	case "sub":
		return readText(&c.Subject, value)
	case "username":
		return readText(&c.Username, value)
	case "jti":
		return readText(&c.ID, value)
	case "sid":
		return readText(&c.SessionID, value)
	case "iat":
		return readInt(&c.IssuedAt, value)
	case "exp":
		return readInt(&c.ExpiresAt, value)
	case "nbf":
		return readInt(&c.NotBefore, value)
	case "authLevel":
		return readText((*string)(&c.Level), value)
	case "passkeyVerified":
		return readBool(&c.PasskeyVerified, value)
	case "acr":
		return readText((*string)(&c.ACR), value)
	case "amr":
		return readTexts(&c.Methods, value)
	case "auth_time":
		return readInt(&c.AuthTime, value)
	case "password_time":
		return readInt(&c.PasswordTime, value)
	case "passkey_time":
		return readInt(&c.PasskeyTime, value)
	case "groups":
		return readTexts(&c.Groups, value)
	case "attributes_version":
		return readInt(&c.AttributesVersion, value)
	default:
		return readOwn(&c.OwnClaims, name, value)
	}
}

// The methods below let golang-jwt check the registered claims.

// GetExpirationTime implements [jwt.Claims].
func (c Claims) GetExpirationTime() (*jwt.NumericDate, error) { return numericDate(c.ExpiresAt), nil }

// GetIssuedAt implements [jwt.Claims].
func (c Claims) GetIssuedAt() (*jwt.NumericDate, error) { return numericDate(c.IssuedAt), nil }

// GetNotBefore implements [jwt.Claims].
func (c Claims) GetNotBefore() (*jwt.NumericDate, error) { return numericDate(c.NotBefore), nil }

// GetIssuer implements [jwt.Claims].
func (c Claims) GetIssuer() (string, error) { return c.Issuer, nil }

// GetSubject implements [jwt.Claims].
func (c Claims) GetSubject() (string, error) { return c.Subject, nil }

// GetAudience implements [jwt.Claims].
func (c Claims) GetAudience() (jwt.ClaimStrings, error) { return jwt.ClaimStrings(c.Audience), nil }

func numericDate(seconds int64) *jwt.NumericDate {
	if seconds == 0 {
		return nil
	}
	return jwt.NewNumericDate(time.Unix(seconds, 0))
}
