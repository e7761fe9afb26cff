package tokens

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/storage"
)

const (
	// DeviceLifetime is how long a device stays known after a sign-in there.
	DeviceLifetime = 180 * 24 * time.Hour

	// MaxDevices is how many device tokens of one request are read.
	MaxDevices = 8

	// DeviceNonceBytes is the length of [Device.Nonce].
	DeviceNonceBytes = 16
)

var deviceFormat = format{prefix: "dv1.", payload: 16 + 4 + 8 + DeviceNonceBytes}

// Device is what a device token says: the user signed in on this device before. It
// proves nothing else and grants no access. It only keeps those who guess at an account
// from locking out its owner (OWASP, "Slow Down Online Guessing Attacks with Device
// Cookies").
type Device struct {
	UserID          uuid.UUID
	PasswordVersion uint32 // of the user at that sign-in
	ExpiresAt       time.Time
	Nonce           [DeviceNonceBytes]byte // identifies the device
}

// Digest identifies the device in stored links.
func (d Device) Digest() []byte {
	sum := sha256.Sum256(d.Nonce[:])
	return sum[:]
}

func (d Device) marshal() []byte {
	raw := append([]byte(nil), d.UserID[:]...)
	raw = binary.BigEndian.AppendUint32(raw, d.PasswordVersion)
	raw = binary.BigEndian.AppendUint64(raw, uint64(d.ExpiresAt.Unix()))
	return append(raw, d.Nonce[:]...)
}

// DeviceTokens issues and verifies device tokens. The zero value is not usable.
type DeviceTokens struct {
	key    []byte
	random io.Reader
}

// NewDeviceTokens returns the device tokens of a root secret.
func NewDeviceTokens(root secret.Root, random io.Reader) DeviceTokens {
	return DeviceTokens{key: root.Derive("device token"), random: random}
}

// Issue makes the token for a device on which u has just signed in. nonce is that of the
// device if it was known before, nil otherwise: with a new nonce at each sign-in, the
// device's limits would start over.
func (t DeviceTokens) Issue(
	u storage.User, nonce *[DeviceNonceBytes]byte, now time.Time,
) (deviceToken string, until time.Time, err error) {
	d := Device{UserID: u.ID, PasswordVersion: uint32(u.PasswordVersion), ExpiresAt: now.Add(DeviceLifetime)}
	if nonce != nil {
		d.Nonce = *nonce
	} else if _, err := io.ReadFull(t.random, d.Nonce[:]); err != nil {
		return "", time.Time{}, fmt.Errorf("tokens: draw a device token: %w", err)
	}
	payload := d.marshal()
	return deviceFormat.encode(payload, t.mac(payload)), d.ExpiresAt, nil
}

func (t DeviceTokens) mac(payload []byte) []byte {
	return macOf(t.key, []byte(deviceFormat.prefix), payload)
}

// Genuine yields the devices of those texts, among the first MaxDevices, that this
// service issued. They may have expired.
func (t DeviceTokens) Genuine(texts []string) iter.Seq[Device] {
	return func(yield func(Device) bool) {
		for _, text := range texts[:min(len(texts), MaxDevices)] {
			if d, ok := t.parse(text); ok && !yield(d) {
				return
			}
		}
	}
}

func (t DeviceTokens) parse(text string) (Device, bool) {
	payload, mac, ok := deviceFormat.decode(text)
	if !ok || !hmac.Equal(mac, t.mac(payload)) {
		return Device{}, false
	}
	return Device{
		UserID:          uuid.UUID(payload[:16]),
		PasswordVersion: binary.BigEndian.Uint32(payload[16:]),
		ExpiresAt:       time.Unix(int64(binary.BigEndian.Uint64(payload[20:])), 0),
		Nonce:           [DeviceNonceBytes]byte(payload[28:]),
	}, true
}

// Known returns the device among texts on which u signed in with the current password.
// After a change of the password no device is known.
func (t DeviceTokens) Known(texts []string, u storage.User, now time.Time) (Device, bool) {
	for d := range t.Genuine(texts) {
		if d.UserID == u.ID && d.PasswordVersion == uint32(u.PasswordVersion) && now.Before(d.ExpiresAt) {
			return d, true
		}
	}
	return Device{}, false
}

// Digests returns the digests of the devices among texts, by user id. It looks up no
// user, so the time it takes reveals none. The password version does not matter here:
// someone who forgot the current password may have last signed in with an older one.
func (t DeviceTokens) Digests(texts []string) map[string][]byte {
	digests := make(map[string][]byte)
	for d := range t.Genuine(texts) {
		digests[d.UserID.String()] = d.Digest()
	}
	return digests
}
