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

// Email returns the user's address, and the one that is not confirmed yet. It
// returns ErrEmailOff without a Mailer.
func (s *Service) Email(ctx context.Context, c Caller) (EmailState, error) {
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return EmailState{}, err
	}
	if !s.outbox.SendsMail() {
		return EmailState{}, ErrEmailOff
	}
	return s.store.Email(ctx, a.User.ID, now)
}

// RequestEmail sends a link to address. Following the link makes it the user's address;
// until then nothing changes. The rule is the same as for adding a passkey, because an
// address is a way to set a new password.
//
// Several accounts may have the same address. The errors are ErrEmailInvalid,
// ErrReauthenticationRequired, StepUpRequiredError, ResetTooRecentError and
// RateLimitedError.
func (s *Service) RequestEmail(ctx context.Context, c Caller, address string, from Client) error {
	if err := mail.CheckAddress(address); err != nil {
		return ErrEmailInvalid
	}
	if !s.outbox.SendsMail() {
		return ErrEmailOff
	}
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return err
	}
	if err := s.mayChangeAccount(a, c, now); err != nil {
		return err
	}
	if err := s.throttle.ChargeConfirmation(ctx, a, from, address, now); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		locked, err := tx.LockAccount(ctx, a.User.ID, a.Session.ID, now)
		if err != nil {
			return unauthorizedIfMissing(err)
		}
		if err := s.mayChangeAccount(locked, c, now); err != nil {
			return err
		}
		return s.sendConfirmation(ctx, tx, locked.User, address, from, now)
	})
}

// sendConfirmation sends a link that makes address that of u. It replaces the previous such link.
func (s *Service) sendConfirmation(ctx context.Context, tx storage.Tx, u User, address string, from Client, now time.Time) error {
	return s.outbox.SendLink(ctx, tx, outbox.LinkMail{
		Kind: mail.ConfirmEmail, Purpose: storage.LinkVerifyEmail, To: addresseeAt(u, address), From: from, At: now,
	})
}

func addresseeAt(u User, address string) storage.Addressee {
	return storage.Addressee{
		UserID: u.ID, Username: u.Username, Active: u.Active(), PasswordVersion: u.PasswordVersion, Address: address,
		Language: u.Language,
	}
}

// ConfirmEmail follows the link of RequestEmail and makes the address that it was sent to
// the user's. It needs no session: the link proves the mailbox, and people read their mail
// on other devices. The old and the new address are notified, and links sent to the old
// one become invalid; see voidOldAddress. It returns ErrLinkExpired for a link that is
// unknown, used, replaced, too old, for another purpose or from before the account's first
// passkey.
func (s *Service) ConfirmEmail(ctx context.Context, linkToken string, from Client) error {
	if !s.outbox.SendsMail() {
		return ErrEmailOff
	}
	now := s.now()
	owner, err := s.store.LinkOwner(ctx, outbox.LinkDigest(linkToken), storage.LinkVerifyEmail, now)
	if err != nil {
		return expiredIfMissing(err)
	}
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		// Lock first, so that a first passkey either invalidates the link or is added
		// afterwards.
		if _, err := tx.LockUser(ctx, owner.ID); err != nil {
			return expiredIfMissing(err)
		}
		link, err := tx.TakeLink(ctx, outbox.LinkDigest(linkToken), storage.LinkVerifyEmail, now)
		if err != nil {
			return expiredIfMissing(err)
		}
		before, err := tx.SetEmail(ctx, link.UserID, link.Address, now)
		if err != nil {
			return expiredIfMissing(err)
		}
		if err := s.voidOldAddress(ctx, tx, link.UserID, now); err != nil {
			return err
		}
		if err := s.record(ctx, tx, Event{Kind: storage.EventEmailConfirmed, UserID: link.UserID}, now); err != nil {
			return err
		}
		n := outbox.Notice{Kind: mail.EmailChanged, UserID: link.UserID, At: now, Client: from, Address: link.Address}
		return s.outbox.NotifyBoth(ctx, tx, n, before)
	})
}

// dropPendingEmail drops an address that is not confirmed yet when the first passkey is
// added. It was requested with the password alone, and from now on a change of address
// requires the passkey.
func (s *Service) dropPendingEmail(ctx context.Context, tx storage.Tx, userID uuid.UUID) error {
	if err := tx.DropLinks(ctx, userID, storage.LinkVerifyEmail); err != nil {
		return err
	}
	return tx.DropMail(ctx, userID, mail.ConfirmEmail)
}

// voidOldAddress invalidates what was sent, or is about to be sent, to the account's
// previous address: links for a new password, and a recovery by mail with its link. The
// links in notices stay valid. They give no access, and the reader of the old mailbox may be
// the owner, whose address somebody else has just changed.
func (s *Service) voidOldAddress(ctx context.Context, tx storage.Tx, userID uuid.UUID, now time.Time) error {
	if _, err := s.stopRecovery(ctx, tx, userID, now); err != nil {
		return err
	}
	if err := s.dropPendingEmail(ctx, tx, userID); err != nil {
		return err
	}
	if err := tx.DropLinks(ctx, userID, storage.LinkResetPassword, storage.LinkFinishRecovery); err != nil {
		return err
	}
	return tx.DropMail(ctx, userID, mail.ResetPassword, mail.FinishRecovery)
}

// RemoveEmail removes the user's address and notifies it. Links that were sent to it
// become invalid. The rule is that of RequestEmail, and after ten removals in an hour
// it returns a RateLimitedError.
func (s *Service) RemoveEmail(ctx context.Context, c Caller) error {
	if !s.outbox.SendsMail() {
		return ErrEmailOff
	}
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return err
	}
	if err := s.mayChangeAccount(a, c, now); err != nil {
		return err
	}
	if err := s.throttle.ChargeChange(ctx, a, throttle.ChangeAddressRemoval, now); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		locked, err := tx.LockAccount(ctx, a.User.ID, a.Session.ID, now)
		if err != nil {
			return unauthorizedIfMissing(err)
		}
		if err := s.mayChangeAccount(locked, c, now); err != nil {
			return err
		}
		before, err := tx.SetEmail(ctx, a.User.ID, "", now)
		if err != nil {
			return err
		}
		if err := s.voidOldAddress(ctx, tx, a.User.ID, now); err != nil || before == "" {
			return err
		}
		if err := s.record(ctx, tx, Event{Kind: storage.EventEmailRemoved, UserID: a.User.ID, SessionID: a.Session.ID}, now); err != nil {
			return err
		}
		return s.outbox.NotifyAt(ctx, tx, outbox.NoticeOf(mail.EmailRemoved, a.Session, now), addresseeAt(locked.User, before))
	})
}
