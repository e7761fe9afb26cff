package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/token"
)

// Caller is the user and the session on whose behalf a use-case acts. It is opaque, because it
// is what authorizes: only verification makes one, and the zero Caller is nobody
// ([ErrUnauthorized]). It is valid until its token expires. A [Realm] makes one from the [Visit] that its
// application describes.
type Caller struct {
	userID, sessionID uuid.UUID
	claims            token.Claims

	// realm names the [Realm] that made the caller, and is empty for a [Service]. In a realm
	// there is no token, and the session is the whole proof.
	realm string
}

// Caller returns the caller behind a token that [Service.Verifier] verified, such as the one
// that guard.VerifiedFromContext returns. A token that another verifier accepted is
// ErrUnauthorized. Caller does not look up whether the session has ended; each use-case that
// takes a Caller does.
func (s *Service) Caller(v token.Verified) (Caller, error) {
	if !v.By(s.verifier) {
		return Caller{}, ErrUnauthorized
	}
	c := v.Claims()
	userID, err1 := uuid.Parse(c.Subject)
	sessionID, err2 := uuid.Parse(c.SessionID)
	if err1 != nil || err2 != nil {
		return Caller{}, ErrUnauthorized
	}
	return Caller{userID: userID, sessionID: sessionID, claims: c}, nil
}

// CallerOf verifies an access token and returns its caller. The error is a [*token.Error] for a
// token that does not hold.
func (s *Service) CallerOf(ctx context.Context, accessToken string) (Caller, error) {
	v, err := s.verifier.VerifyCaller(ctx, accessToken)
	if err != nil {
		return Caller{}, err
	}
	return s.Caller(v)
}

// Claims returns the claims of the caller's token. They are zero for a caller of a Realm.
func (c Caller) Claims() token.Claims { return c.claims }

// external reports whether the caller signed in to an application of its own.
func (c Caller) external() bool { return c.realm != "" }

// check refuses nobody, a caller of another realm, and one that was kept for longer than its
// token is valid.
func (s *Service) check(c Caller, now time.Time) error {
	if c.sessionID == uuid.Nil || c.realm != s.realm {
		return ErrUnauthorized
	}
	if !c.external() && !now.Before(time.Unix(c.claims.ExpiresAt, 0).Add(token.Leeway)) {
		return ErrUnauthorized
	}
	return nil
}
