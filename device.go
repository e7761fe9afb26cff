package stepkey

import (
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/internal/tokens"
)

const (
	// DeviceLifetime is how long a device stays known after a sign-in there: 180 days.
	DeviceLifetime = tokens.DeviceLifetime

	// MaxDevices is how many device tokens of one request are read: 8.
	MaxDevices = tokens.MaxDevices

	deviceNonceBytes = tokens.DeviceNonceBytes
)

// device is a device on which the user signed in before, as limits count it.
type device struct {
	userID    uuid.UUID
	expiresAt time.Time
	nonce     [deviceNonceBytes]byte
}

func deviceOf(d tokens.Device) device {
	return device{userID: d.UserID, expiresAt: d.ExpiresAt, nonce: d.Nonce}
}

// newDevice makes the token for a device on which u has just signed in. before is the
// device if it was known, nil otherwise.
func (s *Service) newDevice(u User, before *device, now time.Time) (deviceToken string, until time.Time, err error) {
	if before == nil {
		return s.devices.Issue(u, nil, now)
	}
	return s.devices.Issue(u, &before.nonce, now)
}

// knownDevice returns the device among deviceTokens on which u signed in with the
// current password.
func (s *Service) knownDevice(deviceTokens []string, u User, now time.Time) (device, bool) {
	d, ok := s.devices.Known(deviceTokens, u, now)
	return deviceOf(d), ok
}

// enterToLogIn takes a place at the hash gate before the user is looked up. A genuine
// device token is enough for the reserved lane; whether it is this user's is checked
// later.
func (s *Service) enterToLogIn(try LogIn) (*password.Place, error) {
	if s.limits.limiter != nil {
		for d := range s.devices.Genuine(try.Devices) {
			return s.enter(password.LaneReserved, deviceShares(try, deviceOf(d))...)
		}
	}
	return s.enter(password.LaneOpen, strangerShares(try, try.canonicalName())...)
}
