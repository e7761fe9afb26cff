package token

import (
	"context"
	"time"
)

// ActionType is the typ header of action tokens.
const ActionType = "action+jwt"

// ActionLifetime is how long an action token is valid at most: long enough to
// send the request that the user has just consented to.
const ActionLifetime = 60 * time.Second

// maxActionID bounds the jti, which spenders have to remember.
const maxActionID = 64

// ActionClaims are the claims of an action token: this user, in this session,
// consented with a passkey to this one action. An action token is not an access
// token and raises no level; it is sent beside an access token and spent once,
// by ID.
type ActionClaims struct {
	Issuer    string   `json:"iss"`
	Audience  Audience `json:"aud"`
	Subject   string   `json:"sub"`
	SessionID string   `json:"sid"`

	// ID is unique per token, at most 64 bytes.
	ID string `json:"jti"`

	IssuedAt  int64 `json:"iat"`
	ExpiresAt int64 `json:"exp"`
	NotBefore int64 `json:"nbf,omitzero"` // as in Claims

	// Act is the action. It is not the actor of RFC 8693; the token's type tells
	// the two apart.
	Act ActClaim `json:"act"`

	// PasskeyTime is when the passkey was verified.
	PasskeyTime int64 `json:"passkey_time"`
}

// ActClaim names an action: [Action.Name] and [Action.Digest].
type ActClaim struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// SignAction returns an action token with the claims c. It refuses claims that
// [Verifier.VerifyAction] would refuse.
func (s *Signer) SignAction(c ActionClaims) (string, error) {
	return s.sign(ActionType, c, c.incomplete(), MaxBytes)
}

// VerifyAction returns the claims of an action token if every check passes, and
// an [*Error] otherwise. The caller must check that the token was not spent
// before and that it fits the access token and the request, as package guard
// does. Results are not cached, because an action token is sent once.
func (v *Verifier) VerifyAction(ctx context.Context, raw string) (ActionClaims, error) {
	payload, _, err := v.open(ctx, raw, ActionType, MaxBytes)
	if err != nil {
		return ActionClaims{}, err
	}
	var c ActionClaims
	if err := eachMember(payload, c.readMember); err != nil {
		return ActionClaims{}, &Error{ReasonMalformed, err}
	}
	registered := Claims{Issuer: c.Issuer, Audience: c.Audience, IssuedAt: c.IssuedAt, ExpiresAt: c.ExpiresAt, NotBefore: c.NotBefore}
	if err := check(v.registered, registered, c.incomplete()); err != nil {
		return ActionClaims{}, err
	}
	return c, nil
}

func (c *ActionClaims) readMember(name, value []byte) error {
	switch string(name) {
	case "iss":
		return readText(&c.Issuer, value)
	case "aud":
		return readAudience(&c.Audience, value)
	case "sub":
		return readText(&c.Subject, value)
	case "sid":
		return readText(&c.SessionID, value)
	case "jti":
		return readText(&c.ID, value)
	case "iat":
		return readInt(&c.IssuedAt, value)
	case "exp":
		return readInt(&c.ExpiresAt, value)
	case "nbf":
		return readInt(&c.NotBefore, value)
	case "passkey_time":
		return readInt(&c.PasskeyTime, value)
	case "act":
		return eachValidMember(value, c.Act.readMember)
	default:
		return skipFlat(value)
	}
}

func (a *ActClaim) readMember(name, value []byte) error {
	switch string(name) {
	case "name":
		return readText(&a.Name, value)
	case "digest":
		return readText(&a.Digest, value)
	default:
		return skipFlat(value)
	}
}

// incomplete names the first claim that is missing or wrong, or returns the
// empty string.
func (c ActionClaims) incomplete() string {
	digest, err := decode(c.Act.Digest)
	switch {
	case c.Subject == "":
		return "no sub"
	case c.SessionID == "":
		return "no sid"
	case c.ID == "", len(c.ID) > maxActionID:
		return "jti missing or too long"
	case c.Issuer == "":
		return "no iss"
	case len(c.Audience) == 0:
		return "no aud"
	case c.IssuedAt <= 0:
		return "no iat"
	case c.ExpiresAt <= c.IssuedAt:
		return "exp is not after iat"
	case c.ExpiresAt-c.IssuedAt > int64(ActionLifetime.Seconds()):
		return "lifetime too long"
	case !isActionName(c.Act.Name):
		return "no action name"
	case err != nil, len(digest) != 32:
		return "no action digest"
	case c.PasskeyTime <= 0:
		return "no passkey_time"
	default:
		return ""
	}
}
