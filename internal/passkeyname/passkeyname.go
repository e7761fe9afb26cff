// Package passkeyname decides what passkeys are called.
package passkeyname

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stepkey/stepkey/internal/aaguid"
	"github.com/stepkey/stepkey/storage"
)

// MaxLength is how many characters a name may have.
const MaxLength = 64

const (
	// unnamed is the name of a passkey about which nothing is known.
	unnamed = "Passkey"

	securityKey = "Security key"
)

// Clean returns the name that a client sent without control and invisible formatting
// characters, trimmed. The name may be empty. It reports false for a text that is no UTF-8 or
// longer than MaxLength.
func Clean(sent string) (name string, ok bool) {
	if !utf8.ValidString(sent) {
		return "", false
	}
	name = withoutInvisible(sent)
	if utf8.RuneCountInString(name) > MaxLength {
		return "", false
	}
	return name, true
}

// Imported returns a name for a passkey that was called sent elsewhere. A name is no reason to
// refuse a passkey: a long one is cut.
func Imported(sent string) string {
	if name := Shown(sent, MaxLength); name != "" {
		return name
	}
	return unnamed
}

// Shown returns any text in a form that can be stored and shown: valid UTF-8 without control and
// invisible formatting characters, trimmed, and cut to limit characters.
func Shown(text string, limit int) string {
	shown := []rune(withoutInvisible(strings.ToValidUTF8(text, "")))
	return withoutInvisible(string(shown[:min(len(shown), limit)]))
}

// Default returns the name of a new passkey to which its owner gave none: its provider, which
// people recognise, or else the kind of authenticator if it can be plugged in or held to a
// reader, or else device, which describes the browser and system of the session.
func Default(c storage.Credential, device string) string {
	onKey := slices.Contains(c.Transports, "usb") || slices.Contains(c.Transports, "nfc")
	switch provider := aaguid.Name(c.AAGUID); {
	case provider != "":
		return provider
	case onKey:
		return securityKey
	case device != "" && device != storage.UnknownDevice:
		return device
	default:
		return unnamed
	}
}

// Distinct returns name, with the smallest number from 2 on that makes it differ from the names
// of taken if one of those has it. The result is not longer than MaxLength.
func Distinct(name string, taken []storage.Passkey) string {
	isTaken := func(name string) bool {
		return slices.ContainsFunc(taken, func(p storage.Passkey) bool { return p.Name == name })
	}
	candidate := name
	for n := 2; isTaken(candidate); n++ {
		suffix := " " + strconv.Itoa(n)
		short := []rune(name)
		short = short[:min(len(short), MaxLength-len(suffix))]
		candidate = strings.TrimSpace(string(short)) + suffix
	}
	return candidate
}

// withoutInvisible returns a text without control and invisible formatting characters, trimmed. A joiner that
// stands between two emoji is what makes them one, and stays (Unicode Technical Standard 51, ED-16).
func withoutInvisible(text string) string {
	runes := []rune(text)
	var kept []rune
	for i, r := range runes {
		joins := r == zeroWidthJoiner && len(kept) > 0 && endsEmoji(kept[len(kept)-1]) && i+1 < len(runes) && unicode.Is(unicode.So, runes[i+1])
		if joins || !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r) {
			kept = append(kept, r)
		}
	}
	return strings.TrimSpace(string(kept))
}

const (
	zeroWidthJoiner   = '\u200d'
	emojiPresentation = '\ufe0f'
)

// endsEmoji reports whether an emoji can end with r: a symbol, a tone of skin, or the sign that asks for
// the colourful form.
func endsEmoji(r rune) bool {
	return unicode.Is(unicode.So, r) || unicode.Is(unicode.Sk, r) || r == emojiPresentation
}
