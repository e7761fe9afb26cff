package token

import (
	"errors"

	"github.com/golang-jwt/jwt/v5"
)

// Reason says why a token was refused. It is for logs and tests.
type Reason string

// The reasons, in the order in which they are looked for. Only the outer form
// and the header are read before the signature holds: a payload that is no
// strict JSON is malformed as well, and is found after that.
const (
	ReasonSize        Reason = "size"          // longer than MaxBytes
	ReasonMalformed   Reason = "malformed"     // not three canonical parts of strict JSON
	ReasonHeader      Reason = "header"        // a header member that is not alg, kid or typ
	ReasonType        Reason = "type"          // not of the type that is asked for
	ReasonUnknownKey  Reason = "unknown_key"   // no such kid
	ReasonAlgorithm   Reason = "algorithm"     // not the key's algorithm
	ReasonSignature   Reason = "signature"     // not signed by the key
	ReasonExpired     Reason = "expired"       // exp has passed
	ReasonNotYetValid Reason = "not_yet_valid" // iat or nbf lies ahead
	ReasonIssuer      Reason = "issuer"        // another iss
	ReasonAudience    Reason = "audience"      // another aud
	ReasonClaims      Reason = "claims"        // a claim is missing or contradicts another
)

// Error is the refusal of a token.
type Error struct {
	Reason Reason
	cause  error
}

// Error implements error. The text holds nothing of the token.
func (e *Error) Error() string { return "token: refused: " + string(e.Reason) }

// Unwrap returns what lies behind the refusal, or nil.
func (e *Error) Unwrap() error { return e.cause }

func reasonOf(err error) Reason {
	for _, known := range []struct {
		err    error
		reason Reason
	}{
		{jwt.ErrTokenExpired, ReasonExpired},
		{jwt.ErrTokenUsedBeforeIssued, ReasonNotYetValid},
		{jwt.ErrTokenNotValidYet, ReasonNotYetValid},
		{jwt.ErrTokenInvalidIssuer, ReasonIssuer},
		{jwt.ErrTokenInvalidAudience, ReasonAudience},
	} {
		if errors.Is(err, known.err) {
			return known.reason
		}
	}
	return ReasonClaims
}
