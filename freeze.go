package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// Freeze follows the "this was not me" link of a notice. It ends all of the user's sessions,
// voids what was begun to get into the account, links for a new password and for a new
// address among it, and stops the password: it signs nobody in until another one is set, by
// a reset or by the owner with a passkey, or until an operator lifts it ([Admin.AllowPassword]).
// Somebody else may know it, and would be back at once. A passkey that works signs in as
// before. The link outlives a change of the password, which may be what it answers to. It
// takes away and gives nothing, so that it can stand in a mail for days. A link that is
// unknown, used, too old or from before an operator's recovery is ErrLinkExpired.
//
// The link that an operator made ([Admin.MakeRecoveryLink]) stays good. An operator has recognised
// the person by other means than the mailbox, and somebody who reads the mailbox must not be
// able to keep that person out.
func (s *Service) Freeze(ctx context.Context, linkToken string, from Client) error {
	if !s.outbox.SendsMail() {
		return ErrEmailOff
	}
	now := s.now()
	owner, err := s.store.LinkOwner(ctx, outbox.LinkDigest(linkToken), storage.LinkFreeze, now)
	if err != nil {
		return expiredIfMissing(err)
	}
	// The notice of this carries another link, so following one after the other must not
	// go on for ever. Following it is never refused: only the notice is missing.
	tell := s.mayNotify(ctx, owner.ID, mail.AccountFrozen, now)
	return s.inTxEnding(ctx, func(tx storage.Tx) ([]uuid.UUID, error) {
		// The lock first: a login whose password was compared already either comes before,
		// and its session is ended, or sees that the password is stopped.
		if _, err := tx.LockUser(ctx, owner.ID); err != nil {
			return nil, expiredIfMissing(err)
		}
		link, err := tx.TakeLink(ctx, outbox.LinkDigest(linkToken), storage.LinkFreeze, now)
		if err != nil {
			return nil, expiredIfMissing(err)
		}
		if _, err := tx.StopPassword(ctx, link.UserID, true); err != nil {
			return nil, err
		}
		ended, err := s.endIn(ctx, tx, storage.EndSessions{UserID: link.UserID, At: now, Reason: storage.EndedByFreeze})
		if err != nil {
			return nil, err
		}
		if err := tx.DropLinks(ctx, link.UserID, storage.LinkVerifyEmail, storage.LinkResetPassword); err != nil {
			return nil, err
		}
		if _, err := s.stopRecovery(ctx, tx, link.UserID, now); err != nil {
			return nil, err
		}
		if err := s.dropWaitingPasskeys(ctx, tx, link.UserID, now); err != nil {
			return nil, err
		}
		if err := s.record(ctx, tx, Event{Kind: storage.EventAccountFrozen, UserID: link.UserID}, now); err != nil || !tell {
			return ended, err
		}
		return ended, s.outbox.Notify(ctx, tx, outbox.Notice{Kind: mail.AccountFrozen, UserID: link.UserID, At: now, Client: from})
	})
}

// dropWaitingPasskeys takes away what somebody gained through recovery, before it is
// worth anything.
func (s *Service) dropWaitingPasskeys(ctx context.Context, tx storage.Tx, userID uuid.UUID, now time.Time) error {
	dropped, err := tx.DropWaitingPasskeys(ctx, userID, now)
	if err != nil {
		return err
	}
	for _, id := range dropped {
		if err := s.record(ctx, tx, Event{Kind: storage.EventPasskeyRemoved, UserID: userID, PasskeyID: id, Reason: string(storage.EndedByFreeze)}, now); err != nil {
			return err
		}
	}
	return nil
}
