package token

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// AssertionType is the typ header of assertions. An assertion is never accepted as an access
// token, nor the other way round.
const AssertionType = "stepkey-assertion+jwt"

// AssertionLifetime is how long an assertion is valid at most. It is sent with a request that
// has already been judged, so it only has to outlast the way to the application.
const AssertionLifetime = 2 * time.Minute

// MaxAssertionBytes is the length that an assertion never reaches: servers commonly refuse
// requests whose headers have more than 8 kB in all.
const MaxAssertionBytes = 2048

// MaxAssertionName is how many bytes of the user's name an assertion has. Longer names are cut
// between two characters: the name is for display.
const MaxAssertionName = 128

// ErrSymmetricKey is returned if an assertion would have to be signed with a shared secret.
// Every application that verifies it could then make assertions for all others.
var ErrSymmetricKey = errors.New("token: assertions need a key of ES256 or EdDSA, and this service signs with a shared secret")

// AssertionClaims say to one application who sends a request, and how the user was authenticated.
// The members have the names that they have in access tokens; see [Claims].
type AssertionClaims struct {
	Issuer string `json:"iss"`

	// Audience is the origin of the application, such as https://app.example.com.
	Audience string `json:"aud"`

	Subject  string   `json:"sub"`
	Username string   `json:"username"`
	Groups   []string `json:"groups,omitempty"`

	ACR         Level    `json:"acr"`
	Methods     []string `json:"amr"`
	AuthTime    int64    `json:"auth_time"`
	PasskeyTime int64    `json:"passkey_time,omitzero"`

	IssuedAt  int64 `json:"iat"`
	ExpiresAt int64 `json:"exp"`
	NotBefore int64 `json:"nbf,omitzero"` // as in Claims

	// OwnClaims are members of their own, under their names.
	OwnClaims map[string]string `json:"-"`
}

// Claim returns the own claim of that name, and whether there is one.
func (c AssertionClaims) Claim(name string) (value string, ok bool) {
	value, ok = c.OwnClaims[name]
	return value, ok
}

// InGroup reports whether the user is in that group.
func (c AssertionClaims) InGroup(name string) bool { return slices.Contains(c.Groups, name) }

// MarshalJSON implements [json.Marshaler].
func (c AssertionClaims) MarshalJSON() ([]byte, error) {
	type members AssertionClaims // without this method
	object, err := json.Marshal(members(c))
	if err != nil {
		return nil, err
	}
	return appendOwn(object, c.OwnClaims)
}

// SignAssertion returns an assertion with the claims c. It refuses claims that
// [AssertionVerifier.Verify] would refuse, and returns [ErrSymmetricKey] if the signer's
// current key is a shared secret.
func (s *Signer) SignAssertion(c AssertionClaims) (string, error) {
	if s.keys.Current().verification.algorithm == HS256 {
		return "", ErrSymmetricKey
	}
	return s.sign(AssertionType, c, c.incomplete(), MaxAssertionBytes-1)
}

// AssertionVerifier checks assertions. It is safe for concurrent use.
type AssertionVerifier struct{ verifier *Verifier }

// NewAssertionVerifier returns an AssertionVerifier. Audience is the application's origin.
// Keys of other algorithms than ES256 and EdDSA are not used. CacheSize has no effect.
func NewAssertionVerifier(keys KeySource, expect Expect) (*AssertionVerifier, error) {
	expect.CacheSize = -1
	v, err := NewVerifier(keys, expect)
	if err != nil {
		return nil, err
	}
	return &AssertionVerifier{v}, nil
}

// Verify returns the claims of an assertion if every check passes, and an [*Error] otherwise,
// as [Verifier.Verify] does.
func (v *AssertionVerifier) Verify(ctx context.Context, raw string) (AssertionClaims, error) {
	payload, by, err := v.verifier.open(ctx, raw, AssertionType, MaxAssertionBytes-1)
	if err != nil {
		return AssertionClaims{}, err
	}
	if by.key.algorithm == HS256 {
		return AssertionClaims{}, &Error{Reason: ReasonAlgorithm}
	}
	var c AssertionClaims
	if err := eachMember(payload, c.readMember); err != nil {
		return AssertionClaims{}, &Error{ReasonMalformed, err}
	}
	registered := Claims{Issuer: c.Issuer, Audience: Audience{c.Audience}, IssuedAt: c.IssuedAt, ExpiresAt: c.ExpiresAt, NotBefore: c.NotBefore}
	if err := check(v.verifier.registered, registered, c.incomplete()); err != nil {
		return AssertionClaims{}, err
	}
	return c, nil
}

func (c *AssertionClaims) readMember(name, value []byte) error {
	switch string(name) {
	case "iss":
		return readText(&c.Issuer, value)
	case "aud":
		return readText(&c.Audience, value)
	case "sub":
		return readText(&c.Subject, value)
	case "username":
		return readText(&c.Username, value)
	case "groups":
		return readTexts(&c.Groups, value)
	case "acr":
		return readText((*string)(&c.ACR), value)
	case "amr":
		return readTexts(&c.Methods, value)
	case "auth_time":
		return readInt(&c.AuthTime, value)
	case "passkey_time":
		return readInt(&c.PasskeyTime, value)
	case "iat":
		return readInt(&c.IssuedAt, value)
	case "exp":
		return readInt(&c.ExpiresAt, value)
	case "nbf":
		return readInt(&c.NotBefore, value)
	default:
		return readOwn(&c.OwnClaims, name, value)
	}
}

// incomplete names the first claim that is missing or wrong, or returns the empty string.
func (c AssertionClaims) incomplete() string {
	switch {
	case c.Subject == "":
		return "no sub"
	case c.Issuer == "":
		return "no iss"
	case c.Audience == "":
		return "no aud"
	case c.IssuedAt <= 0:
		return "no iat"
	case c.ExpiresAt <= c.IssuedAt:
		return "exp is not after iat"
	case c.ExpiresAt-c.IssuedAt > int64(AssertionLifetime.Seconds()):
		return "lifetime too long"
	case !c.ACR.Known():
		return "unknown level"
	case c.ACR == LevelFull && c.PasskeyTime == 0:
		return "full without passkey_time"
	case c.AuthTime <= 0:
		return "no auth_time"
	default:
		return ""
	}
}
