package token

import "context"

// EndedSessionsType is the header's typ for lists of ended sessions.
const EndedSessionsType = "ended-sessions+jwt"

// MaxEndedSessionsBytes bounds a signed list, which is the one token that may
// be longer than [MaxBytes]. It has room for about 5000 sessions.
const MaxEndedSessionsBytes = 256 << 10

const maxSessionID = 128

// EndedSessions lists the sessions that have ended while an access token of
// theirs may still be valid. It is signed as tokens are and for everybody, so
// that a service that verifies offline learns of an end in seconds.
type EndedSessions struct {
	Issuer string `json:"iss"`

	// IssuedAt tells a list from an older one; ExpiresAt, at most [Lifetime]
	// later, is when the list can no longer be shown to anybody as the newest.
	IssuedAt  int64 `json:"iat"`
	ExpiresAt int64 `json:"exp"`
	NotBefore int64 `json:"nbf,omitzero"` // as in Claims

	// SessionIDs are of 1 to 128 bytes each, in no order.
	SessionIDs []string `json:"sids"`
}

// SignEndedSessions returns the signed list. It refuses what
// [Verifier.VerifyEndedSessions] would refuse, so too long a list as well.
func (s *Signer) SignEndedSessions(e EndedSessions) (string, error) {
	if e.SessionIDs == nil {
		e.SessionIDs = []string{}
	}
	return s.sign(EndedSessionsType, e, e.incomplete(), MaxEndedSessionsBytes)
}

// VerifyEndedSessions returns the list if every check holds, and an [*Error]
// otherwise. Lists have no audience.
func (v *Verifier) VerifyEndedSessions(ctx context.Context, raw string) (EndedSessions, error) {
	payload, _, err := v.open(ctx, raw, EndedSessionsType, MaxEndedSessionsBytes)
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
	case "sids":
		return readTexts(&e.SessionIDs, value)
	default:
		return skipFlat(value)
	}
}

// incomplete names what a list needs and e lacks, or returns the empty text. A
// list without sids is refused, one that is empty is not.
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
	case e.SessionIDs == nil:
		return "no sids"
	}
	for _, id := range e.SessionIDs {
		if id == "" || len(id) > maxSessionID {
			return "a sid of no or too many bytes"
		}
	}
	return ""
}
