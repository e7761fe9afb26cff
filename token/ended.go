package token

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// EndedSessionsType is the typ header of statements about ended sessions.
const EndedSessionsType = "ended-sessions+jwt"

// EndedFor is how long an ended session is listed: until every verifier considers
// its last token expired.
const EndedFor = Lifetime + 2*Leeway

// EndedSessions is the signed statement at the top of a list of ended sessions. The
// list itself follows as an [EndedContent], whose digest is in the statement: binary
// ids take a third of the space that they would take in a JWT, and can be read without
// several copies in memory.
//
// A list covers the sessions that ended since From, in whole minutes. It is signed
// like a token, with no audience, so that any service that verifies offline learns
// of an end within seconds.
type EndedSessions struct {
	Issuer string `json:"iss"`

	// IssuedAt is when the issuer last read its database, even if it signed later: an
	// issuer that is cut off from its database cannot present old data as new. ExpiresAt
	// is at most [Lifetime] later.
	IssuedAt  int64 `json:"iat"`
	ExpiresAt int64 `json:"exp"`
	NotBefore int64 `json:"nbf,omitzero"` // as in Claims

	// From and To bound the list, in seconds since the epoch: it contains the sessions
	// that ended at or after From and before To. Both are whole minutes.
	From int64 `json:"from"`
	To   int64 `json:"to"`

	// Settled is the time before which the list is complete. Ends after it may be missing,
	// because their transactions were not committed at IssuedAt.
	Settled int64 `json:"settled"`

	// Digest is the SHA-256 of the content, in base64url.
	Digest string `json:"sha256"`
}

// EndedDigest returns the Digest for a content.
func EndedDigest(content []byte) string {
	sum := sha256.Sum256(content)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// SignEndedSessions returns the signed statement. It refuses what
// [Verifier.VerifyEndedSessions] would refuse.
func (s *Signer) SignEndedSessions(e EndedSessions) (string, error) {
	return s.sign(EndedSessionsType, e, e.incomplete(), MaxBytes)
}

// VerifyEndedSessions returns the statement if every check passes, and an [*Error]
// otherwise. Statements have no audience. The caller must compare the content with
// Digest.
func (v *Verifier) VerifyEndedSessions(ctx context.Context, raw string) (EndedSessions, error) {
	payload, _, err := v.open(ctx, raw, EndedSessionsType, MaxBytes)
	if err != nil {
		return EndedSessions{}, err
	}
	var e EndedSessions
	if err := eachMember(payload, e.readMember); err != nil {
		return EndedSessions{}, &Error{ReasonMalformed, err}
	}
	registered := Claims{Issuer: e.Issuer, IssuedAt: e.IssuedAt, ExpiresAt: e.ExpiresAt, NotBefore: e.NotBefore}
	if err := check(v.unaddressed, registered, e.incomplete()); err != nil {
		return EndedSessions{}, err
	}
	return e, nil
}

// Now returns the current time of v's clock.
func (v *Verifier) Now() time.Time { return v.clock() }

func (e *EndedSessions) readMember(name, value []byte) error {
	switch string(name) {
	case "iss":
		return readText(&e.Issuer, value)
	case "iat":
		return readInt(&e.IssuedAt, value)
	case "exp":
		return readInt(&e.ExpiresAt, value)
	case "nbf":
		return readInt(&e.NotBefore, value)
	case "from":
		return readInt(&e.From, value)
	case "to":
		return readInt(&e.To, value)
	case "settled":
		return readInt(&e.Settled, value)
	case "sha256":
		return readText(&e.Digest, value)
	default:
		return skipFlat(value)
	}
}

// incomplete names the first claim that is missing or wrong, or returns the
// empty string.
func (e EndedSessions) incomplete() string {
	switch {
	case e.Issuer == "":
		return "no iss"
	case e.IssuedAt <= 0:
		return "no iat"
	case e.ExpiresAt <= e.IssuedAt:
		return "exp is not after iat"
	case e.ExpiresAt-e.IssuedAt > int64(Lifetime.Seconds()):
		return "lifetime too long"
	case e.From <= 0 || e.From%60 != 0:
		return "from is not a whole minute"
	case e.To <= e.From || e.To%60 != 0 || e.To-e.From > 60*maxEndedMinutes:
		return "to is not a whole minute after from, or too late"
	case e.Settled <= 0 || e.Settled > e.IssuedAt:
		return "settled is not before iat"
	}
	if sum, err := decode(e.Digest); err != nil || len(sum) != sha256.Size {
		return "no digest"
	}
	return ""
}
