package stepkey

import "context"

// Breaches knows passwords from data breaches; package hibp has one. It is safe for
// concurrent use.
type Breaches interface {
	// Breached reports whether password is known. It is called with the form that gets
	// hashed, and only for a new password, never at login. It answers within two seconds,
	// and discloses neither the password nor anything that would suffice to find it. If it
	// cannot tell, it returns an error, which contains nothing of the password.
	Breached(ctx context.Context, password string) (bool, error)
}
