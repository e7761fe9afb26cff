package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/pages"
	"github.com/stepkey/stepkey/storage"
)

// MaxRecoveryLinkLifetime is how long a link of [Admin.MakeRecoveryLink] may work.
const MaxRecoveryLinkLifetime = 24 * time.Hour

// MakeRecoveryLink makes a link for a user who has lost everything, and whom an operator
// has recognised by other means. It works for that user alone and once, for lifetime, and leads
// to a session at level recovery ([Service.RecoverByLink]). The operator neither sees nor sets a
// password (OWASP ASVS 6.4.6), the user is notified, and the passkey that is added waits like
// any other that is added through recovery.
//
// A disabled or deleted user is ErrNotFound; a lifetime that is not positive or over
// MaxRecoveryLinkLifetime is ErrInvalidRequest. A second link replaces the first. The link
// survives a reset of the password, a password change without a passkey and "This was not
// me": somebody with the mailbox or the password alone must not be able to keep out a person
// whom an operator has recognised.
func (a *Admin) MakeRecoveryLink(ctx context.Context, userID uuid.UUID, lifetime time.Duration) (url string, err error) {
	if lifetime <= 0 || lifetime > MaxRecoveryLinkLifetime {
		return "", ErrInvalidRequest
	}
	s := a.service
	now := s.now()
	linkToken, link, err := s.outbox.NewLink(storage.Link{Purpose: storage.LinkRecover, UserID: userID, ExpiresAt: now.Add(lifetime)})
	if err != nil {
		return "", err
	}
	err = s.store.InTx(ctx, func(tx storage.Tx) error {
		u, err := tx.LockUser(ctx, userID)
		if err != nil {
			return err
		}
		if !u.Active() {
			return ErrNotFound
		}
		if err := tx.PutLink(ctx, link); err != nil {
			return err
		}
		e := Event{Kind: storage.EventRecoveryStarted, UserID: userID, Reason: string(storage.RecoveredByAdmin)}
		if err := s.record(ctx, tx, e, now); err != nil {
			return err
		}
		return s.outbox.Notify(ctx, tx, outbox.Notice{Kind: mail.RecoveryByAdmin, UserID: userID, At: now})
	})
	if err != nil {
		return "", err
	}
	return s.outbox.LinkTo(pages.RecoverByLink, linkToken), nil
}
