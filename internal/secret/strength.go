package secret

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
)

// ErrPredictable is returned for a secret that can be guessed from its pattern.
var ErrPredictable = errors.New("secret: it can be guessed from its pattern")

// minBits is how many bits a secret of 32 bytes or more has to be worth by the measure of [bits].
//
// No generated secret comes near it. Among 300 000 random secrets of 32 characters the lowest were worth 67 bits in decimal
// digits, 90 in hex and 113 in base64, on average 104, 121 and 141. Each chance repetition takes about 10 bits, and a secret has
// one with a probability below 1 in 20 (hex), so that fewer than one hex secret in 10^7 is refused, and none to speak of in
// base64, raw bytes, or anything longer.
const minBits = 64

// minMatch is the length of a repeated string that counts. Shorter ones occur in random digits by chance.
const minMatch = 4

// known are strings that people type where a secret is asked for: rows of the keyboard, and the words of examples. A secret
// made of them alone has no entropy. Lower case.
var known = []byte("qwertyuiopasdfghjklzxcvbnm qwertzuiopasdfghjklyxcvbnm 1q2w3e4r5t6y7u8i9o0p 1qaz2wsx3edc4rfv " +
	"deadbeefcafebabe password passwort passw0rd passphrase admin administrator letmein welcome " +
	"your-secret-key your_secret_key yoursecretkey your-256-bit-secret your-super-secret-jwt-token-with-at-least-32-characters-long " +
	"supersecret super-secret super_secret topsecret top-secret my-secret mysecret my_secret secretkey secret-key secret_key " +
	"change-me change_me changeme change-this changethis replace-me replaceme replace-with placeholder insert-here " +
	"please-change-me-in-production development production example sample default stepkey passkey test-secret testsecret " +
	"jwt_secret jwt-secret jwtsecret this-is-a-secret thisisasecret this is a secret thel@stflyd0g " +
	"random-string ")

// CheckPredictable returns ErrPredictable for a secret of 32 bytes or more without entropy: one letter again and again, a short
// pattern, a sequence, a keyboard row, the words of an example. It cannot tell a random secret from a text that a person made up.
func CheckPredictable(text []byte) error {
	lower := make([]byte, len(text)) // bytes.ToLower takes bytes for UTF-8
	for i, b := range text {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		lower[i] = b
	}
	if min(bits(lower), bits(steps(lower))) < minBits {
		return ErrPredictable
	}
	return nil
}

// IsUniform reports whether text is one byte again and again.
func IsUniform(text []byte) bool { return bytes.Count(text, text[:min(1, len(text))]) >= len(text) }

// steps returns the first byte of text and the differences after it. In them 12345678 is one byte again and again, and 00112233 a
// short pattern.
func steps(text []byte) []byte {
	differences := bytes.Clone(text)
	for i := 1; i < len(text); i++ {
		differences[i] = text[i] - text[i-1]
	}
	return differences
}

// bits estimates how much of text cannot be told from its other parts. It counts the pieces that text is made of: a string of
// minMatch or more bytes that stands earlier in text, or in known, is one piece. Every other byte is a piece. Each is worth one
// choice among the different bytes there are.
func bits(text []byte) float64 {
	pieces, different := 0, map[byte]bool{}
	for at := 0; at < len(text); pieces++ {
		length := max(match(text, at), 1)
		for _, b := range text[at : at+length] {
			different[b] = true
		}
		at += length
	}
	if len(different) == 0 {
		return 0
	}
	return float64(pieces) * math.Log2(float64(len(different)))
}

// match returns the length of the longest string at this position that known or text has before it, or 0 if that is too short.
func match(text []byte, at int) int {
	length := minMatch
	for at+length <= len(text) {
		// A string may overlap itself: abcabcabc is abc and one piece.
		if wanted := text[at : at+length]; !bytes.Contains(known, wanted) && !bytes.Contains(text[:at+length-1], wanted) {
			break
		}
		length++
	}
	if length == minMatch {
		return 0
	}
	return length - 1
}

// Same reports whether two settings are one secret, also where one of them is written in base64 or hex.
func Same(a, b string) bool {
	for _, one := range readings(a) {
		for _, other := range readings(b) {
			if len(one) > 0 && bytes.Equal(one, other) {
				return true
			}
		}
	}
	return false
}

// readings returns the bytes that text may stand for.
func readings(text string) [][]byte {
	text = strings.TrimSpace(text)
	list := [][]byte{[]byte(text)}
	for _, decode := range []func(string) ([]byte, error){decodeBase64, hex.DecodeString} {
		// Shorter texts are words that happen to be base64, and two of them can be the same bytes.
		if raw, err := decode(text); err == nil && len(raw) >= RootBytes/2 {
			list = append(list, raw)
		}
	}
	return list
}
