package stepkey

import (
	"context"
	"time"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/token"
)

// What a client gets and sends in a step-up, in the JSON of WebAuthn L3 §5.1.
type (
	RequestOptions    = ceremony.RequestOptions
	AssertionResponse = ceremony.Assertion
)

// BeginStepUp begins a passkey verification. A user without passkeys gets
// ErrNoPasskeys, and never an empty list of allowed ones, which devices take to
// mean any.
func (s *Service) BeginStepUp(ctx context.Context, c token.Claims) (RequestOptions, error) {
	a, err := s.account(ctx, c, s.now())
	if err != nil {
		return RequestOptions{}, err
	}
	if len(a.Passkeys) == 0 {
		return RequestOptions{}, ErrNoPasskeys
	}
	options, state, err := s.relyingParty.BeginAssertion(ceremonyUser(a.User), credentials(a.Passkeys))
	if err != nil {
		return RequestOptions{}, err
	}
	stored, err := state.MarshalBinary()
	if err != nil {
		return RequestOptions{}, err
	}
	key := challengeKey(state.Challenge(), PurposeStepUp, a)
	return options, s.challenges.Put(ctx, key, stored, ChallengeLifetime)
}

// FinishStepUp raises the session to level full if the response holds, and
// returns a token that says so. It is the only way there.
//
// Whatever is wrong with the response, the challenge is used up and the answer
// is ErrVerificationFailed; a response that is no assertion at all is
// ErrInvalidRequest. A signature counter that does not grow is refused: it is
// the sign of a copied key.
func (s *Service) FinishStepUp(
	ctx context.Context, c token.Claims, response AssertionResponse,
) (AccessToken, error) {
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return AccessToken{}, err
	}
	stored, err := s.takeChallenge(ctx, response.Response.ClientDataJSON, PurposeStepUp, a)
	if err != nil {
		return AccessToken{}, err
	}
	var state ceremony.AssertionState
	if err := state.UnmarshalBinary(stored); err != nil {
		return AccessToken{}, err
	}
	passkey, _ := findPasskey(a.Passkeys, response.RawID)
	asserted, err := s.relyingParty.FinishAssertion(
		ceremonyUser(a.User), state, credentials(a.Passkeys), response)
	if err != nil {
		return AccessToken{}, s.refuseResponse(ctx, a, passkey, err, now)
	}
	return s.elevate(ctx, a, passkey, asserted, now)
}

// elevate stores what the verification changes, all of it or nothing.
func (s *Service) elevate(
	ctx context.Context, a Account, p Passkey, asserted ceremony.Asserted, now time.Time,
) (AccessToken, error) {
	session := a.Session
	session.FullAt, session.FullPasskeyID = &now, &p.ID
	if until := now.Add(token.Lifetime); until.After(session.ExpiresAt) {
		session.ExpiresAt = until
	}
	grant, err := s.mint(a.User, session, now)
	if err != nil {
		return AccessToken{}, err
	}
	used := false
	err = s.store.InTx(ctx, func(tx Tx) (err error) {
		used, err = tx.UsePasskey(ctx, PasskeyUse{
			PasskeyID: p.ID, SignCount: asserted.SignCount, Flags: asserted.Flags, At: now,
		})
		if err != nil || !used {
			return err
		}
		if err := tx.ElevateSession(ctx, session, now); err != nil {
			return unauthorizedIfMissing(err)
		}
		return s.record(ctx, tx, Event{
			Kind: EventSteppedUp, UserID: a.User.ID, SessionID: session.ID, PasskeyID: p.ID,
		}, now)
	})
	if err != nil {
		return AccessToken{}, err
	}
	if !used {
		// Somebody used the same counter value, or deleted the passkey, since this
		// response was verified.
		return AccessToken{}, s.refuseResponse(ctx, a, p,
			&ceremony.Error{Kind: ceremony.Refused, Reason: ceremony.ReasonCounter}, now)
	}
	return grant, nil
}
