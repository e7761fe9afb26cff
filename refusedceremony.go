package stepkey

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// refuseResponse turns the ceremony's refusal of a response in a session into the error for the
// client, and records why. A session with too many refusals is ended. Any other cause is
// returned unchanged.
func (s *Service) refuseResponse(ctx context.Context, a storage.Account, p Passkey, cause error, now time.Time) error {
	var refusal *ceremony.Error
	if !errors.As(cause, &refusal) {
		return cause
	}
	explainCause(ctx, cause, a.User.ID)
	if refusal.Kind == ceremony.Malformed {
		return ErrInvalidRequest
	}
	kind := storage.EventPasskeyRefused
	if refusal.Reason == ceremony.ReasonCounter {
		kind = storage.EventCounterRegression
	}
	exhausted, err := s.tooManyFailures(ctx, a, now)
	if err != nil {
		return err
	}
	tell := s.tellsPasskeyFailed(ctx, a, now)
	err = s.inTxEnding(ctx, func(tx storage.Tx) ([]uuid.UUID, error) {
		e := Event{
			Kind: kind, UserID: a.User.ID, SessionID: a.Session.ID, PasskeyID: p.ID, PasskeyName: p.Name,
			Reason: string(refusal.Reason),
		}
		if tell {
			if err := s.outbox.Notify(ctx, tx, outbox.NoticeOf(mail.PasskeyFailed, a.Session, now)); err != nil {
				return nil, err
			}
		}
		if err := s.record(ctx, tx, e, now); err != nil || !exhausted {
			return nil, err
		}
		return s.endIn(ctx, tx, storage.EndSessions{
			UserID: a.User.ID, Only: a.Session.ID, At: now, Reason: storage.EndedByFailures,
		})
	})
	if err != nil {
		return err
	}
	return ErrVerificationFailed
}

// tooManyFailures counts a refused response and reports whether the session has reached its
// limit. Signatures cannot be guessed, so a client that keeps trying has another aim.
func (s *Service) tooManyFailures(ctx context.Context, a storage.Account, now time.Time) (bool, error) {
	err := s.throttle.Charge(ctx, throttle.Verifications, a.Session.ID, now)
	var limited *RateLimitedError
	if errors.As(err, &limited) {
		return true, nil
	}
	return false, err
}

// tellsPasskeyFailed reports whether the owner is notified of a refused response: the first in
// an hour, in a session in which the password but no passkey was verified (OWASP ASVS 6.3.5).
func (s *Service) tellsPasskeyFailed(ctx context.Context, a storage.Account, now time.Time) bool {
	if a.Session.Level() == token.LevelFull || len(a.Passkeys) == 0 {
		return false
	}
	return s.mayNotify(ctx, a.User.ID, mail.PasskeyFailed, now)
}

// RecordRefusedCeremony records that a response of r.UserID was refused, so that
// an operator can say why a passkey does not work. A user has one record for each
// ceremony and reason. Times and LastAt of r are ignored.
//
// The HTTP layer calls it. Only that layer knows the request id, and why a body could
// not be read.
func (s *Service) RecordRefusedCeremony(ctx context.Context, r RefusedCeremony) error {
	now := s.now()
	ctx = WithAccount(ctx, r.UserID)
	err := s.throttle.Charge(ctx, throttle.RefusedCeremonies, r.UserID, now)
	var limited *RateLimitedError
	if errors.As(err, &limited) {
		return nil
	}
	if err != nil {
		return err
	}
	r.LastAt = now
	return s.store.RecordRefusedCeremony(ctx, r)
}

// CeremonyRefusal says why a passkey response was refused.
type CeremonyRefusal struct {
	// Reason is that of a RefusedCeremony, or empty if the error says everything.
	Reason string

	// UserID is the owner of the session or passkey, zero if it is not known.
	UserID uuid.UUID
}

type ceremonyRefusalKey struct{}

// WithCeremonyRefusal returns a context in which FinishRegistration, FinishStepUp and
// FinishPasskeyLogIn store in r why they refuse a response. Their errors do not say
// why, so that no program reveals it to attackers by mistake.
func WithCeremonyRefusal(ctx context.Context, r *CeremonyRefusal) context.Context {
	return context.WithValue(ctx, ceremonyRefusalKey{}, r)
}

func explain(ctx context.Context, reason string, userID uuid.UUID) {
	if r, asked := ctx.Value(ceremonyRefusalKey{}).(*CeremonyRefusal); asked {
		*r = CeremonyRefusal{Reason: reason, UserID: userID}
	}
}

// explainCause is explain for a refusal by package ceremony.
func explainCause(ctx context.Context, cause error, userID uuid.UUID) {
	var refusal *ceremony.Error
	if errors.As(cause, &refusal) {
		explain(ctx, string(refusal.Reason), userID)
	}
}
