package password

import "strings"

// legacy is a parsed hash, within the ceilings, of a kind that is verified but
// never made.
type legacy interface {
	// matches compares with the bytes of the password as received, because that is
	// what other systems hash.
	matches(password string) (bool, error)

	// effort returns how long a comparison takes: 1 is at most half a second on an
	// ordinary core, or ten to fifteen of today's hashes.
	effort() float64

	// memoryKiB returns how much memory it takes.
	memoryKiB() uint64
}

// parseLegacy parses a hash of an old kind. It computes no hash.
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
