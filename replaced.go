package stepkey

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// replacedBy returns the session whose refresh cookie a new session will overwrite, or nil.
// The client could no longer use the old session or sign it out. Only cookies overwrite each
// other, so both sessions must be in cookie mode. The old session may belong to any user.
//
// A foreign page cannot use this to sign people out: it cannot sign in in cookie mode, and a
// sign-in replaces the cookie anyway.
func (s *Service) replacedBy(ctx context.Context, mode RefreshMode, refreshToken string) (*Session, error) {
	if mode != RefreshCookie || refreshToken == "" {
		return nil, nil
	}
	session, err := s.sessionOf(ctx, refreshToken)
	if errors.Is(err, ErrUnauthorized) || (err == nil && session.Refresh != RefreshCookie) {
		return nil, nil // the cookie is not ours
	}
	return &session, err
}

// endReplaced ends the session that replacedBy found.
func (s *Service) endReplaced(ctx context.Context, tx storage.Tx, replaced *Session, now time.Time) ([]uuid.UUID, error) {
	if replaced == nil {
		return nil, nil
	}
	return s.endIn(ctx, tx, storage.EndSessions{UserID: replaced.UserID, Only: replaced.ID, At: now, Reason: storage.EndedByReplacement})
}
