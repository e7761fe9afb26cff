package stepkey

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stepkey/stepkey/internal/aaguid"
	"github.com/stepkey/stepkey/internal/ceremony"
)

// MaxPasskeys is how many passkeys a user may have.
const MaxPasskeys = 20

// MaxPasskeyName is how many characters a passkey's name may have.
const MaxPasskeyName = 64

// passkeyName makes a name of what a client sent along: control and invisible
// formatting characters dropped, white space trimmed, at most MaxPasskeyName
// characters. Nothing may be left.
func passkeyName(sent string) (string, error) {
	if !utf8.ValidString(sent) {
		return "", ErrInvalidRequest
	}
	name := visible(sent)
	if utf8.RuneCountInString(name) > MaxPasskeyName {
		return "", ErrInvalidRequest
	}
	return name, nil
}

const (
	// unnamed is what a passkey is called of which nothing is known.
	unnamed = "Passkey"

	securityKey = "Security key"
)

// defaultName is what a new passkey is called that its owner gave no name: after its
// provider, which people recognise, else after what it is plugged into or held to; else
// after the browser and system of the session, on which most are made.
func defaultName(c ceremony.Credential, device string) string {
	onKey := slices.Contains(c.Transports, "usb") || slices.Contains(c.Transports, "nfc")
	switch provider := aaguid.Name(c.AAGUID); {
	case provider != "":
		return provider
	case onKey:
		return securityKey
	case device != "" && device != UnknownDevice:
		return device
	default:
		return unnamed
	}
}

// numbered is name, or name and the smallest number from 2 on that makes it differ from
// those of taken: three passkeys that are all called alike cannot be told apart.
func numbered(name string, taken []Passkey) string {
	isTaken := func(name string) bool {
		return slices.ContainsFunc(taken, func(p Passkey) bool { return p.Name == name })
	}
	candidate := name
	for n := 2; isTaken(candidate); n++ {
		suffix := " " + strconv.Itoa(n)
		short := []rune(name)
		short = short[:min(len(short), MaxPasskeyName-len(suffix))]
		candidate = strings.TrimSpace(string(short)) + suffix
	}
	return candidate
}

// Provider is the name of a passkey's provider, or empty if it is not known. Nothing
// vouches for it; see package internal/aaguid.
func Provider(p Passkey) string { return aaguid.Name(p.Credential.AAGUID) }

// visible is a text without control and invisible formatting characters, trimmed.
func visible(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text))
}

// waits says when the first of passkeys, all of which wait, can be used.
func waits(passkeys []Passkey) error {
	first := slices.MinFunc(passkeys, func(p, q Passkey) int { return p.UsableFrom.Compare(*q.UsableFrom) })
	return &PasskeyWaitsError{Until: *first.UsableFrom}
}

// usable are the passkeys that do not wait.
func usable(passkeys []Passkey, now time.Time) []Passkey {
	return slices.DeleteFunc(slices.Clone(passkeys), func(p Passkey) bool { return p.Waits(now) })
}

func credentials(passkeys []Passkey) []ceremony.Credential {
	list := make([]ceremony.Credential, len(passkeys))
	for i, p := range passkeys {
		list[i] = p.Credential
	}
	return list
}

func findPasskey(passkeys []Passkey, credentialID []byte) (Passkey, bool) {
	for _, p := range passkeys {
		if string(p.Credential.ID) == string(credentialID) {
			return p, true
		}
	}
	return Passkey{}, false
}
