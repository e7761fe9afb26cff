package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// Freeze follows the "this was not me" link of a notice. It ends all of the user's sessions and
// cancels everything pending that could give access to the account, including links for a new
// password or a new address. It also stops the password, because somebody else may know it: the
// password cannot be used to sign in until another one is set, by a reset or by the owner with a
// passkey, or until an operator re-enables it ([Admin.AllowPassword]). A passkey that works can
// still be used to sign in. The link survives a change of the password, because the notice may
// be about that change. It gives no access, so it may stay valid for days. It returns
// ErrLinkExpired for a link that is unknown, used, too old or from before an operator's
// recovery.
//
// A link made by an operator ([Admin.MakeRecoveryLink]) stays valid. The operator has verified the
// person by other means than the mailbox, and somebody who reads the mailbox must not be able to
// keep that person out.
func (s *Service) Freeze(ctx context.Context, linkToken string, from Client) error {
	if !s.outbox.SendsMail() {
		return ErrEmailOff
	}
	now := s.now()
	owner, err := s.store.LinkOwner(ctx, outbox.LinkDigest(linkToken), storage.LinkFreeze, now)
	if err != nil {
		return expiredIfMissing(err)
	}
	// The notice of this contains another such link, so the number of notices is
	// limited. The call itself is never refused; beyond the limit only the notice is not
	// sent.
	tell := s.mayNotify(ctx, owner.ID, mail.AccountFrozen, now)
	return s.inTxEnding(ctx, func(tx storage.Tx) ([]uuid.UUID, error) {
		// Lock first: a concurrent login that has already compared its password either
		// commits before, and its session is ended, or sees that the password is stopped.
		if _, err := tx.LockUser(ctx, owner.ID); err != nil {
			return nil, expiredIfMissing(err)
		}
		link, err := tx.TakeLink(ctx, outbox.LinkDigest(linkToken), storage.LinkFreeze, now)
		if err != nil {
			return nil, expiredIfMissing(err)
		}
		ended, err := s.freezeIn(ctx, tx, Event{Kind: storage.EventAccountFrozen, UserID: link.UserID}, now)
		if err != nil || !tell {
			return ended, err
		}
		return ended, s.outbox.Notify(ctx, tx, outbox.Notice{Kind: mail.AccountFrozen, UserID: link.UserID, At: now, Client: from})
	})
}

// freezeIn stops the user's password, ends all sessions but that of e, cancels what is pending and
// records e.
func (s *Service) freezeIn(ctx context.Context, tx storage.Tx, e Event, now time.Time) ([]uuid.UUID, error) {
	if _, err := tx.StopPassword(ctx, e.UserID, true); err != nil {
		return nil, err
	}
	ended, err := s.endIn(ctx, tx, storage.EndSessions{
		UserID: e.UserID, Except: e.SessionID, At: now, Reason: storage.EndedByFreeze,
	})
	if err != nil {
		return nil, err
	}
	if err := tx.DropLinks(ctx, e.UserID, storage.LinkVerifyEmail, storage.LinkResetPassword); err != nil {
		return nil, err
	}
	if _, err := s.stopRecovery(ctx, tx, e.UserID, now); err != nil {
		return nil, err
	}
	if err := s.dropWaitingPasskeys(ctx, tx, e.UserID, now); err != nil {
		return nil, err
	}
	return ended, s.record(ctx, tx, e, now)
}

// dropWaitingPasskeys deletes the passkeys that were added through recovery and do
// not work yet, and the recovery codes, one of which may have led to them.
func (s *Service) dropWaitingPasskeys(ctx context.Context, tx storage.Tx, userID uuid.UUID, now time.Time) error {
	dropped, err := tx.DropWaitingPasskeys(ctx, userID, now)
	if err != nil || len(dropped) == 0 {
		return err
	}
	// If one recovery code was seen, so were the others of its set.
	if err := tx.ReplaceRecoveryCodes(ctx, userID, nil, now); err != nil {
		return err
	}
	for id, name := range dropped {
		e := Event{
			Kind: storage.EventPasskeyRemoved, UserID: userID, PasskeyID: id, PasskeyName: name,
			Reason: string(storage.EndedByFreeze),
		}
		if err := s.record(ctx, tx, e, now); err != nil {
			return err
		}
	}
	return nil
}
