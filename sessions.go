package stepkey

import (
	"context"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// LogOut ends the caller's session. If the session has already ended, it does
// nothing.
func (s *Service) LogOut(ctx context.Context, c Caller) error {
	if err := s.check(c, s.now()); err != nil {
		return err
	}
	_, err := s.end(ctx, storage.EndSessions{UserID: c.userID, Only: c.sessionID, Reason: storage.EndedByLogout})
	return err
}

// LogOutEverywhere ends all of the user's sessions, this one included, and returns
// how many there were. On an account with a working passkey it requires a passkey
// verification not older than FullWindow (StepUpRequiredError), as LogOutOthers and
// EndSession do: knowing the password must not suffice to sign the owner out.
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

// EndSession ends one of the user's own sessions. It returns ErrNotFound if the
// session is not live or belongs to another user. A session can always end itself;
// for any other the rule is that of LogOutEverywhere, and it is checked before the
// session is looked up.
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

// Sessions lists the user's live sessions, the newest first, at most limit, which is 1 to
// MaxListedSessions (ErrInvalidRequest). If before is not nil, the list begins after that
// place. next is the place to continue from, or nil at the end.
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
