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

// refreshGrace is how long the previous token can still be exchanged for the current one: two tabs may send
// the same token, and so may a client that lost the answer. A longer time would help thieves; a shorter one
// would sign out people on slow networks.
const refreshGrace = 10 * time.Second

// Refresh exchanges a refresh token for new tokens; the old one can no longer
// be used. The new access token has the session's current level: level full
// expires and falls back to password. A refresh proves nothing, so the times in
// the token do not change.
//
// For a token that was replaced within the last ten seconds, Refresh returns the replacement
// again. A token that was replaced earlier was copied: its session ends, and an event is
// recorded (RFC 9700 §4.14.2). All failures return ErrUnauthorized. A session that refreshes
// too often gets a RateLimitedError, which changes nothing.
func (s *Service) Refresh(ctx context.Context, refreshToken string) (Grant, error) {
	p, ok := s.refreshTokens.Parse(refreshToken)
	if !ok {
		return Grant{}, ErrUnauthorized
	}
	if p.Salt == nil { // a token of an earlier version
		session, err := s.genuineSession(ctx, p)
		if err != nil {
			return Grant{}, err
		}
		p.Salt = session.Salt
	}
	now := s.now()
	if err := s.throttle.Admit(throttle.Refreshes, p.SessionID.String(), now); err != nil {
		return Grant{}, err
	}
	rotated, err := s.rotate(ctx, p, now)
	if errors.Is(err, ErrNotFound) {
		return s.refreshAgain(ctx, p, now)
	}
	if err != nil {
		return Grant{}, err
	}
	u := User{ID: rotated.Session.UserID, Username: rotated.Username, Attributes: rotated.Attributes}
	return s.grant(u, rotated.Session, rotated.HasPasskeys, now)
}

// rotate moves the session to its next generation if the presented one is
// current and the session is live. Otherwise it returns ErrNotFound.
func (s *Service) rotate(ctx context.Context, p tokens.RefreshToken, now time.Time) (storage.Rotated, error) {
	return s.store.RotateSession(ctx, storage.Rotation{
		SessionID: p.SessionID, Salt: p.Salt, Generation: p.Generation, At: now,
		IdleSince:     now.Add(-SessionIdle),
		NoStepUpSince: now.Add(-NoStepUpLifetime),
		FullSince:     now.Add(-FullLifetime),
		FullIdleSince: now.Add(-FullIdle),
	})
}

// genuineSession returns the session, live or not, to which the token belongs or belonged. It
// returns ErrUnauthorized if the service did not make the token.
func (s *Service) genuineSession(ctx context.Context, p tokens.RefreshToken) (Session, error) {
	session, err := s.store.RefreshSession(ctx, p.SessionID)
	if err != nil {
		return Session{}, unauthorizedIfMissing(err)
	}
	if !s.refreshTokens.Genuine(p, session) {
		return Session{}, ErrUnauthorized
	}
	return session, nil
}

// refreshAgain handles a token that is not the current one of a live session.
func (s *Service) refreshAgain(ctx context.Context, p tokens.RefreshToken, now time.Time) (Grant, error) {
	session, err := s.genuineSession(ctx, p)
	if err != nil {
		return Grant{}, err
	}
	switch {
	case p.Generation >= session.Generation:
		// If it is the current token, the session has ended. If it is a later one,
		// the database was restored from a backup. Neither is a theft.
		return Grant{}, ErrUnauthorized
	case p.Generation == session.Generation-1 && rotatedWithin(session, refreshGrace, now):
		return s.giveAgain(ctx, session, now)
	case steppedUpFrom(session, p.Generation) && rotatedWithin(session, refreshGrace, now):
		// One tab refreshed while another one stepped up. Its token is refused
		// without ending the session. A step-up increases the generation by two, so
		// that a token from before it can never be exchanged for one from after it.
		return Grant{}, ErrUnauthorized
	default:
		return Grant{}, s.endReused(ctx, session, now)
	}
}

// sessionOf is genuineSession for a token that may be anything.
func (s *Service) sessionOf(ctx context.Context, refreshToken string) (Session, error) {
	p, ok := s.refreshTokens.Parse(refreshToken)
	if !ok {
		return Session{}, ErrUnauthorized
	}
	return s.genuineSession(ctx, p)
}

// giveAgain returns the tokens of the session's last rotation again. If the session
// has moved on since it was read, it returns none: the move may have been a step-up,
// and the current tokens are not for a token from before it.
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

// steppedUpFrom reports whether the session's last change was a step-up from
// that generation.
func steppedUpFrom(s Session, generation int64) bool {
	return generation == s.Generation-2 && s.Generation == s.StepUpGeneration
}

// endReused ends the session whose old token was reused, and no other.
func (s *Service) endReused(ctx context.Context, session Session, now time.Time) error {
	which := storage.EndSessions{UserID: session.UserID, Only: session.ID, At: now, Reason: storage.EndedByReuse}
	// A token of an ended session causes no notice, and must not use up the limit on
	// notices about live ones.
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
