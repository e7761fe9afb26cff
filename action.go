package stepkey

import (
	"context"
	"time"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// An action is something that a user consents to with a passkey: this payment to
// that account. The proof is a token of its own for that action and nothing else;
// the session stays at the level that it has.

// consent stores that the passkey was used and makes the action token.
func (s *Service) consent(
	ctx context.Context, a storage.Account, key storage.ChallengeKey, p Passkey,
	asserted ceremony.Asserted, action token.Action, now time.Time,
) (Grant, error) {
	err := s.store.InTx(ctx, func(tx storage.Tx) error {
		// The lock keeps the session live until the use of its passkey is stored.
		if _, err := tx.LockAccount(ctx, a.User.ID, a.Session.ID, now); err != nil {
			return unauthorizedIfMissing(err)
		}
		if err := s.usePasskey(ctx, tx, key, p, a.Session.ID, asserted, now); err != nil {
			return err
		}
		if err := s.afterPasskeyProof(ctx, tx, a.User, a.Session, now); err != nil {
			return err
		}
		return s.record(ctx, tx, Event{
			Kind: storage.EventActionConfirmed, UserID: a.User.ID, SessionID: a.Session.ID, PasskeyID: p.ID,
		}, now)
	})
	if err != nil {
		return Grant{}, s.refuseResponse(ctx, a, p, err, now)
	}
	signed, claims, err := s.mint.ActionToken(a.User, a.Session, action, now)
	return Grant{ActionToken: signed, ActionClaims: claims}, err
}

// Spend remembers that an action token was used, and reports whether that was the
// first time. It implements guard.ActionSpender for all instances on one store.
func (s *Service) Spend(ctx context.Context, id string, until time.Time) (first bool, err error) {
	return s.store.SpendAction(ctx, id, until)
}
