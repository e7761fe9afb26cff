package stepkey

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
	"github.com/stepkey/stepkey/webauthn"
)

// The JSON messages of a step-up.
type (
	RequestOptions    = webauthn.RequestOptions
	AssertionResponse = webauthn.AuthenticationResponse
)

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

// BeginStepUp begins a passkey verification. A user without passkeys gets
// ErrNoPasskeys, and never an empty list of allowed ones, which devices take to
// mean any. One whose passkeys all wait, since they were added through recovery, gets a
// PasskeyWaitsError.
//
// With an action the verification is consent to that and to nothing else: it will
// yield an action token and leave the session as it is. An action that its Check
// refuses is ErrInvalidRequest. One session may begin thirty in five minutes
// (RateLimitedError).
func (s *Service) BeginStepUp(ctx context.Context, c Caller, action *token.Action) (RequestOptions, error) {
	if action != nil && action.Check() != nil {
		return RequestOptions{}, ErrInvalidRequest
	}
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return RequestOptions{}, err
	}
	if len(a.Passkeys) == 0 {
		return RequestOptions{}, ErrNoPasskeys
	}
	if len(usable(a.Passkeys, now)) == 0 {
		return RequestOptions{}, waits(a.Passkeys)
	}
	if err := s.throttle.Charge(ctx, throttle.Challenges, a.Session.ID, now); err != nil {
		return RequestOptions{}, err
	}
	options, state, err := s.relyingParty.BeginAssertion(ceremonyUser(a.User), credentials(usable(a.Passkeys, now)))
	if err != nil {
		return RequestOptions{}, err
	}
	assertion, err := state.MarshalBinary()
	if err != nil {
		return RequestOptions{}, err
	}
	stored, err := stepUpState{Assertion: assertion, Action: action}.marshal()
	if err != nil {
		return RequestOptions{}, err
	}
	key := challengeKey(state.Challenge(), PurposeStepUp, a.User.ID, a.Session.ID)
	return options, s.challenges.Put(ctx, key, stored, ChallengeLifetime)
}

// FinishStepUp raises the session to level full if the response holds, and
// returns tokens that say so. It is the only way there. If the step-up was begun
// for an action, it returns an action token instead.
//
// Whatever is wrong with the response, the challenge is used up and the answer
// is ErrVerificationFailed; a response that is no assertion at all is
// ErrInvalidRequest. A signature counter that does not grow is refused: it is
// the sign of a copied key.
func (s *Service) FinishStepUp(
	ctx context.Context, c Caller, response AssertionResponse,
) (Grant, error) {
	now := s.now()
	a, err := s.takeChallenge(ctx, c, response.Response.ClientDataJSON, PurposeStepUp, now)
	if err != nil {
		return Grant{}, err
	}
	var begun stepUpState
	state, err := begun.unmarshal(a.state)
	if err != nil {
		return Grant{}, err
	}
	passkeys := usable(a.Passkeys, now)
	passkey, _ := findPasskey(passkeys, response.RawID)
	asserted, err := s.relyingParty.FinishAssertion(ceremonyUser(a.User), state, credentials(passkeys), response)
	if err != nil {
		return Grant{}, s.refuseResponse(ctx, a.Account, passkey, err, now)
	}
	kind := storage.EventSteppedUp
	if begun.Action != nil {
		kind = storage.EventActionConfirmed
	}
	verified, err := s.verified(ctx, a, passkey, asserted, kind, now)
	if err != nil {
		return Grant{}, err
	}
	if begun.Action != nil {
		return s.consent(ctx, a.Account, passkey, verified, *begun.Action, now)
	}
	return s.elevate(ctx, a.Account, passkey, verified, now)
}

// elevate stores what the verification changes, all of it or nothing.
func (s *Service) elevate(ctx context.Context, a storage.Account, p Passkey, v storage.Verified, now time.Time) (Grant, error) {
	session := a.Session
	session.FullAt, session.FullPasskeyID = &now, &p.ID
	session.FullHardware = p.Credential.HardwareBound()
	session.ExpiresAt = raisedExpiry(session, now)
	var err error
	session.Generation, err = s.store.Elevate(ctx, storage.Elevation{
		Verified: v, Hardware: session.FullHardware, ExpiresAt: session.ExpiresAt,
	})
	if err != nil {
		return Grant{}, s.refuseResponse(ctx, a, p, notVerified(err), now)
	}
	s.lowered.Raised(session.ID)
	return s.grant(a.User, session, true, now)
}

// raisedExpiry is when a session ends that was raised now. One without refresh
// token goes on as long as the token that it is about to get.
func raisedExpiry(session Session, now time.Time) time.Time {
	until := now.Add(token.Lifetime)
	if session.Refresh != RefreshNone || until.Before(session.ExpiresAt) {
		return session.ExpiresAt
	}
	return until
}
