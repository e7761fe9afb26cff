package token

import (
	"errors"

	"github.com/golang-jwt/jwt/v5"
)

// Reason says why a token was refused. It is for logs and tests.
type Reason string

// The reasons, in the order in which they are checked. Only the outer form and
// the header are read before the signature is verified. A payload that is not
// strict JSON is malformed too, but this is found afterwards.
const (
	ReasonSize        Reason = "size"          // longer than MaxBytes
	ReasonMalformed   Reason = "malformed"     // not three canonical parts of strict JSON
	ReasonHeader      Reason = "header"        // a header member that is not alg, kid or typ
	ReasonType        Reason = "type"          // not of the expected type
	ReasonUnknownKey  Reason = "unknown_key"   // no such kid
	ReasonAlgorithm   Reason = "algorithm"     // not the key's algorithm
	ReasonSignature   Reason = "signature"     // not signed by the key
	ReasonExpired     Reason = "expired"       // exp has passed
	ReasonNotYetValid Reason = "not_yet_valid" // iat or nbf is in the future
	ReasonIssuer      Reason = "issuer"        // another iss
	ReasonAudience    Reason = "audience"      // another aud
	ReasonClaims      Reason = "claims"        // a claim is missing or contradicts another
)

// Error is why a token was refused.
type Error struct {
	Reason Reason
	cause  error
}

// Error implements error. The text contains nothing of the token.
func (e *Error) Error() string { return "token: refused: " + string(e.Reason) }

// Unwrap returns the cause of the refusal, or nil.
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
