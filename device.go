package stepkey

import (
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/internal/tokens"
)

const (
	// DeviceLifetime is how long a device stays known after a sign-in there: 180 days.
	DeviceLifetime = tokens.DeviceLifetime

	// MaxDevices is how many device tokens of one request are read: 8.
	MaxDevices = tokens.MaxDevices
)

// presentedDevice returns the device of the first genuine token among deviceTokens, or nil. A
// later check decides whether it belongs to the user who logs in.
func (s *Service) presentedDevice(deviceTokens []string) *throttle.Device {
	for d := range s.devices.Genuine(deviceTokens) {
		return throttled(d)
	}
	return nil
}

// throttled is the device as the limits know it.
func throttled(d tokens.Device) *throttle.Device {
	return &throttle.Device{ID: string(d.Nonce[:]), UserID: d.UserID, ExpiresAt: d.ExpiresAt}
}
