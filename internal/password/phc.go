package password

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/stepkey/stepkey/internal/argon2"
)

const argon2idPrefix = "$argon2id$"

// Lengths that the PHC string format allows argon2 (salt) and that a stored key
// may have. A shorter key could match by chance.
const (
	minSaltBytes, maxSaltBytes = 8, 48
	minKeyBytes, maxKeyBytes   = 16, 64
)

// phc is a parsed argon2id hash.
type phc struct {
	params    Params
	salt, key []byte
}

// String implements fmt.Stringer.
func (p phc) String() string {
	return fmt.Sprintf(argon2idPrefix+"v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.params.MemoryKiB, p.params.Passes, p.params.Lanes,
		base64.RawStdEncoding.EncodeToString(p.salt), base64.RawStdEncoding.EncodeToString(p.key))
}

// parsePHC parses the canonical form of a hash and refuses parameters above the
// ceilings. It does not accept the optional keyid and data of the PHC format,
// because Stepkey has no pepper.
func parsePHC(encoded string) (phc, error) {
	rest, isArgon2id := strings.CutPrefix(encoded, argon2idPrefix)
	if !isArgon2id {
		return phc{}, ErrUnsupported
	}
	fields := strings.Split(rest, "$")
	if len(fields) != 4 {
		return phc{}, ErrMalformed
	}
	if err := checkVersion(fields[0]); err != nil {
		return phc{}, err
	}
	params, err := parseParams(fields[1])
	if err != nil {
		return phc{}, err
	}
	salt, err := decodeBase64(base64.RawStdEncoding, fields[2], minSaltBytes, maxSaltBytes)
	if err != nil {
		return phc{}, err
	}
	key, err := decodeBase64(base64.RawStdEncoding, fields[3], minKeyBytes, maxKeyBytes)
	if err != nil {
		return phc{}, err
	}
	return phc{params, salt, key}, nil
}

func checkVersion(field string) error {
	version, err := parseNumber(field, "v=")
	if err != nil {
		return err
	}
	if version != argon2.Version {
		return ErrUnsupported
	}
	return nil
}

func parseParams(field string) (Params, error) {
	fields := strings.Split(field, ",")
	if len(fields) != 3 {
		return Params{}, ErrMalformed
	}
	memory, err := parseNumber(fields[0], "m=")
	if err != nil {
		return Params{}, err
	}
	passes, err := parseNumber(fields[1], "t=")
	if err != nil {
		return Params{}, err
	}
	lanes, err := parseNumber(fields[2], "p=")
	if err != nil {
		return Params{}, err
	}
	if lanes > MaxLanes {
		return Params{}, ErrExcessive
	}
	params := Params{MemoryKiB: memory, Passes: passes, Lanes: uint8(lanes)}
	return params, params.check()
}

// parseNumber parses a decimal number without sign or leading zeros, as the PHC
// format requires. A number beyond 32 bits is excessive, not malformed.
func parseNumber(field, name string) (uint32, error) {
	digits, named := strings.CutPrefix(field, name)
	if !named || digits == "" || strings.Trim(digits, "0123456789") != "" || (digits[0] == '0' && len(digits) > 1) {
		return 0, ErrMalformed
	}
	number, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, ErrExcessive
	}
	return uint32(number), nil
}

func decodeBase64(encoding *base64.Encoding, text string, shortest, longest int) ([]byte, error) {
	// The decoder skips line breaks, which the format does not allow.
	if strings.ContainsAny(text, "\r\n") || len(text) > encoding.EncodedLen(longest) {
		return nil, ErrMalformed
	}
	raw, err := encoding.Strict().DecodeString(text)
	if err != nil || len(raw) < shortest {
		return nil, ErrMalformed
	}
	return raw, nil
}
