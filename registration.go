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

// AddedPasskey is the result of FinishRegistration.
type AddedPasskey struct {
	Passkey

	// Grant has the tokens of the session at level full if the registration moved it there, and
	// is nil otherwise.
	Grant *Grant
}

// FinishRegistration adds the passkey that the device made. Its name is deviceName or, if that
// is empty, the name of its provider, or else the browser and system of the session. A name that
// the user has already gets a number. The rule of BeginRegistration is checked again under the
// lock on the user's row, so of several concurrent first passkeys one is added and the others
// require a step-up.
//
// A first passkey that works at once also moves the session to level full, as FinishStepUp does:
// its registration verified the user, and the password is fresh. In a [Realm] it does not.
func (s *Service) FinishRegistration(
	ctx context.Context, c Caller, response RegistrationResponse, deviceName string,
) (AddedPasskey, error) {
	name, err := passkeyName(deviceName)
	if err != nil {
		explain(ctx, "device_name", uuid.Nil)
		return AddedPasskey{}, err
	}
	now := s.now()
	a, err := s.takeChallenge(ctx, c, response.Response.ClientDataJSON, PurposeRegistration, now)
	if err != nil {
		return AddedPasskey{}, err
	}
	var state ceremony.RegistrationState
	if err := state.UnmarshalBinary(a.state); err != nil {
		return AddedPasskey{}, err
	}
	credential, err := s.relyingParty.FinishRegistration(ceremonyUser(a.User), state, response)
	if err != nil {
		return AddedPasskey{}, s.refuseResponse(ctx, a.Account, Passkey{}, err, now)
	}
	if name == "" {
		name = passkeyname.Default(credential, a.Session.Client.Device)
	}
	return s.addPasskey(ctx, c, a.Account, a.key, credential, name, now)
}

func (s *Service) addPasskey(
	ctx context.Context, c Caller, a storage.Account, key storage.ChallengeKey,
	credential ceremony.Credential, name string, now time.Time,
) (AddedPasskey, error) {
	if _, err := mayAddPasskey(a, c, now); err != nil {
		return AddedPasskey{}, err
	}
	if err := s.throttle.ChargeChange(ctx, a, throttle.ChangePasskeys, now); err != nil {
		return AddedPasskey{}, err
	}
	id, err := s.newID()
	if err != nil {
		return AddedPasskey{}, err
	}
	p := Passkey{ID: id, UserID: a.User.ID, Credential: credential, CreatedAt: now}
	var full *Session
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
		raises := s.raisesSession(p, reason)
		if raises {
			p.LastUsedAt = &now
		}
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
		if err := s.record(ctx, tx, Event{
			Kind: storage.EventPasskeyAdded, UserID: a.User.ID, SessionID: a.Session.ID, PasskeyID: id, PasskeyName: p.Name,
		}, now); err != nil || !raises {
			return err
		}
		full, err = s.raiseByFirst(ctx, tx, locked, p, now)
		return err
	})
	if err != nil || full == nil {
		return AddedPasskey{Passkey: p}, err
	}
	s.lowered.Raised(full.ID)
	g, err := s.grant(a.User, *full, true, now)
	return AddedPasskey{Passkey: p, Grant: &g}, err
}

// raisesSession reports whether adding p also moves the session to level full.
//
// It gives an attacker no new power. For reason byPassword the account has no passkey, and the
// password was verified in this session within FirstPasskeyWindow. With that password the
// attacker can add a passkey of his own and verify it in the next call. The registration proves as
// much as that call does: the device signed a fresh challenge of this session and verified its
// user (WebAuthn Level 3 §7.1, step 16), which every registration here requires. A passkey that
// has to wait verifies nothing before its time. An application of a [Realm] renews its session
// after a verification (ASVS 7.2.4), which it does not do after a registration.
func (s *Service) raisesSession(p Passkey, reason enrolment) bool {
	return reason == byPassword && p.UsableFrom == nil && s.realm == ""
}

// raiseByFirst moves the session to level full by the passkey that tx adds, with all that a
// verified passkey changes.
func (s *Service) raiseByFirst(ctx context.Context, tx storage.Tx, a storage.Account, p Passkey, now time.Time) (*Session, error) {
	session := raised(a, p, now)
	var err error
	session.Generation, err = tx.Elevate(ctx, storage.Elevation{
		Verified: storage.Verified{
			UserID: a.User.ID, SessionID: session.ID, Use: storage.PasskeyUse{PasskeyID: p.ID, At: now},
		},
		Hardware: session.FullHardware, ExpiresAt: session.ExpiresAt,
	})
	if err != nil {
		return nil, unauthorizedIfMissing(err)
	}
	if err := s.afterPasskeyProof(ctx, tx, a.User, session, now); err != nil {
		return nil, err
	}
	return &session, s.record(ctx, tx, Event{
		Kind: storage.EventSteppedUp, UserID: a.User.ID, SessionID: session.ID, PasskeyID: p.ID, PasskeyName: p.Name,
	}, now)
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
