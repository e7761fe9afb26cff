package password

import (
	"strings"
	"time"
)

// MinFailureFloor is the minimum that FailureFloor returns for a hash whose cost differs
// from today's. bcrypt at cost 12, as the original makes it, takes about 200 to 350 ms, and
// PBKDF2 with a million rounds of SHA-256 about as long.
const MinFailureFloor = 500 * time.Millisecond

// FailureFloor returns a time in which a password can be compared with encoded on an
// ordinary core, and 0 for a hash with the parameters of this Hasher. If failed logins are
// answered no sooner, their timing does not reveal whose hash was made elsewhere. It is
// MinFailureFloor for the usual parameters and doubles as often as stronger ones require:
// at the ceilings it is two seconds for bcrypt and one second for the others.
//
// It is 0 for a hash that Verify refuses, because the caller compares with
// [Hasher.Decoy] instead.
func (h *Hasher) FailureFloor(encoded string) time.Duration {
	c, err := costOf(encoded)
	if err != nil || c.params == h.params {
		return 0
	}
	floor := MinFailureFloor
	for effort := c.effort; effort > 1; effort /= 2 {
		floor *= 2
	}
	return floor
}

// sharedMemoryKiB is how much memory a hash may take if several run at once: twice the
// amount of one made today.
const sharedMemoryKiB = 2 * 19456

// RunsAlone reports whether comparing a password with encoded takes so much memory or time
// that only one such comparison may run at once. bcrypt up to cost 12 and PBKDF2 up to a
// million rounds are not among them.
func RunsAlone(encoded string) bool {
	c, err := costOf(encoded)
	return err == nil && (c.effort > 1 || c.memoryKiB > sharedMemoryKiB)
}

// cost is the cost of comparing a password with a hash.
type cost struct {
	params    Params // of argon2id
	effort    float64
	memoryKiB uint64
}

func costOf(encoded string) (cost, error) {
	if strings.HasPrefix(encoded, argon2idPrefix) {
		h, err := parsePHC(encoded)
		return cost{h.params, h.params.effort(), uint64(h.params.MemoryKiB)}, err
	}
	h, err := parseLegacy(encoded)
	if err != nil {
		return cost{}, err
	}
	return cost{effort: h.effort(), memoryKiB: h.memoryKiB()}, nil
}

// AfterKind returns the least string that is greater, in byte order, than every hash of
// the same kind and with the same parameters as encoded. So a reader of sorted hashes can
// skip from one kind to the next.
func AfterKind(encoded string) string {
	end := kindLength(encoded)
	if end == 0 {
		return encoded + "\x01"
	}
	return encoded[:end-1] + string(rune(encoded[end-1]+1))
}

// kindLength returns how many bytes of a hash come before salt and key, or zero if the
// text is not a hash.
func kindLength(encoded string) int {
	const bcryptHeader, cryptHeader = len("$2b$12$"), len(cryptScryptPrefix) + 11
	switch {
	case Check(encoded) != nil:
		return 0
	case strings.HasPrefix(encoded, "$2"):
		return bcryptHeader
	case strings.HasPrefix(encoded, cryptScryptPrefix):
		return cryptHeader
	case strings.HasPrefix(encoded, argon2idPrefix):
		return afterDollars(encoded, 4)
	case strings.HasPrefix(encoded, "$"):
		return afterDollars(encoded, 3)
	default:
		return afterDollars(encoded, 2)
	}
}

// afterDollars returns how many bytes the text has up to its n-th dollar sign.
func afterDollars(text string, n int) (length int) {
	for range n {
		length += strings.IndexByte(text[length:], '$') + 1
	}
	return length
}
