package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// DeleteAccount permanently deletes the caller's account with its passkeys, sessions and personal
// data. The name stays taken for NameQuarantine, and the id is never reused.
//
// It requires the same as adding a passkey: a fresh passkey verification if the account has
// passkeys (StepUpRequiredError), otherwise a fresh password (ErrReauthenticationRequired).
// Shortly after a reset of the password it returns a ResetTooRecentError.
func (s *Service) DeleteAccount(ctx context.Context, c Caller) error {
	now := s.now()
	if err := s.check(c, now); err != nil {
		return err
	}
	return s.inTxEnding(ctx, func(tx storage.Tx) ([]uuid.UUID, error) {
		a, err := tx.LockAccount(ctx, c.userID, c.sessionID, now)
		if err != nil {
			return nil, unauthorizedIfMissing(err)
		}
		if err := s.mayChangeAccount(a, c, now); err != nil {
			return nil, err
		}
		return s.deleteIn(ctx, tx, c.userID, now)
	})
}

// deleteIn deletes a user. It locks the user's row, so that no login succeeds in between, and ends
// the sessions first: only live sessions can be ended, and a deleted user has none.
func (s *Service) deleteIn(ctx context.Context, tx storage.Tx, userID uuid.UUID, now time.Time) ([]uuid.UUID, error) {
	u, err := tx.LockUser(ctx, userID)
	if err != nil {
		return nil, err
	}
	ended, err := s.endIn(ctx, tx, storage.EndSessions{UserID: userID, At: now, Reason: storage.EndedByDeletion})
	if err != nil {
		return nil, err
	}
	// Notify first, because the address is deleted with the account.
	if err := s.outbox.Notify(ctx, tx, outbox.Notice{Kind: mail.AccountDeleted, UserID: userID, At: now}); err != nil {
		return nil, err
	}
	if err := tx.DeleteUser(ctx, userID, s.passwords.Decoy(), now); err != nil {
		return nil, err
	}
	// The last event of a deleted user names no device and no network, as those before no longer do.
	// The count of failed attempts is kept as long as the account.
	if err := tx.ForgetAttempts(ctx, s.throttle.AccountKey(u.CanonicalName), false); err != nil {
		return nil, err
	}
	return ended, s.record(WithClient(ctx, Client{}), tx, Event{Kind: storage.EventUserDeleted, UserID: userID}, now)
}
