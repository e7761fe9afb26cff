package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// DeleteAccount deletes the account of who asks, for good: passkeys, sessions, and all
// that is known of the user. Nobody gets the name for NameQuarantine, and nobody ever
// the id.
//
// It takes what adding a passkey takes: a fresh passkey verification where there are
// passkeys (StepUpRequiredError), a fresh password where there are none
// (ErrReauthenticationRequired). Shortly after a reset of the password it is a
// ResetTooRecentError; see restsOnMailbox.
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

// deleteIn locks the user, so that no login slips in, and ends the sessions first: ending
// them asks whether they are live, and those of a deleted user are not.
func (s *Service) deleteIn(ctx context.Context, tx storage.Tx, userID uuid.UUID, now time.Time) ([]uuid.UUID, error) {
	u, err := tx.LockUser(ctx, userID)
	if err != nil {
		return nil, err
	}
	ended, err := s.endIn(ctx, tx, storage.EndSessions{UserID: userID, At: now, Reason: storage.EndedByDeletion})
	if err != nil {
		return nil, err
	}
	// Told first: the address goes with the account.
	if err := s.outbox.Notify(ctx, tx, outbox.Notice{Kind: mail.AccountDeleted, UserID: userID, At: now}); err != nil {
		return nil, err
	}
	if err := tx.DeleteUser(ctx, userID, s.passwords.Decoy(), now); err != nil {
		return nil, err
	}
	// The count of attempts lasts as long as the account.
	if err := tx.ForgetAttempts(ctx, s.throttle.AccountKey(u.CanonicalName), false); err != nil {
		return nil, err
	}
	return ended, s.record(ctx, tx, Event{Kind: storage.EventUserDeleted, UserID: userID}, now)
}
