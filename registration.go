package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/passkeyname"
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/webauthn"
)

// The JSON messages of a registration.
type (
	CreationOptions      = webauthn.CreationOptions
	RegistrationResponse = webauthn.RegistrationResponse
)

// BeginRegistration begins to add a passkey. The first one requires a password verified within
// FirstPasskeyWindow (ErrReauthenticationRequired), each further one a passkey verified within
// FullWindow (StepUpRequiredError). A session at level recovery requires neither, but its
// passkey works only after Config.RecoveryCoolOff. The same wait applies to a first passkey if
// the password was set by mail.
func (s *Service) BeginRegistration(ctx context.Context, c Caller) (CreationOptions, error) {
	now := s.now()
	a, err := s.enrollingAccount(ctx, c, now)
	if err != nil {
		return CreationOptions{}, err
	}
	if _, err := mayAddPasskey(a, c, now); err != nil {
		return CreationOptions{}, err
	}
	if err := s.throttle.Charge(ctx, throttle.Challenges, a.Session.ID, now); err != nil {
		return CreationOptions{}, err
	}
	options, state, err := s.relyingParty.BeginRegistration(ceremonyUser(a.User), credentials(a.Passkeys))
	if err != nil {
		return CreationOptions{}, err
	}
	stored, err := state.MarshalBinary()
	if err != nil {
		return CreationOptions{}, err
	}
	key := challengeKey(state.Challenge(), PurposeRegistration, a.User.ID, a.Session.ID)
	return options, s.challenges.Put(ctx, key, stored, ChallengeLifetime)
}

// FinishRegistration adds the passkey that the device made. Its name is deviceName or, if that
// is empty, the name of its provider, or else the browser and system of the session. A name that
// the user has already gets a number. The rule of BeginRegistration is checked again under the
// lock on the user's row, so of several concurrent first passkeys one is added and the others
// require a step-up.
func (s *Service) FinishRegistration(
	ctx context.Context, c Caller, response RegistrationResponse, deviceName string,
) (Passkey, error) {
	name, err := passkeyName(deviceName)
	if err != nil {
		explain(ctx, "device_name", uuid.Nil)
		return Passkey{}, err
	}
	now := s.now()
	a, err := s.takeChallenge(ctx, c, response.Response.ClientDataJSON, PurposeRegistration, now)
	if err != nil {
		return Passkey{}, err
	}
	var state ceremony.RegistrationState
	if err := state.UnmarshalBinary(a.state); err != nil {
		return Passkey{}, err
	}
	credential, err := s.relyingParty.FinishRegistration(ceremonyUser(a.User), state, response)
	if err != nil {
		return Passkey{}, s.refuseResponse(ctx, a.Account, Passkey{}, err, now)
	}
	if name == "" {
		name = passkeyname.Default(credential, a.Session.Client.Device)
	}
	return s.addPasskey(ctx, c, a.Account, a.key, credential, name, now)
}

func (s *Service) addPasskey(
	ctx context.Context, c Caller, a storage.Account, key storage.ChallengeKey,
	credential ceremony.Credential, name string, now time.Time,
) (Passkey, error) {
	if _, err := mayAddPasskey(a, c, now); err != nil {
		return Passkey{}, err
	}
	if err := s.throttle.ChargeChange(ctx, a, throttle.ChangePasskeys, now); err != nil {
		return Passkey{}, err
	}
	id, err := s.newID()
	if err != nil {
		return Passkey{}, err
	}
	p := Passkey{ID: id, UserID: a.User.ID, Credential: credential, CreatedAt: now}
	err = s.store.InTx(ctx, func(tx storage.Tx) error {
		locked, err := tx.LockAccount(ctx, a.User.ID, a.Session.ID, now)
		if err != nil {
			return unauthorizedIfMissing(err)
		}
		if err := tx.SpendChallenge(ctx, s.spent(key, now)); err != nil {
			return err
		}
		reason, err := mayAddPasskey(locked, c, now)
		if err != nil {
			return err
		}
		p.Name, p.UsableFrom = passkeyname.Distinct(name, locked.Passkeys), s.waitOf(locked, reason, now)
		if err := tx.CreatePasskey(ctx, p); err != nil {
			return err
		}
		if err := s.spendReason(ctx, tx, locked, reason, now); err != nil {
			return err
		}
		if len(locked.Passkeys) == 0 {
			if err := s.dropPendingEmail(ctx, tx, a.User.ID); err != nil {
				return err
			}
		}
		told := outbox.NoticeOf(mail.PasskeyAdded, a.Session, now)
		if p.UsableFrom != nil {
			told.Until = *p.UsableFrom
		}
		if err := s.outbox.Notify(ctx, tx, told); err != nil {
			return err
		}
		return s.record(ctx, tx, Event{
			Kind: storage.EventPasskeyAdded, UserID: a.User.ID, SessionID: a.Session.ID, PasskeyID: id,
		}, now)
	})
	return p, err
}

// spendReason uses up what allowed an external user to add one passkey.
func (s *Service) spendReason(ctx context.Context, tx storage.Tx, a storage.Account, reason enrolment, now time.Time) error {
	if a.User.Realm == "" {
		return nil
	}
	switch reason {
	case byRecovery:
		return tx.EndExternalRecovery(ctx, a.User.ID, a.Session.ID, now.Add(realmSessionLifetime))
	case byAllowance:
		spent, err := tx.SpendAllowance(ctx, a.User.ID, now)
		if err == nil && !spent {
			return &StepUpRequiredError{MaxAge: FullWindow}
		}
		return err
	default:
		return nil
	}
}
