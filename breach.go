package stepkey

import (
	"context"

	"github.com/stepkey/stepkey/internal/password"
)

// Breaches knows passwords from data breaches; package hibp has one. It is safe for
// concurrent use.
type Breaches interface {
	// Breached reports whether password is known. It is asked for the form that gets
	// hashed, and only when a password is to be set: never at login. It answers within
	// two seconds, and tells nobody the password or what would do to find it. What it
	// cannot say is an error, which holds nothing of the password.
	Breached(ctx context.Context, password string) (bool, error)
}

// hashUnlessBreached hashes a password that is to be set, or returns ErrPasswordBreached.
// What refuses it at no cost comes before. The place at the gate is given up for as long
// as somebody else's answer takes, so that no login waits for it.
func (s *Service) hashUnlessBreached(ctx context.Context, place *password.Place, newPassword string) (string, error) {
	if s.breaches != nil {
		place.StepAside()
		if err := s.refuseBreached(ctx, newPassword); err != nil {
			return "", err
		}
		if err := place.Return(); err != nil {
			return "", err
		}
	}
	return s.hash(ctx, place, newPassword)
}

// refuseBreached takes the password where there is no answer. The embedded list of
// common ones (NIST SP 800-63B-4 §3.1.1.2) has been asked in any case; that nobody could
// sign up, nor change a stolen password, for as long as somebody else's service is away
// would be the greater harm.
func (s *Service) refuseBreached(ctx context.Context, newPassword string) error {
	breached, err := s.breaches.Breached(ctx, password.Normal(newPassword))
	if err != nil {
		s.log.WarnContext(ctx, "breach lookup failed; password accepted unchecked", "error", err)
		return nil
	}
	if breached {
		return ErrPasswordBreached
	}
	return nil
}
