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

	// Consent is the digest of what the passkey is verified for in a [Realm], empty for the
	// session itself.
	Consent []byte `json:"consent,omitempty"`

	// Purpose is the application's name for what the verification is for, empty for none.
	Purpose string `json:"purpose,omitempty"`
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
	return s.beginStepUp(ctx, c, stepUpState{Action: action})
}

// beginStepUp begins a verification for what begun says.
func (s *Service) beginStepUp(ctx context.Context, c Caller, begun stepUpState) (RequestOptions, error) {
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
	if begun.Assertion, err = state.MarshalBinary(); err != nil {
		return RequestOptions{}, err
	}
	stored, err := begun.marshal()
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
	d, err := s.decideStepUp(ctx, c, response, now)
	if err != nil {
		return Grant{}, err
	}
	if d.begun.Action != nil {
		return s.consent(ctx, d, now)
	}
	session, err := s.elevate(ctx, d, now)
	if err != nil {
		return Grant{}, err
	}
	s.lowered.Raised(session.ID)
	return s.grant(d.User, session, true, now)
}

// decidedStepUp is a step-up whose response holds, before anything of it is stored.
type decidedStepUp struct {
	storage.Account
	begun    stepUpState
	passkey  Passkey
	verified storage.Verified
}

// decideStepUp takes the challenge and verifies the response.
func (s *Service) decideStepUp(
	ctx context.Context, c Caller, response AssertionResponse, now time.Time,
) (d decidedStepUp, err error) {
	a, err := s.takeChallenge(ctx, c, response.Response.ClientDataJSON, PurposeStepUp, now)
	if err != nil {
		return d, err
	}
	state, err := d.begun.unmarshal(a.state)
	if err != nil {
		return d, err
	}
	passkeys := usable(a.Passkeys, now)
	d.Account = a.Account
	d.passkey, _ = findPasskey(passkeys, response.RawID)
	asserted, err := s.relyingParty.FinishAssertion(ceremonyUser(a.User), state, credentials(passkeys), response)
	if err != nil {
		return d, s.refuseResponse(ctx, a.Account, d.passkey, err, now)
	}
	kind := storage.EventSteppedUp
	if d.begun.Action != nil || d.begun.Consent != nil {
		kind = storage.EventActionConfirmed
	}
	if d.verified, err = s.verified(ctx, a, d.passkey, asserted, kind, now); err != nil {
		return d, err
	}
	last := &d.verified.Events[len(d.verified.Events)-1] // the one of that kind
	last.Reason = d.begun.Purpose
	return d, nil
}

// elevate stores what the verification changes, all of it or nothing, and returns the session at
// level full.
func (s *Service) elevate(ctx context.Context, d decidedStepUp, now time.Time) (Session, error) {
	session, p := d.Session, d.passkey
	session.FullAt, session.FullPasskeyID = &now, &p.ID
	session.FullHardware = p.Credential.HardwareBound()
	session.ExpiresAt = raisedExpiry(d.User, session, now)
	var err error
	session.Generation, err = s.store.Elevate(ctx, storage.Elevation{
		Verified: d.verified, Hardware: session.FullHardware, ExpiresAt: session.ExpiresAt,
	})
	if err != nil {
		return Session{}, s.refuseResponse(ctx, d.Account, p, notVerified(err), now)
	}
	return session, nil
}

// raisedExpiry is when a session ends that was raised now. One of an application keeps its proof
// for as long as a rule can ask for. One without a refresh token goes on as long as the token that
// it is about to get.
func raisedExpiry(u User, session Session, now time.Time) time.Time {
	if u.Realm != "" {
		return now.Add(realmProofLifetime)
	}
	until := now.Add(token.Lifetime)
	if session.Refresh != RefreshNone || until.Before(session.ExpiresAt) {
		return session.ExpiresAt
	}
	return until
}
