package stepkey

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// RemoveUserEmail leaves a user without an address, as an operator may whose user has lost
// the mailbox to somebody else. Everything that was sent to it is void, the links of notices
// included, and nothing more is sent there but the news of this, without a link that does
// anything. An operator's recovery link stays good. A user without an address is no error;
// one who is not there, or deleted, is ErrNotFound.
func (s *Service) RemoveUserEmail(ctx context.Context, userID uuid.UUID) error {
	now := s.now()
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		u, err := tx.LockUser(ctx, userID)
		if err != nil {
			return err
		}
		if u.DeletedAt != nil {
			return ErrNotFound
		}
		before, err := tx.SetEmail(ctx, userID, "", now)
		if err != nil {
			return err
		}
		if err := s.voidOldAddress(ctx, tx, userID, now); err != nil {
			return err
		}
		err = errors.Join(tx.DropLinks(ctx, userID, storage.LinkFreeze), tx.DropMail(ctx, userID, mail.Kinds()...))
		if err != nil || before == "" {
			return err
		}
		if err := s.record(ctx, tx, Event{Kind: storage.EventEmailRemoved, UserID: userID, Reason: string(storage.RecoveredByAdmin)}, now); err != nil {
			return err
		}
		return s.outbox.NotifyAt(ctx, tx, outbox.Notice{Kind: mail.EmailRemovedByAdmin, UserID: userID, At: now}, addresseeAt(u, before))
	})
}

// AllowPassword lifts what Freeze put on a user's password, for somebody whom an operator
// has recognised and who can reset it neither by mail nor with a passkey. It reports whether
// the password was stopped. Whoever else knows the password can sign in with it again.
func (s *Service) AllowPassword(ctx context.Context, userID uuid.UUID) (lifted bool, err error) {
	now := s.now()
	err = s.store.InTx(ctx, func(tx storage.Tx) error {
		lifted, err = tx.StopPassword(ctx, userID, false)
		if err != nil || !lifted {
			return err
		}
		return s.record(ctx, tx, Event{Kind: storage.EventUserUnlocked, UserID: userID, Reason: "password"}, now)
	})
	return lifted, err
}
