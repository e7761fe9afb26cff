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

// Email returns the user's address, and the one that waits to be confirmed. Where no
// e-mail is sent it is ErrEmailOff, to who is signed in.
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

// RequestEmail sends a link to address, by which it becomes the user's. Until then
// nothing has changed. Who may do so is decided as for passkeys: an address is a way to
// set a new password.
//
// Whether anybody else has the address makes no difference: several accounts may have
// one. The errors are ErrEmailInvalid, ErrReauthenticationRequired, StepUpRequiredError,
// ResetTooRecentError and RateLimitedError.
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
		return s.outbox.SendLink(ctx, tx, outbox.LinkMail{
			Kind: mail.ConfirmEmail, Purpose: storage.LinkVerifyEmail, To: addresseeAt(locked.User, address), From: from, At: now,
		})
	})
}

func addresseeAt(u User, address string) storage.Addressee {
	return storage.Addressee{
		UserID: u.ID, Username: u.Username, Active: u.Active(), PasswordVersion: u.PasswordVersion, Address: address,
	}
}

// ConfirmEmail makes the address that the link was sent to the user's, who asked for it
// while signed in. It needs no session: the mailbox is what is proved, and people read
// their mail elsewhere. Old and new address are told, and what was sent to the old one is
// void; see voidOldAddress. A link that is unknown, used, replaced, too old, for something
// else or from before the account's first passkey is ErrLinkExpired.
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
		// The lock first, so that a first passkey either voids the link or comes after.
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

// dropPendingEmail voids an address that waits to be confirmed. It was asked for with the
// password alone where there was no passkey, and must not become the owner's once there is
// one: from then on a change of address takes the passkey.
func (s *Service) dropPendingEmail(ctx context.Context, tx storage.Tx, userID uuid.UUID) error {
	if err := tx.DropLinks(ctx, userID, storage.LinkVerifyEmail); err != nil {
		return err
	}
	return tx.DropMail(ctx, userID, mail.ConfirmEmail)
}

// voidOldAddress voids what was sent to the address that the account had until now, and what
// is about to be: links for a new password, and a recovery by mail with its link. The links
// of notices stay good. They only take away, and the reader of the old mailbox may be the
// owner, whose address somebody else has just changed.
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

// RemoveEmail leaves the user without an address, and tells the one there was. Links
// that were sent to it are void. The rule is RequestEmail's, and after ten in an hour
// there is a RateLimitedError.
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
