package stepkey

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/internal/throttle"
)

// RecordRefusedCeremony records that an answer of r.UserID was refused, so that an
// operator can say why a passkey does not work. A user has one record for each
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

// CeremonyRefusal says why the answer to a ceremony was refused.
type CeremonyRefusal struct {
	// Reason is that of a RefusedCeremony; empty where the error says all there is.
	Reason string

	// UserID is whose session or passkey it was, zero where that is not known.
	UserID uuid.UUID
}

type ceremonyRefusalKey struct{}

// WithCeremonyRefusal returns a context in which FinishRegistration, FinishStepUp and
// FinishPasskeyLogIn write into r why they refuse an answer. Their errors do not say
// it: they are alike, so that no program tells attackers more by mistake.
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
