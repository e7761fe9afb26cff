package stepkey

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// An action is something that a user consents to with a passkey: this payment to
// that account. The proof is a token of its own for that action and nothing else;
// the session stays at the level that it has.

// stepUpState is what is kept of a step-up between its two halves.
type stepUpState struct {
	Assertion []byte        `json:"assertion"`
	Action    *token.Action `json:"action,omitempty"`
}

func (s stepUpState) marshal() ([]byte, error) { return json.Marshal(s) }

func (s *stepUpState) unmarshal(stored []byte) (ceremony.AssertionState, error) {
	var assertion ceremony.AssertionState
	if err := json.Unmarshal(stored, s); err != nil {
		return assertion, fmt.Errorf("stepkey: stored step-up: %w", err)
	}
	return assertion, assertion.UnmarshalBinary(s.Assertion)
}

// consent stores that the passkey was used and makes the action token.
func (s *Service) consent(
	ctx context.Context, a storage.Account, key storage.ChallengeKey, p Passkey,
	asserted ceremony.Asserted, action token.Action, now time.Time,
) (Grant, error) {
	used := false
	err := s.store.InTx(ctx, func(tx storage.Tx) (err error) {
		// The lock keeps the session live until the use of its passkey is stored.
		if _, err := tx.LockAccount(ctx, a.User.ID, a.Session.ID, now); err != nil {
			return unauthorizedIfMissing(err)
		}
		if err := s.spendChallenge(ctx, tx, key, now); err != nil {
			return err
		}
		used, err = s.usePasskey(ctx, tx, p, a.Session.ID, asserted, now)
		if err != nil || !used {
			return err
		}
		if err := s.settle(ctx, tx, a.User, a.Session, now); err != nil {
			return err
		}
		return s.record(ctx, tx, Event{
			Kind: storage.EventActionConfirmed, UserID: a.User.ID, SessionID: a.Session.ID, PasskeyID: p.ID,
		}, now)
	})
	if err != nil {
		return Grant{}, err
	}
	if !used {
		return Grant{}, s.refuseResponse(ctx, a, p, counterRefusal, now)
	}
	signed, claims, err := s.mint.ActionToken(a.User, a.Session, action, now)
	return Grant{ActionToken: signed, ActionClaims: claims}, err
}

// counterRefusal is for a counter that somebody used, or a passkey that somebody
// deleted, since the response was verified.
var counterRefusal = &ceremony.Error{Kind: ceremony.Refused, Reason: ceremony.ReasonCounter}

// Spend remembers that an action token was used, and reports whether that was the
// first time. It implements guard.ActionSpender for all instances on one store.
func (s *Service) Spend(ctx context.Context, id string, until time.Time) (first bool, err error) {
	return s.store.SpendAction(ctx, id, until)
}
