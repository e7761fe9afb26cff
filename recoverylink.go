package stepkey

import (
	"context"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// RecoverByLink follows a link of [Admin.MakeRecoveryLink]. It needs no session: the user may
// have lost the password as well, and can set another once the new passkey works. It returns
// ErrLinkExpired for a link that is unknown, used, replaced, too old or from before the
// password was changed with a passkey. Links in earlier notices become invalid, so that
// somebody who reads the mailbox cannot use them against the new passkey or to stop the next
// password. Links in later notices work, so that the owner can stop a recovery that somebody
// else talked the operator into. If somebody else controls the mailbox, the operator should
// remove the address first ([Admin.RemoveUserEmail]).
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
