package password

import (
	"errors"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	// bcryptLength is the length of every bcrypt hash: $2b$12$, 22 characters
	// of salt, 31 of key.
	bcryptLength = 60

	// bcryptPasswordBytes is how much of a password bcrypt looks at. Node's
	// bcrypt ignores the rest without a word, so a user of the original may
	// have a longer one and has to get in with it; the remade hash covers all
	// of it.
	bcryptPasswordBytes = 72

	bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// verifyBcrypt checks password, byte for byte as received, against a bcrypt
// hash.
//
// $2b$ is what the original writes, $2a$ what older versions of its library
// did, and $2y$ is another name of $2b$ that PHP and htpasswd use: the same
// computation, so it is accepted. $2x$ marks hashes of a broken implementation
// and $2$ an early one that left out the closing NUL; neither is.
//
// A NUL inside the password is a byte like another, as in the original's
// library from version 5.0.0 on.
func verifyBcrypt(encoded, password string) (bool, error) {
	if err := checkBcrypt(encoded); err != nil {
		return false, err
	}
	if len(password) > bcryptPasswordBytes {
		password = password[:bcryptPasswordBytes]
	}
	err := bcrypt.CompareHashAndPassword([]byte(encoded), []byte(password))
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	if err != nil {
		return false, ErrMalformed
	}
	return true, nil
}

// checkBcrypt refuses what the library would settle in its own way: it takes
// any letter for the version and computes costs up to 31, which is days. Costs
// under 4 it refuses itself.
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
	cost := int(fields[2][0]-'0')*10 + int(fields[2][1]-'0')
	if cost > MaxBcryptCost {
		return ErrExcessive
	}
	return nil
}
