package stepkey

import (
	"context"
	"time"
)

// An action is something that a user consents to with a passkey: this payment to
// that account. The proof is a token of its own for that action and nothing else;
// the session stays at the level that it has.

// consent stores that the passkey was used and makes the action token.
func (s *Service) consent(
	ctx context.Context, d decidedStepUp, now time.Time,
) (Grant, error) {
	if err := s.store.Consent(ctx, d.verified); err != nil {
		return Grant{}, s.refuseResponse(ctx, d.Account, d.passkey, notVerified(err), now)
	}
	signed, claims, err := s.mint.ActionToken(d.User, d.Session, *d.begun.Action, now)
	return Grant{ActionToken: signed, ActionClaims: claims}, err
}

// Spend remembers that an action token was used, and reports whether that was the
// first time. It implements guard.ActionSpender for all instances on one store.
func (s *Service) Spend(ctx context.Context, id string, until time.Time) (first bool, err error) {
	return s.store.SpendAction(ctx, id, until)
}
