package stepkey

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/internal/tokens"
	"github.com/stepkey/stepkey/storage"
)

// refreshGrace is how long the previous token still yields the current one: two tabs,
// or a client whose answer was lost, may send the same token. A longer time would help
// thieves; a shorter one would sign out people on slow networks.
const refreshGrace = 10 * time.Second

// Refresh takes a refresh token and returns new tokens; the one taken is worth
// nothing afterwards. The new access token is at the level that the session has
// now: full ages, and falls back to password. Refreshing proves nothing, so no
// time in the token moves.
//
// A token that was replaced within the last ten seconds gets its replacement
// again. One that was replaced earlier is in two hands: its session ends, and that
// is recorded (RFC 9700 §4.14.2). Whatever is wrong, the answer is ErrUnauthorized. A
// session that refreshes without end is refused with a RateLimitedError, which changes nothing.
func (s *Service) Refresh(ctx context.Context, refreshToken string) (Grant, error) {
	p, ok := tokens.ParseRefreshToken(refreshToken)
	if !ok {
		return Grant{}, ErrUnauthorized
	}
	now := s.now()
	session, err := s.store.RefreshSession(ctx, p.SessionID)
	if err != nil {
		return Grant{}, unauthorizedIfMissing(err)
	}
	if !s.refreshTokens.Genuine(p, session) {
		return Grant{}, ErrUnauthorized
	}
	if err := s.throttle.Admit(throttle.Refreshes, session.ID.String(), now); err != nil {
		return Grant{}, err
	}
	rotated, err := s.rotate(ctx, p, session.UserID, now)
	if errors.Is(err, ErrNotFound) {
		return s.refreshAgain(ctx, p, now)
	}
	if err != nil {
		return Grant{}, err
	}
	// What was read before the rotation is still true: whatever else changes a
	// session moves its generation.
	session.Generation, session.RotatedAt, session.LastSeenAt = p.Generation+1, now, now
	session.FullPasskeyID = rotated.FullPasskeyID
	return s.grant(User{ID: session.UserID, Username: rotated.Username}, session, rotated.HasPasskeys, now)
}

// rotate moves the session on from the generation that was presented, if that is
// the current one and the session is live. Otherwise it returns ErrNotFound.
func (s *Service) rotate(ctx context.Context, p tokens.RefreshToken, userID uuid.UUID, now time.Time) (storage.Rotated, error) {
	return s.store.RotateSession(ctx, storage.Rotation{
		SessionID: p.SessionID, UserID: userID, Generation: p.Generation, At: now,
		IdleSince:     now.Add(-SessionIdle),
		NoStepUpSince: now.Add(-NoStepUpLifetime),
		FullSince:     now.Add(-FullLifetime),
		FullIdleSince: now.Add(-FullIdle),
	})
}

// refreshAgain decides about a genuine token that is not, or no longer, the
// current one of a live session.
func (s *Service) refreshAgain(ctx context.Context, p tokens.RefreshToken, now time.Time) (Grant, error) {
	session, err := s.store.RefreshSession(ctx, p.SessionID)
	if err != nil {
		return Grant{}, unauthorizedIfMissing(err)
	}
	switch {
	case p.Generation >= session.Generation:
		// The current one: the session is over. A later one: the database was
		// restored from a backup. Neither is a theft.
		return Grant{}, ErrUnauthorized
	case p.Generation == session.Generation-1 && rotatedWithin(session, refreshGrace, now):
		return s.giveAgain(ctx, session, now)
	case steppedUpFrom(session, p.Generation) && rotatedWithin(session, refreshGrace, now):
		// A tab that refreshed while another one stepped up. It gets nothing, and
		// that is all: a step-up moves the generation by two, so that what was known
		// before it never yields what came after.
		return Grant{}, ErrUnauthorized
	default:
		return Grant{}, s.endReused(ctx, session, now)
	}
}

// sessionOf returns the session, live or not, whose refresh token this is or was, and nil if the
// service did not make the token.
func (s *Service) sessionOf(ctx context.Context, refreshToken string) (*Session, error) {
	p, ok := tokens.ParseRefreshToken(refreshToken)
	if !ok {
		return nil, nil
	}
	session, err := s.store.RefreshSession(ctx, p.SessionID)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !s.refreshTokens.Genuine(p, session) {
		return nil, nil
	}
	return &session, nil
}

// giveAgain returns the tokens that the session's last rotation gave. If the session
// has moved on since it was looked at, it returns nothing: the move may have been a
// step-up, and what is current now is not for a token from before it.
func (s *Service) giveAgain(ctx context.Context, session Session, now time.Time) (Grant, error) {
	a, err := s.store.Account(ctx, session.UserID, session.ID, now)
	if err != nil {
		return Grant{}, unauthorizedIfMissing(err)
	}
	if a.Session.Generation != session.Generation {
		return Grant{}, ErrUnauthorized
	}
	return s.grant(a.User, a.Session, len(a.Passkeys) > 0, now)
}

func rotatedWithin(s Session, d time.Duration, now time.Time) bool { return now.Sub(s.RotatedAt) <= d }

// steppedUpFrom reports whether the session's last move was a step-up from that
// generation.
func steppedUpFrom(s Session, generation int64) bool {
	return generation == s.Generation-2 && s.Generation == s.StepUpGeneration
}

// endReused ends the session whose old token came back, and only that one.
func (s *Service) endReused(ctx context.Context, session Session, now time.Time) error {
	which := storage.EndSessions{UserID: session.UserID, Only: session.ID, At: now, Reason: storage.EndedByReuse}
	// A token of a session that has ended causes no notice, and must not use up those
	// of sessions that have not.
	tell := false
	if _, err := s.store.Account(ctx, session.UserID, session.ID, now); err == nil {
		tell = s.mayNotify(ctx, session.UserID, mail.SessionReused, now)
	}
	err := s.inTxEnding(WithAccount(ctx, session.UserID), func(tx storage.Tx) ([]uuid.UUID, error) {
		ended, err := s.endIn(ctx, tx, which)
		if err != nil || len(ended) == 0 {
			return ended, err
		}
		e := Event{Kind: storage.EventRefreshReused, UserID: session.UserID, SessionID: session.ID}
		if err := s.record(ctx, tx, e, now); err != nil || !tell {
			return ended, err
		}
		return ended, s.outbox.Notify(ctx, tx, outbox.NoticeOf(mail.SessionReused, session, now))
	})
	if err != nil {
		return err
	}
	return ErrUnauthorized
}
