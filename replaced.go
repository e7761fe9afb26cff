package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// replacedBy returns the session whose refresh token a client keeps where that of a new
// session is about to go, or nil. The client could not reach it any more, nor could its owner
// sign it out there. Only a browser keeps tokens in one place, so both sessions have to be in
// cookie mode. Whose the old session is does not matter.
//
// A page that is not ours cannot use this to sign people out: it cannot sign in in cookie mode,
// and a sign-in replaces the cookie anyway.
func (s *Service) replacedBy(ctx context.Context, mode RefreshMode, refreshToken string) (*Session, error) {
	if mode != RefreshCookie || refreshToken == "" {
		return nil, nil
	}
	session, err := s.sessionOf(ctx, refreshToken)
	if err != nil || session == nil || session.Refresh != RefreshCookie {
		return nil, err // no session for a cookie of something else
	}
	return session, nil
}

// endReplaced ends what replacedBy found.
func (s *Service) endReplaced(ctx context.Context, tx storage.Tx, replaced *Session, now time.Time) ([]uuid.UUID, error) {
	if replaced == nil {
		return nil, nil
	}
	return s.endIn(ctx, tx, storage.EndSessions{UserID: replaced.UserID, Only: replaced.ID, At: now, Reason: storage.EndedByReplacement})
}
