package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
)

// Freeze follows the "this was not me" link of a notice: it ends all of the user's
// sessions and makes void what was begun to get into the account, links for a new
// password and for a new address among it. The link outlives a change of the password,
// which may be what it answers to. It takes away and gives nothing, so that it can stand
// in a mail for days. A link that is unknown, used or too old is ErrLinkExpired.
func (s *Service) Freeze(ctx context.Context, linkToken string, from Client) error {
	if s.mailer == nil {
		return ErrEmailOff
	}
	now := s.now()
	// The notice of this carries another link, so following one after the other must not
	// go on for ever. Following it is never refused: only the notice is missing.
	tell := false
	if u, err := s.store.LinkOwner(ctx, linkDigest(linkToken), LinkFreeze, now); err == nil {
		tell = s.mayNotify(ctx, u.ID, mail.AccountFrozen, now)
	}
	return s.inTxEnding(ctx, func(tx Tx) ([]uuid.UUID, error) {
		link, err := tx.TakeLink(ctx, linkDigest(linkToken), LinkFreeze, now)
		if err != nil {
			return nil, expiredIfMissing(err)
		}
		ended, err := s.endIn(ctx, tx, EndSessions{UserID: link.UserID, At: now, Reason: EndedByFreeze})
		if err != nil {
			return nil, err
		}
		if err := tx.DropLinks(ctx, link.UserID, LinkVerifyEmail, LinkResetPassword, LinkRecover); err != nil {
			return nil, err
		}
		if _, err := s.stopRecovery(ctx, tx, link.UserID, now); err != nil {
			return nil, err
		}
		if err := s.dropWaitingPasskeys(ctx, tx, link.UserID, now); err != nil {
			return nil, err
		}
		if err := s.record(ctx, tx, Event{Kind: EventAccountFrozen, UserID: link.UserID}, now); err != nil || !tell {
			return ended, err
		}
		return ended, s.notify(ctx, tx, notice{Kind: mail.AccountFrozen, UserID: link.UserID, At: now, Client: from})
	})
}

// dropWaitingPasskeys takes away what somebody gained through recovery, before it is
// worth anything.
func (s *Service) dropWaitingPasskeys(ctx context.Context, tx Tx, userID uuid.UUID, now time.Time) error {
	dropped, err := tx.DropWaitingPasskeys(ctx, userID, now)
	if err != nil {
		return err
	}
	for _, id := range dropped {
		if err := s.record(ctx, tx, Event{Kind: EventPasskeyRemoved, UserID: userID, PasskeyID: id, Reason: string(EndedByFreeze)}, now); err != nil {
			return err
		}
	}
	return nil
}
