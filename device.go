package stepkey

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/password"
)

// A device token says that somebody signed in to this account on this device before.
// It proves nothing else and opens nothing: it only keeps those who guess at the
// account from shutting its owner out (OWASP, "Slow Down Online Guessing Attacks with
// Device Cookies"). It is no JWT and has a key of its own, so that neither can be
// taken for the other.

// DeviceLifetime is how long a device stays known after a sign-in there.
const DeviceLifetime = 180 * 24 * time.Hour

// MaxDevices is how many device tokens of one request are looked at.
const MaxDevices = 8

const (
	devicePrefix     = "dv1."
	deviceNonceBytes = 16
)

// device is what a device token says.
type device struct {
	userID          uuid.UUID
	passwordVersion uint32
	expiresAt       time.Time
	nonce           [deviceNonceBytes]byte
}

func (d device) marshal() []byte {
	raw := append([]byte(nil), d.userID[:]...)
	raw = binary.BigEndian.AppendUint32(raw, d.passwordVersion)
	raw = binary.BigEndian.AppendUint64(raw, uint64(d.expiresAt.Unix()))
	return append(raw, d.nonce[:]...)
}

const deviceBytes = 16 + 4 + 8 + deviceNonceBytes

// newDevice makes the token for a device on which u has just signed in. A device that was
// known before stays the same one: with another nonce each time, its limits would begin
// anew.
func (s *Service) newDevice(u User, before *device, now time.Time) (deviceToken string, until time.Time, err error) {
	d := device{userID: u.ID, passwordVersion: uint32(u.PasswordVersion), expiresAt: now.Add(DeviceLifetime)}
	if before != nil {
		d.nonce = before.nonce
	} else if _, err := io.ReadFull(s.random, d.nonce[:]); err != nil {
		return "", time.Time{}, fmt.Errorf("stepkey: draw a device token: %w", err)
	}
	raw := d.marshal()
	return devicePrefix + base64.RawURLEncoding.EncodeToString(append(raw, s.deviceMAC(raw)...)), d.expiresAt, nil
}

func (s *Service) deviceMAC(raw []byte) []byte {
	mac := hmac.New(sha256.New, s.deviceKey)
	mac.Write([]byte(devicePrefix))
	mac.Write(raw)
	return mac.Sum(nil)
}

// knownDevice returns the device among tokens on which u signed in before, with the
// password that u has now. A changed password makes all devices strangers.
func (s *Service) knownDevice(tokens []string, u User, now time.Time) (device, bool) {
	for _, text := range tokens[:min(len(tokens), MaxDevices)] {
		d, ok := s.parseDevice(text)
		if ok && d.userID == u.ID && d.passwordVersion == uint32(u.PasswordVersion) && now.Before(d.expiresAt) {
			return d, true
		}
	}
	return device{}, false
}

// askingDevices are the digests of the devices among tokens, by the users who signed in
// there. It takes the same time whoever they are, and looks nobody up. A changed password
// makes no difference here: who forgot theirs may have signed in with an older one.
func (s *Service) askingDevices(tokens []string) map[string][]byte {
	devices := make(map[string][]byte)
	for _, text := range tokens[:min(len(tokens), MaxDevices)] {
		if d, ok := s.parseDevice(text); ok {
			devices[d.userID.String()] = d.digest()
		}
	}
	return devices
}

// digest is by what a link knows the device that asked for it.
func (d device) digest() []byte {
	sum := sha256.Sum256(d.nonce[:])
	return sum[:]
}

// enterToLogIn takes a place before it is known whose the login is. A cookie that we did
// not make is worth nothing; whether it is this user's is seen later.
func (s *Service) enterToLogIn(try LogIn) (*password.Place, error) {
	for _, text := range try.Devices[:min(len(try.Devices), MaxDevices)] {
		if d, ok := s.parseDevice(text); ok && s.limits.limiter != nil {
			return s.enter(password.LaneReserved, deviceShares(try, d)...)
		}
	}
	return s.enter(password.LaneOpen, strangerShares(try, try.canonicalName())...)
}

func (s *Service) parseDevice(text string) (device, bool) {
	encoded, ok := strings.CutPrefix(text, devicePrefix)
	if !ok || len(encoded) != base64.RawURLEncoding.EncodedLen(deviceBytes+sha256.Size) {
		return device{}, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || !hmac.Equal(raw[deviceBytes:], s.deviceMAC(raw[:deviceBytes])) {
		return device{}, false
	}
	return device{
		userID:          uuid.UUID(raw[:16]),
		passwordVersion: binary.BigEndian.Uint32(raw[16:]),
		expiresAt:       time.Unix(int64(binary.BigEndian.Uint64(raw[20:])), 0),
		nonce:           [deviceNonceBytes]byte(raw[28:deviceBytes]),
	}, true
}
