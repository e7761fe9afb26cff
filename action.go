package stepkey

import (
	"context"
	"time"
)

// An action is something that a user confirms with a passkey, such as a payment to an account.
// The proof is a separate token that is valid for that action only; the level of the session
// does not change.

// consent stores the use of the passkey and returns the action token.
func (s *Service) consent(
	ctx context.Context, d decidedStepUp, now time.Time,
) (Grant, error) {
	if err := s.store.Consent(ctx, d.verified); err != nil {
		return Grant{}, s.refuseResponse(ctx, d.Account, d.passkey, notVerified(err), now)
	}
	signed, claims, err := s.mint.ActionToken(d.User, d.Session, *d.begun.Action, now)
	return Grant{ActionToken: signed, ActionClaims: claims}, err
}

// Spend records the use of an action token and reports whether it is the first. It implements
// guard.ActionSpender for all instances on one store.
func (s *Service) Spend(ctx context.Context, id string, until time.Time) (first bool, err error) {
	return s.store.SpendAction(ctx, id, until)
}
