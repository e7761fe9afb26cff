package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/storage"
)

// RecoverByMail recovers an account without a passkey and without a recovery code. It
// takes the password, verified in this session not longer than FirstPasskeyWindow ago
// (ErrReauthenticationRequired), and the mailbox, after RecoveryWait. The first call
// begins the wait, and further calls do not change it. Once the wait is over, a call
// sends the link for FinishRecovery to the account's confirmed address.
//
// The owner is notified three times during the wait, and once more at the end. The
// recovery is cancelled by any use of a passkey, by CancelRecovery, by the link in a
// notice, by a new password, and by a recovery code or an operator's link.
//
// It returns ErrNoAddress for a user without a confirmed address, and ErrPasswordByMail
// for one whose password was set by a link to the mailbox: such a password only proves
// the mailbox a second time, so that user needs a recovery code.
func (s *Service) RecoverByMail(ctx context.Context, c Caller, from Client) (p PendingRecovery, linkSent bool, err error) {
	if !s.outbox.SendsMail() {
		return p, false, ErrEmailOff
	}
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return p, false, err
	}
	if err := mayRecover(a, now); err != nil {
		return p, false, err
	}
	// While the recovery is pending, the call changes nothing and sends nothing.
	if pending := pendingRecovery(a.User, now); pending == nil || !now.Before(pending.ReadyAt) {
		if err := s.throttle.ChargeRecoveryByMail(ctx, a, from, now); err != nil {
			return p, false, err
		}
	}
	err = s.store.InTx(ctx, func(tx storage.Tx) error {
		locked, err := tx.LockAccount(ctx, a.User.ID, a.Session.ID, now)
		if err != nil {
			return unauthorizedIfMissing(err)
		}
		p, linkSent, err = s.goOnRecovering(ctx, tx, locked, from, now)
		return err
	})
	return p, linkSent, err
}

// goOnRecovering does the next step of the user's recovery.
func (s *Service) goOnRecovering(
	ctx context.Context, tx storage.Tx, a storage.Account, from Client, now time.Time,
) (p PendingRecovery, linkSent bool, err error) {
	addressees, err := tx.Addressees(ctx, storage.AddresseesOf{UserID: a.User.ID})
	if err != nil {
		return p, false, err
	}
	if len(addressees) == 0 {
		return p, false, ErrNoAddress
	}
	pending := pendingRecovery(a.User, now)
	if pending == nil {
		if a.User.PasswordByMail {
			return p, false, ErrPasswordByMail
		}
		begun, err := s.beginRecovery(ctx, tx, a, from, now)
		if err != nil {
			return p, false, err
		}
		return *begun, false, nil
	}
	if now.Before(pending.ReadyAt) {
		return *pending, false, nil
	}
	for _, to := range addressees {
		err := s.outbox.SendLink(ctx, tx, outbox.LinkMail{
			Kind: mail.FinishRecovery, Purpose: storage.LinkFinishRecovery, To: to, From: from, At: now,
		})
		if err != nil {
			return p, false, err
		}
	}
	return *pending, true, nil
}

// CancelRecovery cancels a pending recovery. On an account with a working passkey it
// requires a passkey verification not older than FullWindow (StepUpRequiredError), which
// has already cancelled the recovery. Otherwise somebody who only knows the password could
// keep an owner without passkeys from ever recovering the account. The link in a notice
// cancels a recovery without a passkey. CancelRecovery returns ErrNotFound if no recovery
// is pending, and a RateLimitedError after ten calls in an hour.
func (s *Service) CancelRecovery(ctx context.Context, c Caller) error {
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return err
	}
	if a.User.Recovery != nil {
		if err := s.throttle.ChargeChange(ctx, a, throttle.ChangeRecoveryCancel, now); err != nil {
			return err
		}
	}
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		locked, err := tx.LockAccount(ctx, a.User.ID, a.Session.ID, now)
		if err != nil {
			return unauthorizedIfMissing(err)
		}
		if err := asOwner(locked, c, now); err != nil {
			return err
		}
		cancelled, err := s.cancelRecovery(ctx, tx, outbox.NoticeOf(mail.RecoveryCancelled, a.Session, now))
		if err == nil && !cancelled {
			return ErrNotFound
		}
		return err
	})
}

// FinishRecovery follows the link that RecoverByMail sent, in a session in which the
// password was verified as RecoverByMail requires, and returns tokens at level recovery.
// All earlier sessions end. It returns ErrLinkExpired for a link that is unknown, used,
// replaced, too old, another user's or from before the recovery was cancelled.
func (s *Service) FinishRecovery(ctx context.Context, c Caller, linkToken string, from Client) (Grant, error) {
	if !s.outbox.SendsMail() {
		return Grant{}, ErrEmailOff
	}
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return Grant{}, err
	}
	var session Session
	err = s.inTxEnding(ctx, func(tx storage.Tx) (ended []uuid.UUID, err error) {
		locked, err := tx.LockAccount(ctx, a.User.ID, a.Session.ID, now)
		if err != nil {
			return nil, unauthorizedIfMissing(err)
		}
		if err := mayRecover(locked, now); err != nil {
			return nil, err
		}
		link, err := tx.TakeLink(ctx, outbox.LinkDigest(linkToken), storage.LinkFinishRecovery, now)
		if err != nil {
			return nil, expiredIfMissing(err)
		}
		// The transaction is rolled back if the link is somebody else's.
		finished, err := tx.CancelRecovery(ctx, a.User.ID)
		if err != nil {
			return nil, err
		}
		if link.UserID != a.User.ID || !finished {
			return nil, ErrLinkExpired
		}
		session, ended, err = s.startRecovered(ctx, tx, locked.User, storage.RecoveredByMail, from, now)
		return ended, err
	})
	if err != nil {
		return Grant{}, err
	}
	return s.grant(a.User, session, len(a.Passkeys) > 0, now)
}
