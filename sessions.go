package stepkey

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/internal/tokens"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// The reasons.
const (
	EndedByReplacement storage.EndReason = "replaced"
)

// LogOut ends the caller's session. A session that has ended already is
// no error.
func (s *Service) LogOut(ctx context.Context, c Caller) error {
	if err := c.check(s.now()); err != nil {
		return err
	}
	_, err := s.end(ctx, storage.EndSessions{UserID: c.userID, Only: c.sessionID, Reason: storage.EndedByLogout})
	return err
}

// LogOutEverywhere ends all of the user's sessions, this one included, and returns
// how many there were. On an account with a passkey that works it takes a passkey
// verification not older than FullWindow (StepUpRequiredError), as LogOutOthers and
// EndSession do: the password alone must not sign the owner out.
func (s *Service) LogOutEverywhere(ctx context.Context, c Caller) (int, error) {
	a, err := s.owner(ctx, c)
	if err != nil {
		return 0, err
	}
	return s.end(ctx, storage.EndSessions{UserID: a.User.ID, Reason: storage.EndedByLogout})
}

// LogOutOthers ends all of the user's sessions but this one. The rule is that of
// LogOutEverywhere.
func (s *Service) LogOutOthers(ctx context.Context, c Caller) (int, error) {
	a, err := s.owner(ctx, c)
	if err != nil {
		return 0, err
	}
	return s.end(ctx, storage.EndSessions{UserID: a.User.ID, Except: a.Session.ID, Reason: storage.EndedByOwner})
}

// EndSession ends one of the user's own sessions. One that is not live, or is
// somebody else's, is ErrNotFound. A session can always end itself; for any other the
// rule is that of LogOutEverywhere, and it is asked before the session is looked up.
func (s *Service) EndSession(ctx context.Context, c Caller, sessionID uuid.UUID) error {
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return err
	}
	if sessionID != a.Session.ID {
		if err := asOwner(a, c, now); err != nil {
			return err
		}
	}
	n, err := s.end(ctx, storage.EndSessions{UserID: a.User.ID, Only: sessionID, Reason: storage.EndedByOwner})
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// owner returns the account of a caller who passes asOwner.
func (s *Service) owner(ctx context.Context, c Caller) (storage.Account, error) {
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return storage.Account{}, err
	}
	return a, asOwner(a, c, now)
}

// Sessions lists the user's live sessions, the newest first, at most limit, which is 1 to
// MaxListedSessions (ErrInvalidRequest). With before it begins after that place. next is
// the place to go on from, or nil at the end.
func (s *Service) Sessions(
	ctx context.Context, c Caller, before *SessionPlace, limit int,
) (sessions []Session, next *SessionPlace, err error) {
	if limit < 1 || limit > MaxListedSessions {
		return nil, nil, ErrInvalidRequest
	}
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return nil, nil, err
	}
	sessions, err = s.store.Sessions(ctx, a.User.ID, now, now.Add(-SessionIdle), before, limit+1)
	if err != nil || len(sessions) <= limit {
		return sessions, nil, err
	}
	last := sessions[limit-1]
	return sessions[:limit], &SessionPlace{At: last.CreatedAt, ID: last.ID}, nil
}

// Revoke ends the session behind an access or refresh token of ours (RFC 7009). A
// token that is not, or no longer, worth anything is no error, as the RFC has it:
// there is nothing left to do. Tokens that were never ours are counted by address; a client
// that tries too many is refused with a RateLimitedError.
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

// revoke reports whether the token was made by us, whatever it is worth.
func (s *Service) revoke(ctx context.Context, anyToken string) (ours bool, err error) {
	c, err := s.CallerOf(ctx, anyToken)
	if err == nil {
		return true, s.revokeSession(ctx, c)
	}
	var refused *token.Error
	if errors.As(err, &refused) && refused.Reason == token.ReasonExpired {
		return true, nil
	}
	p, ok := tokens.ParseRefreshToken(anyToken)
	if !ok {
		return false, nil
	}
	session, err := s.store.RefreshSession(ctx, p.SessionID)
	if errors.Is(err, ErrNotFound) || (err == nil && !s.refreshTokens.Genuine(p, session)) {
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

// Introspect returns what an access token says if its session is live at this
// moment and has the level that the token says, and ErrUnauthorized otherwise (RFC 7662).
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
		return token.Claims{}, ErrUnauthorized // the passkey behind it is gone
	}
	return c.claims, nil
}

// end ends sessions in a transaction of its own, records each end, and returns how
// many there were.
func (s *Service) end(ctx context.Context, which storage.EndSessions) (n int, err error) {
	which.At = s.now()
	err = s.inTxEnding(WithAccount(ctx, which.UserID), func(tx storage.Tx) ([]uuid.UUID, error) {
		ended, err := s.endIn(ctx, tx, which)
		n = len(ended)
		return ended, err
	})
	return n, err
}

// inTxEnding runs fn in a transaction and, once it is committed, has this instance
// refuse the sessions that fn ended. The others learn of them within a second.
//
// They read again what ended up to tokens.EndedSettle ago. An end that is committed later
// than that after its time would never be found, so a transaction that takes too long is
// rolled back.
func (s *Service) inTxEnding(ctx context.Context, fn func(storage.Tx) ([]uuid.UUID, error)) error {
	var ended []uuid.UUID
	err := s.store.InTx(ctx, func(tx storage.Tx) (err error) {
		began := s.now()
		if ended, err = fn(tx); err != nil || len(ended) == 0 {
			return err
		}
		if s.now().Sub(began) > tokens.EndedCommit {
			return ErrUnavailable
		}
		return nil
	})
	if err == nil {
		s.ended.Add(ended, s.now())
	}
	return err
}

// endIn ends sessions and records each end. The use-case may have waited since which.At,
// for a turn to hash or for another transaction, so the time is read again: others look
// for ends by it. tx is one of inTxEnding.
func (s *Service) endIn(ctx context.Context, tx storage.Tx, which storage.EndSessions) ([]uuid.UUID, error) {
	if now := s.now(); now.After(which.At) {
		which.At = now
	}
	ended, err := tx.EndSessions(ctx, which)
	if err != nil {
		return nil, err
	}
	for _, id := range ended {
		e := Event{Kind: storage.EventSessionEnded, UserID: which.UserID, SessionID: id, Reason: string(which.Reason)}
		if err := s.record(ctx, tx, e, which.At); err != nil {
			return nil, err
		}
	}
	return ended, nil
}
