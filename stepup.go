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

// stepUpState is the state of a step-up between Begin and Finish.
type stepUpState struct {
	Assertion []byte        `json:"assertion"`
	Action    *token.Action `json:"action,omitempty"`

	// Consent is the digest of the action that the passkey confirms in a [Realm], empty if the
	// verification is for the session.
	Consent []byte `json:"consent,omitempty"`

	// Purpose is the name of the application's purpose, or empty.
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

// BeginStepUp begins a passkey verification. It returns ErrNoPasskeys for a user without
// passkeys, because devices read an empty list of allowed passkeys as any passkey, and a
// PasskeyWaitsError if all passkeys are still waiting after a recovery.
//
// With an action, the verification is consent to that action only: it yields an action token and
// leaves the session unchanged. An action that fails its Check is ErrInvalidRequest. A session
// may begin thirty step-ups in five minutes (RateLimitedError).
func (s *Service) BeginStepUp(ctx context.Context, c Caller, action *token.Action) (RequestOptions, error) {
	if action != nil && action.Check() != nil {
		return RequestOptions{}, ErrInvalidRequest
	}
	return s.beginStepUp(ctx, c, stepUpState{Action: action})
}

// beginStepUp begins a verification and keeps begun until it is finished.
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

// FinishStepUp moves the session to level full if the response is valid, and returns tokens at
// that level. FinishRegistration does the same for a first passkey. If the step-up was begun for an action, it returns an action
// token instead.
//
// An invalid response is ErrVerificationFailed, whatever the reason, and uses up the challenge.
// A response that is not an assertion is ErrInvalidRequest. A signature counter that does not
// increase is refused, because it indicates a cloned authenticator (WebAuthn Level 3 §7.2,
// step 22).
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

// decidedStepUp is a step-up with a valid response of which nothing is stored yet.
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

// elevate stores the result of the verification atomically and returns the session at level
// full.
func (s *Service) elevate(ctx context.Context, d decidedStepUp, now time.Time) (Session, error) {
	session, p := raised(d.Account, d.passkey, now), d.passkey
	var err error
	session.Generation, err = s.store.Elevate(ctx, storage.Elevation{
		Verified: d.verified, Hardware: session.FullHardware, ExpiresAt: session.ExpiresAt,
	})
	if err != nil {
		return Session{}, s.refuseResponse(ctx, d.Account, p, notVerified(err), now)
	}
	return session, nil
}

// raised returns the session of a at level full by p, which was verified now.
func raised(a storage.Account, p Passkey, now time.Time) Session {
	session := a.Session
	session.FullAt, session.FullPasskeyID = &now, &p.ID
	session.FullHardware = p.Credential.HardwareBound()
	session.ExpiresAt = raisedExpiry(a.User, session, now)
	return session
}

// raisedExpiry returns when a session expires after a step-up. A session of a realm lives as long
// as the oldest proof that a rule may accept. A session without a refresh token lives as long as
// its new access token.
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
