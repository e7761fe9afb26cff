package stepkey

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/storage"
)

// PasskeyLogInRequest is an attempt to sign in with a passkey alone. Refresh and Client apply
// to the session that it starts.
type PasskeyLogInRequest struct {
	Response AssertionResponse
	Refresh  RefreshMode
	Client   Client

	// Replaces is as in LogInRequest.
	Replaces string
}

// BeginPasskeyLogIn begins a sign-in with a passkey alone. The options name no user and
// no passkey and are the same for everyone. The only limit is a rate limit per address
// (RateLimitedError). It returns ErrPasskeyLogInOff if Config.NoPasskeyLogIn is set.
func (s *Service) BeginPasskeyLogIn(ctx context.Context, from Client) (RequestOptions, error) {
	if s.noPasskeyLogIn {
		return RequestOptions{}, ErrPasskeyLogInOff
	}
	if err := s.throttle.ChargeLogInOptions(ctx, from, s.now()); err != nil {
		return RequestOptions{}, err
	}
	options, state, err := s.relyingParty.BeginDiscoverable()
	if err != nil {
		return RequestOptions{}, err
	}
	stored, err := state.MarshalBinary()
	if err != nil {
		return RequestOptions{}, err
	}
	return options, s.challenges.Put(ctx, logInChallengeKey(state.Challenge()), stored, ChallengeLifetime)
}

// logInChallengeKey returns the key of a challenge that belongs to no user yet. Instead
// of a session id it has an id of its own: otherwise the limit of MaxChallenges per
// session would let strangers evict each other's challenges.
func logInChallengeKey(challenge []byte) storage.ChallengeKey {
	digest := sha256.Sum256(challenge)
	apart := sha256.Sum256(append([]byte("log in"), digest[:]...))
	return storage.ChallengeKey{Digest: digest, Purpose: PurposeLogIn, SessionID: uuid.UUID(apart[:16])}
}

// FinishPasskeyLogIn starts a session at level full for the owner of the passkey
// that made the response. Session and token do not claim that the password was
// verified.
//
// With Config.RequireConfirmedAddress, it returns ErrAddressUnconfirmed for a user who has not confirmed an
// address yet, whose passkey was added through an operator's link.
//
// It returns a PasskeyWaitsError for a passkey that was added through recovery and does
// not work yet. Another user's handle, a bad signature and a disabled user all return
// ErrVerificationFailed, and the challenge is used up. A passkey that no user has
// returns ErrPasskeyUnknown, so that the page can stop offering it. This tells an
// attacker little: credential ids are random and stay on the device, and the answer says
// only that an id is registered, not whose it is. Failed passwords do not count here,
// and failures here do not count as failed passwords, so an owner who is locked out by a
// guesser can sign in with the passkey. Failures count per address (RateLimitedError).
func (s *Service) FinishPasskeyLogIn(ctx context.Context, try PasskeyLogInRequest) (Grant, error) {
	if s.noPasskeyLogIn {
		return Grant{}, ErrPasskeyLogInOff
	}
	if !try.Refresh.Known() {
		return Grant{}, ErrInvalidRequest
	}
	if err := ceremony.CheckForm(try.Response); err != nil {
		explainCause(ctx, err, uuid.Nil)
		return Grant{}, ErrInvalidRequest
	}
	now := s.now()
	refund, err := s.throttle.ChargePasskeyLogIn(ctx, try.Client, now)
	if err != nil {
		return Grant{}, err
	}
	g, err := s.passkeyLogIn(ctx, try, now)
	if !errors.Is(err, ErrVerificationFailed) && !errors.Is(err, ErrChallengeExpired) {
		refund()
	}
	return g, err
}

func (s *Service) passkeyLogIn(ctx context.Context, try PasskeyLogInRequest, now time.Time) (Grant, error) {
	key, state, err := s.takeLogInChallenge(ctx, try.Response.Response.ClientDataJSON)
	if err != nil {
		return Grant{}, err
	}
	owner, err := s.store.PasskeyOwner(ctx, try.Response.RawID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Grant{}, err
	}
	if owner.User.Realm != s.realm {
		owner = storage.UserRecord{} // of an application on the same store, which signs its users in itself
	}
	var p Passkey
	if len(owner.Passkeys) > 0 {
		p = owner.Passkeys[0]
	}
	asserted, err := s.relyingParty.FinishDiscoverable(ceremonyUser(owner.User), state, p.Credential, try.Response)
	if err != nil {
		return Grant{}, s.refuseLogIn(ctx, p, err, now)
	}
	if p.Waits(now) {
		explain(ctx, "passkey_waits", p.UserID)
		return Grant{}, waits([]Passkey{p})
	}
	return s.startFullSession(ctx, owner.User, p, key, asserted, try, now)
}

