package stepkey

import (
	"context"
	"errors"

	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// Revoke ends the session of an access or refresh token that this service made (RFC 7009). An
// invalid token is not an error, as the RFC requires (§2.2): there is nothing to revoke. Tokens
// that this service did not make are counted per address; a client that sends too many gets a
// RateLimitedError.
func (s *Service) Revoke(ctx context.Context, anyToken string, from Client) error {
	refund, err := s.throttle.AdmitGuess(throttle.Revocations, from, s.now())
	if err != nil {
		return err
	}
	ours, err := s.revoke(ctx, anyToken)
	if ours || err != nil {
		refund()
	}
	return err
}

// revoke reports whether this service made the token, valid or not.
func (s *Service) revoke(ctx context.Context, anyToken string) (ours bool, err error) {
	c, err := s.CallerOf(ctx, anyToken)
	if err == nil {
		return true, s.revokeSession(ctx, c)
	}
	var refused *token.Error
	if errors.As(err, &refused) && refused.Reason == token.ReasonExpired {
		return true, nil
	}
	session, err := s.sessionOf(ctx, anyToken)
	if errors.Is(err, ErrUnauthorized) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = s.end(ctx, storage.EndSessions{UserID: session.UserID, Only: session.ID, Reason: storage.EndedByRevocation})
	return true, err
}

func (s *Service) revokeSession(ctx context.Context, c Caller) error {
	_, err := s.end(ctx, storage.EndSessions{UserID: c.userID, Only: c.sessionID, Reason: storage.EndedByRevocation})
	return err
}

// Introspect returns the claims of an access token if its session is live now and has the level
// that the token states, and its groups and own claims are the user's; otherwise it returns
// ErrUnauthorized (RFC 7662).
func (s *Service) Introspect(ctx context.Context, accessToken string) (token.Claims, error) {
	c, err := s.CallerOf(ctx, accessToken)
	if err != nil {
		return token.Claims{}, ErrUnauthorized
	}
	a, err := s.account(ctx, c, s.now())
	if err != nil {
		return token.Claims{}, err
	}
	if c.claims.Level == token.LevelFull && a.Session.Level() != token.LevelFull {
		return token.Claims{}, ErrUnauthorized // its passkey was deleted
	}
	if c.claims.AttributesVersion != a.User.Attributes.Version {
		return token.Claims{}, ErrUnauthorized // its groups or own claims are not the user's any more
	}
	return c.claims, nil
}
