package stepkey

import (
	"context"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// DisableUser keeps a user from signing in and ends all of the user's sessions. A user who is
// disabled already is no error. It returns ErrNotFound if there is no such user.
func (s *Service) DisableUser(ctx context.Context, userID uuid.UUID) error {
	now := s.now()
	return s.inTxEnding(ctx, func(tx storage.Tx) ([]uuid.UUID, error) {
		// The lock keeps a concurrent login from starting a session in between. Sessions end
		// first, because those of a disabled user no longer count as live.
		if _, err := tx.LockUser(ctx, userID); err != nil {
			return nil, err
		}
		ended, err := s.endIn(ctx, tx, storage.EndSessions{UserID: userID, At: now, Reason: storage.EndedByDisabling})
		if err != nil {
			return nil, err
		}
		changed, err := tx.SetDisabled(ctx, userID, &now)
		if err != nil || !changed {
			return ended, err
		}
		return ended, s.record(ctx, tx, Event{Kind: storage.EventUserDisabled, UserID: userID}, now)
	})
}

// EnableUser lets a disabled user sign in again. The sessions of before stay ended.
func (s *Service) EnableUser(ctx context.Context, userID uuid.UUID) error {
	now := s.now()
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		changed, err := tx.SetDisabled(ctx, userID, nil)
		if err != nil || !changed {
			return err
		}
		return s.record(ctx, tx, Event{Kind: storage.EventUserEnabled, UserID: userID}, now)
	})
}

// UnlockUser resets the count of failed logins at the account, for an owner who is locked out
// because somebody else made storage.MaxAttempts.
func (s *Service) UnlockUser(ctx context.Context, u User) error {
	now := s.now()
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		if err := tx.ForgetAttempts(ctx, s.throttle.AccountKey(u.CanonicalName), false); err != nil {
			return err
		}
		return s.record(ctx, tx, Event{Kind: storage.EventUserUnlocked, UserID: u.ID}, now)
	})
}
