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

// MaxRecoveryLinkLifetime is how long a link of MakeRecoveryLink may work.
const MaxRecoveryLinkLifetime = 24 * time.Hour

// MakeRecoveryLink makes a link for a user who has lost everything, and whom an operator
// has recognised by other means. It is for that user alone, works once, and leads to a
// session at level recovery. The operator neither sees nor sets a password (OWASP ASVS
// 6.4.6), the user is told, and the passkey that comes of it waits like any other that
// comes of a recovery.
//
// A disabled or deleted user is ErrNotFound; a lifetime that is not positive or over
// MaxRecoveryLinkLifetime is ErrInvalidRequest. A second link replaces the first. The link
// survives a reset of the password, a password change without a passkey and "This was not
// me": somebody with the mailbox or the password alone must not be able to keep out a person
// whom an operator has recognised.
func (s *Service) MakeRecoveryLink(ctx context.Context, userID uuid.UUID, lifetime time.Duration) (url string, err error) {
	if lifetime <= 0 || lifetime > MaxRecoveryLinkLifetime {
		return "", ErrInvalidRequest
	}
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

// RecoverByLink follows a link of MakeRecoveryLink. It needs no session: the user may
// have lost the password as well, and can set another once the new passkey works. A link
// that is unknown, used, replaced, too old or from before the password was changed with a
// passkey is ErrLinkExpired. The links of notices from before it are void: whoever reads the
// mailbox cannot use them against the new passkey, nor to stop the next password. Those of
// notices that follow work, so that an owner for whom an operator was deceived can stop it;
// where the mailbox is in the wrong hands, the operator removes the address first
// (RemoveUserEmail).
func (s *Service) RecoverByLink(ctx context.Context, linkToken string, from Client) (Grant, error) {
	now := s.now()
	u, err := s.store.LinkOwner(ctx, outbox.LinkDigest(linkToken), storage.LinkRecover, now)
	if err != nil {
		return Grant{}, expiredIfMissing(err)
	}
	var session Session
	err = s.inTxEnding(WithAccount(ctx, u.ID), func(tx storage.Tx) (ended []uuid.UUID, err error) {
		if u, err = tx.LockUser(ctx, u.ID); err != nil {
			return nil, expiredIfMissing(err)
		}
		if _, err := tx.TakeLink(ctx, outbox.LinkDigest(linkToken), storage.LinkRecover, now); err != nil {
			return nil, expiredIfMissing(err)
		}
		if err := tx.DropLinks(ctx, u.ID, storage.LinkFreeze); err != nil {
			return nil, err
		}
		session, ended, err = s.startRecovered(ctx, tx, u, storage.RecoveredByAdmin, from, now)
		return ended, err
	})
	if err != nil {
		return Grant{}, err
	}
	return s.grant(u, session, true, now)
}
