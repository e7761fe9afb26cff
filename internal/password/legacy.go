package password

import (
	"strings"
	"time"
)

// legacy is a stored hash of a kind that is verified and never made, taken apart
// and within the ceilings.
type legacy interface {
	// matches compares with the bytes of the password as received, because that is
	// what other systems hash.
	matches(password string) (bool, error)

	// effort is how long a comparison takes, measured in what a failed login is
	// stretched to: 1 is at most half a second on an ordinary core.
	effort() float64
}

// parseLegacy takes a hash of an old kind apart and computes nothing.
func parseLegacy(encoded string) (legacy, error) {
	switch {
	case strings.HasPrefix(encoded, "$2"):
		return parseBcrypt(encoded)
	case strings.HasPrefix(encoded, scryptPrefix):
		return parseScrypt(encoded)
	case strings.HasPrefix(encoded, cryptScryptPrefix):
		return parseCryptScrypt(encoded)
	case strings.HasPrefix(encoded, "$pbkdf2"):
		return parsePBKDF2(encoded)
	case strings.HasPrefix(encoded, "pbkdf2_sha"):
		return parseDjango(encoded)
	case strings.HasPrefix(encoded, "$"):
		return nil, ErrUnsupported
	default:
		return nil, ErrMalformed
	}
}

// Check returns nil if [Hasher.Verify] would compare a password with encoded, and
// otherwise the error that it would return. It computes no hash.
func Check(encoded string) error {
	if strings.HasPrefix(encoded, argon2idPrefix) {
		_, err := parsePHC(encoded)
		return err
	}
	_, err := parseLegacy(encoded)
	return err
}

// IsLegacy reports whether encoded is a hash of a kind that is no longer made.
// Such a hash takes another time to compare than a fresh one.
func IsLegacy(encoded string) bool { return !strings.HasPrefix(encoded, argon2idPrefix) }

// MinLegacyFloor is the least that LegacyFloor returns for a hash of an old kind.
// bcrypt at cost 12, as the original makes it, takes some 200 to 350 ms, PBKDF2 with
// a million rounds of SHA-256 about as long.
const MinLegacyFloor = 500 * time.Millisecond

// LegacyFloor returns a time in which a password can be compared with encoded on an
// ordinary core, and 0 for a hash of the kind that is made today. Answering failed
// logins no sooner hides whose hash is of an old kind. It is MinLegacyFloor for the
// usual parameters and doubles until it fits stronger ones: at the ceilings it is
// four seconds for bcrypt and two for the others.
func LegacyFloor(encoded string) time.Duration {
	if !IsLegacy(encoded) {
		return 0
	}
	floor := MinLegacyFloor
	stored, err := parseLegacy(encoded)
	if err != nil {
		return floor // nothing is computed for it
	}
	for effort := stored.effort(); effort > 1; effort /= 2 {
		floor *= 2
	}
	return floor
}
