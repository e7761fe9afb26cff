package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/clientip"
)

// Sign-ins with a password, right or wrong. Failures have limits of their own, in
// limits.go and attempts.go, which a success refunds. Nothing refunds these: a client that
// knows a password could otherwise have it hashed without end. A script that signs in once
// a minute passes on any of them.

// From unknown devices: per account, and per address.
func signInAccountLimit() Limit { return Limit{Burst: 30, Every: 6 * time.Second} }
func signInAddressLimit() Limit { return Limit{Burst: 200, Every: time.Second} }

// On known devices: per device, and per address. They are apart from the others: somebody
// who has the password, but not the device, cannot use up what the owner has. A client
// beyond them counts as an unknown device. The burst of a device exceeds FreeAttempts.
func knownDeviceLimit() Limit  { return Limit{Burst: 20, Every: 30 * time.Second} }
func knownAddressLimit() Limit { return Limit{Burst: 200, Every: time.Second} }

// Password changes, per user, whether the current password is right or wrong. The burst
// exceeds FreeAttempts, so that one session that guesses does not use it up.
func passwordChangeLimit() Limit { return Limit{Burst: 30, Every: time.Minute} }

func (l *limits) signInCharges(name string, c Client) []Charge {
	return []Charge{
		{l.bucket("signin-account", name), signInAccountLimit(), 1},
		{l.bucket("signin-address", clientip.Address(c.IP).String()), signInAddressLimit(), 1},
	}
}

func (l *limits) knownDeviceCharges(d device, c Client) []Charge {
	return []Charge{
		{l.bucket("signin-device", string(d.nonce[:])), knownDeviceLimit(), 1},
		{l.bucket("signin-known-address", clientip.Address(c.IP).String()), knownAddressLimit(), 1},
	}
}

func (l *limits) chargePasswordChange(ctx context.Context, userID uuid.UUID, now time.Time) error {
	return l.charge(ctx, now, Charge{l.bucket("password-change", userID.String()), passwordChangeLimit(), 1})
}