func (s *Service) takeLogInChallenge(
	ctx context.Context, clientDataJSON []byte,
) (storage.ChallengeKey, ceremony.DiscoverableState, error) {
	var state ceremony.DiscoverableState
	challenge, err := ceremony.Challenge(clientDataJSON)
	if err != nil {
		explainCause(ctx, err, uuid.Nil)
		return storage.ChallengeKey{}, state, ErrInvalidRequest
	}
	key := logInChallengeKey(challenge)
	stored, err := s.challenges.Take(ctx, key)
	if err != nil {
		return storage.ChallengeKey{}, state, err
	}
	return key, state, state.UnmarshalBinary(stored)
}

// refuseLogIn is refuseResponse for a sign-in with a passkey alone. There is no session to
// end, and an unknown passkey has no user to record the refusal for.
func (s *Service) refuseLogIn(ctx context.Context, p Passkey, cause error, now time.Time) error {
	var refusal *ceremony.Error
	if !errors.As(cause, &refusal) {
		return cause
	}
	explainCause(ctx, cause, p.UserID)
	if p.ID == uuid.Nil {
		return ErrPasskeyUnknown
	}
	kind := storage.EventPasskeyRefused
	if refusal.Reason == ceremony.ReasonCounter {
		kind = storage.EventCounterRegression
	}
	err := s.store.InTx(WithAccount(ctx, p.UserID), func(tx storage.Tx) error {
		return s.record(ctx, tx, Event{
			Kind: kind, UserID: p.UserID, PasskeyID: p.ID, PasskeyName: p.Name, Reason: string(refusal.Reason),
		}, now)
	})
	if err != nil {
		return err
	}
	return ErrVerificationFailed
}

// startFullSession is startSession after a passkey was verified and no password. The
// count of failed passwords is kept, and a link for a new password stays valid, because
// the user may have forgotten the password.
func (s *Service) startFullSession(
	ctx context.Context, u User, p Passkey, key storage.ChallengeKey, asserted ceremony.Asserted, try PasskeyLogInRequest, now time.Time,
) (Grant, error) {
	session, err := s.newSession(u, try.Refresh, try.Client, now)
	if err != nil {
		return Grant{}, err
	}
	session.PasswordAt = time.Time{}
	session.FullAt, session.FullPasskeyID, session.FullHardware = &now, &p.ID, p.Credential.HardwareBound()
	g, err := s.grant(u, session, true, now)
	if err != nil {
		return Grant{}, err
	}
	if g.DeviceToken, g.DeviceUntil, err = s.devices.Issue(u, nil, now); err != nil {
		return Grant{}, err
	}
	replaced, err := s.replacedBy(ctx, try.Refresh, try.Replaces)
	if err != nil {
		return Grant{}, err
	}
	a := answered{Account: storage.Account{User: u, Session: session}, key: key}
	verified, err := s.verified(ctx, a, p, asserted, "", now)
	if err != nil {
		return Grant{}, err
	}
	err = s.inTxEnding(WithAccount(ctx, u.ID), func(tx storage.Tx) ([]uuid.UUID, error) {
		locked, err := stillSignsIn(ctx, tx, u)
		if err != nil {
			return nil, err
		}
		if s.awaitsAddress(locked) {
			return nil, ErrAddressUnconfirmed
		}
		if err := tx.StoreVerified(ctx, verified); err != nil {
			return nil, notVerified(err)
		}
		if err := s.learnLanguage(ctx, tx, locked, try.Client, true); err != nil {
			return nil, err
		}
		return s.beginSession(ctx, tx, session, p, replaced, now)
	})
	if errors.Is(err, ErrInvalidCredentials) {
		// The user is disabled or deleted. The client must not learn that.
		explain(ctx, "user_disabled", u.ID)
		return Grant{}, ErrVerificationFailed
	}
	if err != nil {
		return Grant{}, s.refuseLogIn(ctx, p, err, now)
	}
	return g, nil
}
