package password

import (
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"golang.org/x/crypto/scrypt"
)

const (
	scryptPrefix      = "$scrypt$"
	cryptScryptPrefix = "$7$"
)

// maxScryptBlocks is the ceiling on N·r·p. N·r is memory in units of 128 bytes, so
// this is one pass over MaxMemoryKiB, or several passes over less memory: about half
// a second of a core. It equals OWASP's recommendation: N = 2^17, r = 8, p = 1.
const maxScryptBlocks = MaxMemoryKiB * 1024 / 128

// scryptHash is a parsed scrypt hash (RFC 7914). N is 1<<logN.
type scryptHash struct {
	logN, r, p uint32
	salt, key  []byte
}

// parseScrypt parses the form of PHC and passlib, in unpadded base64:
//
//	$scrypt$ln=16,r=8,p=1$<salt>$<key>
func parseScrypt(encoded string) (legacy, error) {
	fields := strings.Split(strings.TrimPrefix(encoded, scryptPrefix), "$")
	if len(fields) != 3 {
		return nil, ErrMalformed
	}
	params := strings.Split(fields[0], ",")
	if len(params) != 3 {
		return nil, ErrMalformed
	}
	var h scryptHash
	var err error
	if h.logN, err = parseNumber(params[0], "ln="); err != nil {
		return nil, err
	}
	if h.r, err = parseNumber(params[1], "r="); err != nil {
		return nil, err
	}
	if h.p, err = parseNumber(params[2], "p="); err != nil {
		return nil, err
	}
	if h.salt, err = decodeBase64(base64.RawStdEncoding, fields[1], 1, maxLegacySalt); err != nil {
		return nil, err
	}
	if h.key, err = decodeBase64(base64.RawStdEncoding, fields[2], minKeyBytes, maxKeyBytes); err != nil {
		return nil, err
	}
	return h, h.check()
}

// parseCryptScrypt parses the form of crypt(5), which libsodium writes too: one
// character for the logarithm of N, five each for r and p, the salt as text, and a
// key of 32 bytes.
//
//	$7$C6..../....<salt>$<key>
func parseCryptScrypt(encoded string) (legacy, error) {
	rest := strings.TrimPrefix(encoded, cryptScryptPrefix)
	const header = 1 + 5 + 5
	if len(rest) < header {
		return nil, ErrMalformed
	}
	salt, key, ok := strings.Cut(rest[header:], "$")
	if !ok || salt == "" || len(salt) > maxLegacySalt {
		return nil, ErrMalformed
	}
	h := scryptHash{salt: []byte(salt)}
	for _, field := range []struct {
		number *uint32
		text   string
	}{{&h.logN, rest[:1]}, {&h.r, rest[1:6]}, {&h.p, rest[6:header]}} {
		if *field.number, ok = decodeItoa64(field.text); !ok {
			return nil, ErrMalformed
		}
	}
	if h.key, ok = decodeCryptKey(key); !ok {
		return nil, ErrMalformed
	}
	return h, h.check()
}

// check checks the parameters' requirements in RFC 7914 §2, and the ceiling. N and
// r are bounded before they are multiplied.
func (h scryptHash) check() error {
	if h.logN < 1 || h.r < 1 || h.p < 1 {
		return ErrMalformed
	}
	if h.logN > 31 || h.blocks() > maxScryptBlocks {
		return ErrExcessive
	}
	return nil
}

// blocks returns N·r·p, or more than the ceiling if that would not fit in 64
// bits.
func (h scryptHash) blocks() uint64 {
	nr := uint64(h.r) << h.logN
	if nr > maxScryptBlocks {
		return nr
	}
	return nr * uint64(h.p)
}

func (h scryptHash) memoryKiB() uint64 { return uint64(h.r) << h.logN / 8 }

func (h scryptHash) effort() float64 { return float64(h.blocks()) / (1 << 19) }

func (h scryptHash) matches(password string) (bool, error) {
	key, err := scrypt.Key([]byte(password), h.salt, 1<<h.logN, int(h.r), int(h.p), len(h.key))
	if err != nil {
		return false, ErrMalformed
	}
	return subtle.ConstantTimeCompare(key, h.key) == 1, nil
}

// itoa64 is the alphabet of crypt(5), which bcrypt uses in another order. Numbers
// are written with their lowest six bits first.
const itoa64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// decodeItoa64 reads up to five characters.
func decodeItoa64(text string) (number uint32, ok bool) {
	for i := range len(text) {
		digit := strings.IndexByte(itoa64, text[i])
		if digit < 0 {
			return 0, false
		}
		number |= uint32(digit) << (6 * i)
	}
	return number, true
}

// decodeCryptKey reads 32 bytes: four characters for three bytes, three for the last
// two.
func decodeCryptKey(text string) (key []byte, ok bool) {
	const characters, whole = 43, 40
	if len(text) != characters {
		return nil, false
	}
	for i := 0; i < characters; i += 4 {
		group, ok := decodeItoa64(text[i:min(i+4, characters)])
		if !ok {
			return nil, false
		}
		key = append(key, byte(group), byte(group>>8))
		if i < whole {
			key = append(key, byte(group>>16))
		} else if group>>16 != 0 {
			return nil, false // not canonical
		}
	}
	return key, true
}
