package password

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Why [Policy.Check] refuses a password.
var (
	ErrTooShort         = errors.New("password: too short")
	ErrTooLong          = errors.New("password: too long")
	ErrCommon           = errors.New("password: too common")
	ErrContainsUsername = errors.New("password: little more than the user name or the name of the service")
)

const (
	// DefaultMinLength is the shortest password taken where nothing else is set: what
	// NIST SP 800-63B-4 §3.1.1.2 asks for where there is a second factor. Where the
	// password may be the only one it asks for 15.
	DefaultMinLength = 8

	// MaxBytes is the longest password taken. It bounds the work before the
	// hash and is far beyond the 64 characters that have to be allowed (NIST
	// SP 800-63B-4 §3.1.1.2). A longer password is refused, never cut.
	MaxBytes = 1024

	// substance is how many bytes have to be left of a password when what an
	// attacker gets for nothing is taken out of it.
	substance = 8

	// minName is the shortest name looked for in a password. Shorter ones are in
	// ordinary words by chance.
	minName = 3
)

// Policy says which passwords are taken when one is set. The zero value is the
// default policy.
type Policy struct {
	// MinLength is the shortest password taken, in code points of its NFKC form,
	// which is what gets hashed. Zero means DefaultMinLength.
	MinLength int

	// Service is the name of the service, which who guesses tries first.
	Service string
}

// Check returns nil if password may be set by the user named username, and
// otherwise the first of these that holds:
//
//   - [ErrTooLong]: over 1024 bytes as received.
//   - [ErrTooShort]: under MinLength.
//   - [ErrContainsUsername]: with the user name, or with the name of the service,
//     taken out, fewer than 8 bytes are left.
//   - [ErrCommon]: in the embedded list of common passwords, or so once a
//     beginning that repeats is written a single time ("passwordpassword1",
//     "aaaaaaaaaa", "abcabcabc").
//
// Case and compatibility forms of letters make no difference to the last two.
// The list is compared with the whole password and never with a part of it, as
// NIST SP 800-63B-4 §3.1.1.2 wants.
func (p Policy) Check(password, username string) error {
	if len(password) > MaxBytes {
		return ErrTooLong
	}
	if utf8.RuneCountInString(Normal(password)) < p.minLength() {
		return ErrTooShort
	}
	folded := fold(password)
	if isLittleMoreThan(folded, username) || isLittleMoreThan(folded, p.Service) {
		return ErrContainsUsername
	}
	if isCommon(folded) || isRepetitionOfCommon(folded) {
		return ErrCommon
	}
	return nil
}

// Normal returns the form of a password that gets hashed, which is NFKC.
func Normal(password string) string { return norm.NFKC.String(password) }

func (p Policy) minLength() int {
	if p.MinLength == 0 {
		return DefaultMinLength
	}
	return p.MinLength
}

func isLittleMoreThan(folded, name string) bool {
	name = fold(strings.TrimSpace(name))
	return utf8.RuneCountInString(name) >= minName && strings.Contains(folded, name) &&
		len(strings.ReplaceAll(folded, name, "")) < substance
}

// fold brings the spellings of a text that look or sound alike to one: NFKC,
// case folding, and NFKC again because folding can undo it.
func fold(s string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
}

// isRepetitionOfCommon tries every beginning that repeats over at least
// substance bytes, with what is left when it is written once. Longer units than
// the longest common password leave too much to be in the list.
func isRepetitionOfCommon(folded string) bool {
	for length := 1; length <= maxCommonBytes && 2*length <= len(folded); length++ {
		unit, rest := folded[:length], folded
		for strings.HasPrefix(rest, unit) {
			rest = rest[length:]
		}
		repeated := len(folded) - len(rest)
		if repeated < 2*length || repeated < substance {
			continue
		}
		if once := unit + rest; len(once) < substance || isCommon(once) {
			return true
		}
	}
	return false
}
