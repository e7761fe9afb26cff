package stepkey

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// consentLifetime is how long a consent is valid.
const consentLifetime = time.Minute

// maxClockAhead is how far the clocks of two instances may differ.
const maxClockAhead = 5 * time.Second

// Proof is a passkey verified in a session.
type Proof struct {
	Passkey uuid.UUID
	At      time.Time
}

// BeginStepUp is [Service.BeginStepUp] for a purpose, which becomes the reason of the event. consent
// is the digest of an action of the application, or nil. With it, the verification is consent to
// that action only, once, and leaves the session unchanged.
func (r *Realm) BeginStepUp(ctx context.Context, c Caller, purpose string, consent *[sha256.Size]byte) (RequestOptions, error) {
	begun := stepUpState{Purpose: purpose}
	if consent != nil {
		begun.Consent = consent[:]
	}
	return r.service.beginStepUp(ctx, c, begun)
}

// FinishStepUp is [Service.FinishStepUp], and stores the proof or the consent instead of making
// tokens.
func (r *Realm) FinishStepUp(ctx context.Context, c Caller, response AssertionResponse) (Proof, error) {
	s := r.service
	now := s.now()
	d, err := s.decideStepUp(ctx, c, response, now)
	if err != nil {
		return Proof{}, err
	}
	proof := Proof{Passkey: d.passkey.ID, At: now}
	if d.begun.Consent == nil {
		_, err := s.elevate(ctx, d, now)
		return proof, err
	}
	if err := s.store.Consent(ctx, withConsent(ctx, d, now)); err != nil {
		return Proof{}, s.refuseResponse(ctx, d.Account, d.passkey, notVerified(err), now)
	}
	return proof, nil
}

// withConsent returns the changes of d with the consent that it was begun for.
func withConsent(ctx context.Context, d decidedStepUp, now time.Time) storage.Verified {
	v := d.verified
	v.Also = func(tx storage.Tx) error {
		if also := d.verified.Also; also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return tx.AddConsent(ctx, d.Session.ID, [sha256.Size]byte(d.begun.Consent), now.Add(consentLifetime))
	}
	return v
}

// TakeConsent reports whether a passkey confirmed the action with this digest in the session of v
// within the last minute, and uses the consent up. A consent ends with the proofs of its session:
// see [Realm.SignOut], [Realm.EndProofs] and [Realm.DeletePasskey].
func (r *Realm) TakeConsent(ctx context.Context, v Visit, digest [sha256.Size]byte) (bool, error) {
	now := r.service.now()
	// After the clock was set back, a consent would be good for longer than its lifetime.
	latest := now.Add(consentLifetime + maxClockAhead)
	return r.service.store.TakeConsent(ctx, r.sessionID(v), digest, now, latest)
}

// BeginRegistration is [Service.BeginRegistration].
func (r *Realm) BeginRegistration(ctx context.Context, c Caller) (CreationOptions, error) {
	return r.service.BeginRegistration(ctx, c)
}

// FinishRegistration is [Service.FinishRegistration].
func (r *Realm) FinishRegistration(ctx context.Context, c Caller, response RegistrationResponse, name string) (Passkey, error) {
	added, err := r.service.FinishRegistration(ctx, c, response, name)
	return added.Passkey, err
}

// Passkeys returns the passkeys of a user, the oldest first, none for an unknown user.
func (r *Realm) Passkeys(ctx context.Context, user string) ([]Passkey, error) {
	return r.service.store.ExternalPasskeys(ctx, r.userOf(user))
}

// RenamePasskey is [Service.RenamePasskey].
func (r *Realm) RenamePasskey(ctx context.Context, c Caller, passkeyID uuid.UUID, name string) error {
	_, _, err := r.service.RenamePasskey(ctx, c, passkeyID, name)
	return err
}

// DeletePasskey is [Service.DeletePasskey], except that it ends no session of the application:
// those that rest on the passkey lose their proof.
func (r *Realm) DeletePasskey(ctx context.Context, c Caller, passkeyID uuid.UUID, lastToo bool) error {
	_, err := r.service.DeletePasskey(ctx, c, passkeyID, lastToo)
	return err
}

// RecoveryCodesLeft returns how many recovery codes the caller has.
func (r *Realm) RecoveryCodesLeft(ctx context.Context, c Caller) (int, error) {
	left, _, err := r.service.store.RecoveryCodes(ctx, c.userID)
	return left, err
}

// ReplaceRecoveryCodes is [Service.ReplaceRecoveryCodes].
func (r *Realm) ReplaceRecoveryCodes(ctx context.Context, c Caller) ([]string, error) {
	return r.service.ReplaceRecoveryCodes(ctx, c)
}

// UseRecoveryCode is [Service.UseRecoveryCode], by the same rules. The session of the caller
// itself is then at level recovery, for RecoveryLifetime or until it has added a passkey; the
// user's other sessions lose their proofs.
func (r *Realm) UseRecoveryCode(ctx context.Context, c Caller, code string) error {
	s := r.service
	now := s.now()
	return s.spendCode(ctx, c, code, now, func(tx storage.Tx, a storage.Account) ([]uuid.UUID, error) {
		err := tx.RecoverExternal(ctx, a.User.ID, a.Session.ID, storage.RecoveredByCode, now, now.Add(RecoveryLifetime))
		if err != nil {
			return nil, unauthorizedIfMissing(err)
		}
		return nil, s.record(ctx, tx, Event{
			Kind: storage.EventRecoveryUsed, UserID: a.User.ID, SessionID: a.Session.ID, Reason: string(storage.RecoveredByCode),
		}, now)
	})
}

// AddCounts adds to the counts of outcomes.
func (r *Realm) AddCounts(ctx context.Context, counts []storage.PurposeCount) error {
	return r.service.store.AddPurposeCounts(ctx, r.name, counts)
}

// Counts returns the counts of outcomes since a day.
func (r *Realm) Counts(ctx context.Context, since time.Time) ([]storage.PurposeCount, error) {
	return r.service.store.PurposeCounts(ctx, r.name, since)
}
