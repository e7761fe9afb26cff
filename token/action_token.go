package token

import (
	"context"
	"time"
)

// ActionType is the header's typ for action tokens.
const ActionType = "action+jwt"

// ActionLifetime is how long an action token is valid at most: long enough to
// send the request that the user has just consented to.
const ActionLifetime = 60 * time.Second

// maxActionID bounds the jti, which whoever spends it has to remember.
const maxActionID = 64

// ActionClaims is what an action token says: that this user, in this session,
// consented with a passkey to this one action. It is no access token and raises
// no level; it goes beside an access token and is spent once, by ID.
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

	// Act is the action. It is not the actor of RFC 8693: the token's type says
	// which of the two is meant.
	Act ActClaim `json:"act"`

	// PasskeyTime is the moment of the proof.
	PasskeyTime int64 `json:"passkey_time"`
}

// ActClaim names an action: [Action.Name] and [Action.Digest].
type ActClaim struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// SignAction returns the action token that says c. It refuses claims that
// [Verifier.VerifyAction] would refuse.
func (s *Signer) SignAction(c ActionClaims) (string, error) {
	return s.sign(ActionType, c, c.incomplete(), MaxBytes)
}

// VerifyAction returns what an action token says if every check holds, and an
// [*Error] otherwise. That the token is not spent, and fits the access token
// beside it and the request, is for the caller to check; package guard does.
// Nothing is remembered: an action token comes once.
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

// incomplete names what a token needs and c lacks, or returns the empty text.
func (c ActionClaims) incomplete() string {
	digest, err := decode(c.Act.Digest)
	switch {
	case c.Subject == "":
		return "no sub"
	case c.SessionID == "":
		return "no sid"
	case c.ID == "", len(c.ID) > maxActionID:
		return "no jti, or too long a one"
	case c.Issuer == "":
		return "no iss"
	case len(c.Audience) == 0:
		return "no aud"
	case c.IssuedAt <= 0:
		return "no iat"
	case c.ExpiresAt <= c.IssuedAt:
		return "exp is not after iat"
	case c.ExpiresAt-c.IssuedAt > int64(ActionLifetime.Seconds()):
		return "lives too long"
	case !isActionName(c.Act.Name):
		return "no name of an action"
	case err != nil, len(digest) != 32:
		return "no digest of an action"
	case c.PasskeyTime <= 0:
		return "no passkey_time"
	default:
		return ""
	}
}
