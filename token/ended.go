package token

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// EndedSessionsType is the header's typ for statements about ended sessions.
const EndedSessionsType = "ended-sessions+jwt"

// EndedFor is how long an ended session is listed: until its last token has expired
// everywhere.
const EndedFor = Lifetime + 2*Leeway

// EndedSessions is the signed statement at the top of a list of ended sessions. The
// list itself follows it as an [EndedContent], which the statement names by its digest:
// ids as bytes take a third of the room that they take inside a JWT, and can be read
// without holding them several times.
//
// A list covers the sessions that ended from From until now, in whole minutes. It is
// signed as tokens are and for everybody, so that a service that verifies offline
// learns of an end in seconds.
type EndedSessions struct {
	Issuer string `json:"iss"`

	// IssuedAt is when the issuer last read its database, however much later it signed:
	// an issuer cut off from its database cannot pass old news off as new. ExpiresAt is at
	// most [Lifetime] later.
	IssuedAt  int64 `json:"iat"`
	ExpiresAt int64 `json:"exp"`
	NotBefore int64 `json:"nbf,omitzero"` // as in Claims

	// From and To bound the list, in seconds since the epoch: it has the sessions that
	// ended at or after From and before To. Both are whole minutes.
	From int64 `json:"from"`
	To   int64 `json:"to"`

	// Settled is the time before which the list is complete. Ends after it may be missing,
	// because their transactions were not committed at IssuedAt.
	Settled int64 `json:"settled"`

	// Digest is the SHA-256 of the content, in base64url.
	Digest string `json:"sha256"`
}

// EndedDigest is the Digest for a content.
func EndedDigest(content []byte) string {
	sum := sha256.Sum256(content)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// SignEndedSessions returns the signed statement. It refuses what
// [Verifier.VerifyEndedSessions] would refuse.
func (s *Signer) SignEndedSessions(e EndedSessions) (string, error) {
	return s.sign(EndedSessionsType, e, e.incomplete(), MaxBytes)
}

// VerifyEndedSessions returns the statement if every check holds, and an [*Error]
// otherwise. Statements have no audience. The caller compares the content with Digest.
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

// Now is the time by which v decides what has expired.
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

// incomplete names what a statement needs and e lacks, or returns the empty text.
func (e EndedSessions) incomplete() string {
	switch {
	case e.Issuer == "":
		return "no iss"
	case e.IssuedAt <= 0:
		return "no iat"
	case e.ExpiresAt <= e.IssuedAt:
		return "exp is not after iat"
	case e.ExpiresAt-e.IssuedAt > int64(Lifetime.Seconds()):
		return "lives too long"
	case e.From <= 0 || e.From%60 != 0:
		return "from is no minute"
	case e.To <= e.From || e.To%60 != 0 || e.To-e.From > 60*maxEndedMinutes:
		return "to is no minute after from, or too long after it"
	case e.Settled <= 0 || e.Settled > e.IssuedAt:
		return "settled is not before iat"
	}
	if sum, err := decode(e.Digest); err != nil || len(sum) != sha256.Size {
		return "no digest"
	}
	return ""
}
