package stepkey

import (
	"context"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// RecoverByLink follows a link of [Admin.MakeRecoveryLink]. It needs no session: the user may
// have lost the password as well, and can set another once the new passkey works. A link
// that is unknown, used, replaced, too old or from before the password was changed with a
// passkey is ErrLinkExpired. The links of notices from before it are void: whoever reads the
// mailbox cannot use them against the new passkey, nor to stop the next password. Those of
// notices that follow work, so that an owner for whom an operator was deceived can stop it;
// where the mailbox is in the wrong hands, the operator removes the address first
// ([Admin.RemoveUserEmail]).
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
