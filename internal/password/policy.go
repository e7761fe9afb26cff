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
	// DefaultMinLength is the default minimum length: NIST SP 800-63B-4 §3.1.1.2
	// requires it if there is a second factor, and 15 if the password may be the only
	// factor.
	DefaultMinLength = 8

	// MaxBytes is the maximum length of a password. It bounds the work before the
	// hash and is far beyond the 64 characters that must be allowed (NIST SP
	// 800-63B-4 §3.1.1.2). A longer password is refused, never truncated.
	MaxBytes = 1024

	// substance is how many bytes of a password must remain after removing the
	// parts that an attacker can guess for free.
	substance = 8

	// minName is the shortest name that is searched for in a password. Shorter
	// ones occur in ordinary words by chance.
	minName = 3
)

// Policy decides which new passwords are accepted. The zero value is the
// default policy.
type Policy struct {
	// MinLength is the minimum length, in code points of the NFKC form, which is
	// the form that is hashed. Zero means DefaultMinLength.
	MinLength int

	// Service is the name of the service, which guessers try first.
	Service string
}

// Check returns nil if the user named username may set password, and otherwise
// the first of these errors that applies:
//
//   - [ErrTooLong]: over 1024 bytes as received.
//   - [ErrTooShort]: under MinLength.
//   - [ErrContainsUsername]: fewer than 8 bytes remain without the user name or
//     without the name of the service.
//   - [ErrCommon]: it is in the embedded list of common passwords, or it would
//     be if a repeated beginning were written only once ("passwordpassword1",
//     "aaaaaaaaaa", "abcabcabc").
//
// The last two ignore case and compatibility forms of letters. The list is
// compared with the whole password and never with a part of it, as NIST SP
// 800-63B-4 §3.1.1.2 requires.
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

// Normal returns the form of a password that is hashed, which is NFKC.
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

// fold maps spellings of a text that look or sound alike to one form: NFKC,
// case folding, and NFKC again because folding can undo it.
func fold(s string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
}

// isRepetitionOfCommon tries every beginning that repeats over at least
// substance bytes, and looks up the text in which it is written only once.
// Units longer than the longest common password leave too much text to be in
// the list.
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
