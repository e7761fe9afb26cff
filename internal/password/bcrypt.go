package password

import (
	"errors"
	"math"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	// bcryptLength is the length of every bcrypt hash: $2b$12$, 22 characters
	// of salt, 31 of key.
	bcryptLength = 60

	// bcryptPasswordBytes is how many bytes of a password bcrypt uses. Node's
	// bcrypt silently ignores the rest, so a user of the original may have a
	// longer one and must be able to sign in with it; the new hash covers all of
	// it.
	bcryptPasswordBytes = 72

	bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// bcryptHash is a bcrypt hash that has been checked.
type bcryptHash string

// parseBcrypt reads a bcrypt hash.
//
// $2b$ is what the original writes, $2a$ what older versions of its library
// did, and $2y$ is another name of $2b$ that PHP and htpasswd use: the same
// computation, so it is accepted. $2x$ marks hashes of a broken implementation
// and $2$ an early one that left out the closing NUL; neither is.
//
// A NUL inside the password is an ordinary byte, as in the original's library
// since version 5.0.0.
func parseBcrypt(encoded string) (legacy, error) {
	if err := checkBcrypt(encoded); err != nil {
		return nil, err
	}
	return bcryptHash(encoded), nil
}

func (h bcryptHash) matches(password string) (bool, error) {
	if len(password) > bcryptPasswordBytes {
		password = password[:bcryptPasswordBytes]
	}
	err := bcrypt.CompareHashAndPassword([]byte(h), []byte(password))
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	if err != nil {
		return false, ErrMalformed
	}
	return true, nil
}

// effort is 1 at cost 12 and doubles with each further one.
func (h bcryptHash) effort() float64 { return math.Ldexp(1, bcryptCost(string(h))-12) }

func (h bcryptHash) memoryKiB() uint64 { return 4 }

// checkBcrypt refuses hashes that the library would accept or refuse too late:
// it accepts any letter as the version and computes costs up to 31, which takes
// days. It would refuse costs under 4 only when it computes.
func checkBcrypt(encoded string) error {
	fields := strings.Split(encoded, "$")
	if len(fields) != 4 {
		return ErrMalformed
	}
	if version := fields[1]; version != "2a" && version != "2b" && version != "2y" {
		return ErrUnsupported
	}
	if len(encoded) != bcryptLength || strings.Trim(fields[3], bcryptAlphabet) != "" {
		return ErrMalformed
	}
	if len(fields[2]) != 2 || strings.Trim(fields[2], "0123456789") != "" {
		return ErrMalformed
	}
	if cost := bcryptCost(encoded); cost < bcrypt.MinCost {
		return ErrMalformed
	} else if cost > MaxBcryptCost {
		return ErrExcessive
	}
	return nil
}

// bcryptCost reads the two digits after $2b$.
func bcryptCost(encoded string) int { return int(encoded[4]-'0')*10 + int(encoded[5]-'0') }
