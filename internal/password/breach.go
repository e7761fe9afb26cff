package password

import (
	"context"
	"errors"
)

// ErrBreached is returned for a new password that Breaches knows.
var ErrBreached = errors.New("password: known from a data breach")

// Breaches knows passwords from data breaches. It is safe for concurrent use.
type Breaches interface {
	Breached(ctx context.Context, password string) (bool, error)
}

// refuseBreached accepts the password if the lookup fails. It is not in the embedded list of
// common passwords (NIST SP 800-63B-4 §3.1.1.2) in any case. Refusing would do more harm: while
// the lookup service is down, nobody could sign up or change a stolen password.
func (k *Keeper) refuseBreached(ctx context.Context, newPassword string) error {
	breached, err := k.breaches.Breached(ctx, Normal(newPassword))
	if err != nil {
		k.log.WarnContext(ctx, "breach lookup failed; password accepted unchecked", "error", err)
		return nil
	}
	if breached {
		return ErrBreached
	}
	return nil
}
