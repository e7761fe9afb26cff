package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/clientip"
	"github.com/stepkey/stepkey/storage"
)

// Sign-ins with a password, right or wrong. Failures have limits of their own, in
// limits.go and attempts.go, which a success refunds. Nothing refunds these: a client that
// knows a password could otherwise have it hashed without end. A script that signs in once
// a minute passes on any of them.

// From unknown devices: per account, and per address.
func signInAccountLimit() storage.Limit { return storage.Limit{Burst: 30, Every: 6 * time.Second} }
func signInAddressLimit() storage.Limit { return storage.Limit{Burst: 200, Every: time.Second} }

// On known devices: per device, and per address. They are apart from the others: somebody
// who has the password, but not the device, cannot use up what the owner has. A client
// beyond them counts as an unknown device. The burst of a device exceeds FreeAttempts.
func knownDeviceLimit() storage.Limit  { return storage.Limit{Burst: 20, Every: 30 * time.Second} }
func knownAddressLimit() storage.Limit { return storage.Limit{Burst: 200, Every: time.Second} }

// Password changes, per user, whether the current password is right or wrong. The burst
// exceeds FreeAttempts, so that one session that guesses does not use it up.
func passwordChangeLimit() storage.Limit { return storage.Limit{Burst: 30, Every: time.Minute} }

func (l *limits) signInCharges(name string, c Client) []storage.Charge {
	return []storage.Charge{
		l.one("signin-account", name, signInAccountLimit()),
		l.one("signin-address", clientip.Address(c.IP).String(), signInAddressLimit()),
	}
}

func (l *limits) knownDeviceCharges(d device, c Client) []storage.Charge {
	return []storage.Charge{
		l.one("signin-device", string(d.nonce[:]), knownDeviceLimit()),
		l.one("signin-known-address", clientip.Address(c.IP).String(), knownAddressLimit()),
	}
}

func (l *limits) chargePasswordChange(ctx context.Context, userID uuid.UUID, now time.Time) error {
	return l.charge(ctx, now, l.one("password-change", userID.String(), passwordChangeLimit()))
}
