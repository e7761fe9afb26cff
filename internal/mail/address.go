package mail

import (
	"errors"
	"strings"
)

// MaxAddress is the maximum length of an address: the path of RFC 5321 §4.5.3.1.3
// without its brackets.
const MaxAddress = 254

const (
	maxLocal = 64 // RFC 5321 §4.5.3.1.1
	maxLabel = 63 // RFC 1035 §2.3.4
)

// ErrAddress is returned by CheckAddress.
var ErrAddress = errors.New("mail: not an address")

// CheckAddress returns nil for one plain address, as in RFC 5321: a dot-string, @, and
// a domain name of at least two labels, all in ASCII. Quoted names, comments, address
// literals, groups, display names and lists are valid elsewhere but refused here,
// because they can hide a second recipient or another header. It is called before any
// library sees an address.
func CheckAddress(address string) error {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || len(address) > MaxAddress || len(local) > maxLocal {
		return ErrAddress
	}
	for _, atom := range strings.Split(local, ".") {
		if atom == "" || strings.ContainsFunc(atom, notAtext) {
			return ErrAddress
		}
	}
	labels := strings.Split(domain, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return ErrAddress
		}
	}
	// A domain whose last label has no letter is an IP address.
	if len(labels) < 2 || !strings.ContainsFunc(labels[len(labels)-1], isLetter) {
		return ErrAddress
	}
	return nil
}

// notAtext reports whether r is not allowed in an atom (RFC 5322 §3.2.3).
func notAtext(r rune) bool {
	return !isLetter(r) && !isDigit(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

func isLabel(label string) bool {
	if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(label, func(r rune) bool { return !isLetter(r) && !isDigit(r) && r != '-' })
}

func isLetter(r rune) bool { return (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') }
func isDigit(r rune) bool  { return r >= '0' && r <= '9' }
