package gate

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stepkey/stepkey/gate/rules"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

// Visitor is the user of a request to an application, with what only applications are told. The
// zero Visitor is nobody.
type Visitor struct {
	rules.Subject
	Email     string // confirmed, empty for none
	Assertion string // the value of X-Stepkey-Assertion, empty for none
}

// Sessions finds out who sent a request. Implementations must be safe for concurrent use.
type Sessions interface {
	// Visitor returns the user of the request to an application with this origin, and nobody
	// if the request proves nothing that still counts. The facts behind it are at most maxAge
	// old; a session that has ended never counts. It returns an error only if that cannot be
	// found out now; the request is then answered with 503 unless its rule is open.
	Visitor(r *http.Request, origin string, maxAge time.Duration) (Visitor, error)
}

// Ended knows which sessions have ended, and which have lost level full. A
// *stepkey.Service does.
type Ended interface {
	guard.EndedSessions
	guard.LoweredSessions
}

// NewTokenSessions returns Sessions of access tokens in the header Authorization, for
// applications without a browser. A token is for every application: its audience is the
// service's, and applications see it.
func NewTokenSessions(verifier *token.Verifier, ended Ended) Sessions {
	return tokenSessions{verifier, ended}
}

type tokenSessions struct {
	verifier *token.Verifier
	ended    Ended
}

// Visitor implements Sessions. A token says by itself how old its claims are.
func (s tokenSessions) Visitor(r *http.Request, _ string, _ time.Duration) (Visitor, error) {
	raw, ok := bearer(r)
	if !ok {
		return Visitor{}, nil
	}
	verified, err := s.verifier.VerifyCaller(r.Context(), raw)
	var refused *token.Error
	if errors.As(err, &refused) && (refused.Reason != token.ReasonUnknownKey || errors.Is(err, token.ErrUnknownKey)) {
		return Visitor{}, nil
	}
	if err != nil {
		return Visitor{}, err
	}
	subject, err := subjectOf(verified.Claims(), s.ended)
	return Visitor{Subject: subject}, err
}

// subjectOf returns the subject of claims, or nobody if the session has ended since or the
// user's groups have changed.
func subjectOf(claims token.Claims, sessions Ended) (rules.Subject, error) {
	if ended, err := sessions.Ended(claims); ended || err != nil {
		return rules.Subject{}, err
	}
	level := claims.Level
	if level == token.LevelFull {
		lowered, err := sessions.Lowered(claims.SessionID, claims.PasskeyTime)
		if err != nil {
			return rules.Subject{}, err
		}
		if lowered {
			level = token.LevelPassword
		}
	}
	return rules.Subject{
		ID: claims.Subject, Name: claims.Username, Groups: claims.Groups, Level: level,
		PasswordTime: moment(claims.PasswordTime), PasskeyTime: moment(claims.PasskeyTime),
		Hardware: slices.Contains(claims.Methods, "hwk"),
	}, nil
}

func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// bearer returns the bearer token of a request. Two Authorization headers are nobody's,
// because proxies and servers disagree on which one counts.
func bearer(r *http.Request) (string, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, raw, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return "", false
	}
	return raw, true
}
