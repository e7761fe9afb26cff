package stepkey

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/throttle"
)

// WithAccount returns a context for calls on behalf of one user. Operations of one account wait
// for the same rows of the store, so a [Service] runs few of them at once at its Store,
// Challenges and Limiter. The others wait in order without a connection; beyond a few hundred
// they are refused with a RateLimitedError. So parallel calls of one account do not slow down
// the others. Package httpapi calls WithAccount for every signed-in request.
func WithAccount(ctx context.Context, userID uuid.UUID) context.Context {
	return throttle.WithAccount(ctx, userID)
}

// AdmitSession counts a call of a session whose token was verified, or refuses it with a
// RateLimitedError. Package httpapi calls it for every signed-in request. It costs no query:
// each instance counts for itself.
func (s *Service) AdmitSession(sessionID string) error {
	return s.throttle.Admit(throttle.SessionCalls, sessionID, s.now())
}

// AdmitClient is AdmitSession for a call without a session, counted by address.
func (s *Service) AdmitClient(from Client) error {
	return s.throttle.AdmitClient(throttle.ClientCalls, from, s.now())
}

// AdmitReadiness is AdmitClient for a call of [Service.Ready].
func (s *Service) AdmitReadiness(from Client) error {
	return s.throttle.AdmitClient(throttle.Readiness, from, s.now())
}

// AdmitLogIn returns the OverloadedError that LogIn would return for a client with these device tokens, whatever name
// and password it sends. Package httpapi calls it before it reads them, so that refusing a flood costs little.
func (s *Service) AdmitLogIn(devices []string) error {
	return s.throttle.AdmitLogIn(s.presentedDevice(devices))
}

// AdmitIntrospection counts an attempt at the secret of introspection, before the secret is
// compared, or refuses it with a RateLimitedError. The caller calls refund if the secret is
// right: clients that have it are not limited.
func (s *Service) AdmitIntrospection(from Client) (refund func(), err error) {
	return s.throttle.AdmitGuess(throttle.Introspections, from, s.now())
}

// mayNotify reports whether the limit on notices still allows a mail about an event. Without
// the mail, the event is still recorded. If the limit cannot be checked, the owner is
// notified.
func (s *Service) mayNotify(ctx context.Context, userID uuid.UUID, kind mail.Kind, now time.Time) bool {
	if !s.outbox.SendsMail() {
		return false
	}
	err := s.throttle.ChargeNotice(ctx, userID, kind, now)
	var limited *RateLimitedError
	return !errors.As(err, &limited)
}

// refuse makes the error for a client that has to wait.
func refuse(wait time.Duration) error { return &RateLimitedError{RetryAfter: wait} }
