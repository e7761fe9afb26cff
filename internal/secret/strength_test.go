package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/secret"
)

func sequence(n, step int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte(i * step)
	}
	return string(text)
}

func TestPredictableSecrets(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("s", 32), strings.Repeat("\x00", 32), strings.Repeat("\xff", 64), strings.Repeat(" ", 300),
		strings.Repeat("ab", 16), strings.Repeat("abc", 11), strings.Repeat("secret", 6), strings.Repeat("password", 4),
		strings.Repeat("Hx7!q", 8), strings.Repeat("0f", 32), strings.Repeat("k3J9xQ2m", 8), strings.Repeat("9f86d081884c7d65", 2),
		"0123456789abcdef0123456789abcdef", "01234567890123456789012345678901", "abcdefghijklmnopqrstuvwxyz012345",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef", "98765432109876543210987654321098", "zyxwvutsrqponmlkjihgfedcba9876543210",
		"00112233445566778899aabbccddeeff", "11111111222222223333333344444444", "aaaaaaaabbbbbbbbccccccccdddddddd",
		"qwertyuiopasdfghjklzxcvbnm123456", "1q2w3e4r5t6y7u8i9o0p1q2w3e4r5t6y", "QWERTYUIOPASDFGHJKLZXCVBNMqwertyuiop",
		"change-me-change-me-change-me-32", "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME", "changeme-changeme-changeme-change",
		"your-256-bit-secret-your-256-bit-secret", "your-super-secret-jwt-token-with-at-least-32-characters-long",
		"supersecretsupersecretsupersecret", "super-secret-key-change-me-in-production", "this-is-a-secret-this-is-a-secret",
		"deadbeefdeadbeefdeadbeefdeadbeef", "please-change-me-in-production-1234", "passwordpasswordpasswordpassword1!",
		sequence(32, 1), sequence(32, 2), sequence(32, 17), sequence(32, 255),
		strings.Repeat("\x00", 31) + "\x01", strings.Repeat("a", 31) + "b", "0110100110010110011010011001011001101001",
	} {
		if err := secret.CheckPredictable([]byte(text)); !errors.Is(err, secret.ErrPredictable) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The bound of minBits is far below what a generator makes.
func TestGeneratedSecretsPass(t *testing.T) {
	random := mathrand.NewChaCha8([32]byte{13})
	draw := func(n int) []byte {
		raw := make([]byte, n)
		_, _ = random.Read(raw)
		return raw
	}
	const letters = "abcdefghijklmnopqrstuvwxyz"
	for range 4_000 {
		lower := draw(32)
		for i := range lower {
			lower[i] = letters[int(lower[i])%len(letters)]
		}
		for _, text := range []string{
			string(draw(32)), string(draw(64)), base64.StdEncoding.EncodeToString(draw(32)), base64.RawURLEncoding.EncodeToString(draw(24)),
			hex.EncodeToString(draw(16)), strings.ToUpper(hex.EncodeToString(draw(32))), string(lower),
			fmt.Sprintf("%x-%x-%x-%x-%x", draw(4), draw(2), draw(2), draw(2), draw(6)),
		} {
			if err := secret.CheckPredictable([]byte(text)); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
	}
	for _, words := range []string{"correct horse battery staple on a hill", "a shared secret for the tests of the page", "a secret of thirty-two bytes or more"} {
		if err := secret.CheckPredictable([]byte(words)); err != nil {
			t.Errorf("%q: %v", words, err)
		}
	}
}

func TestUniform(t *testing.T) {
	for text, want := range map[string]bool{"": true, "a": true, "aaaa": true, "\x00\x00": true, "aaab": false, "baaa": false, "abab": false} {
		if got := secret.IsUniform([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestPredictableRoots(t *testing.T) {
	for _, raw := range [][]byte{
		make([]byte, 32), bytes.Repeat([]byte{0xff}, 32), []byte(strings.Repeat("s", 32)), []byte(strings.Repeat("secret", 6)[:32]),
		[]byte(sequence(32, 1)), []byte("0123456789abcdef0123456789abcdef"), []byte("change-me-change-me-change-me-32"),
	} {
		for _, text := range []string{base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw)} {
			if _, err := secret.ParseRoot(text); !errors.Is(err, secret.ErrPredictable) {
				t.Errorf("%q: %v", raw, err)
			}
		}
	}
	// A text can be predictable although the bytes that it encodes are not.
	for _, text := range []string{strings.Repeat("passwor", 6) + "p", strings.Repeat("changeme", 5) + "cha", strings.Repeat("A", 43), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"} {
		if _, err := secret.ParseRoot(text); !errors.Is(err, secret.ErrPredictable) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOneSecretForTwoPurposes(t *testing.T) {
	raw := []byte("\x9f\x86\xd0\x81\x88\x4c\x7d\x65\x9a\x2f\xea\xa0\xc5\x5a\xd0\x15\xa3\xbf\x4f\x1b\x2b\x0b\x82\x2c\xd1\x5d\x6c\x15\xb0\xf0\x0a\x08")
	padded, url, digits := base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw), hex.EncodeToString(raw)
	for _, pair := range [][2]string{{"hunter2", "hunter2"}, {padded, url}, {padded, digits}, {padded, " " + padded + "\n"}, {string(raw), url}} {
		if !secret.Same(pair[0], pair[1]) || !secret.Same(pair[1], pair[0]) {
			t.Errorf("%q and %q are two secrets", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"", ""}, {"", "x"}, {"hunter2", "hunter3"}, {padded, padded[:42]}} {
		if secret.Same(pair[0], pair[1]) {
			t.Errorf("%q and %q are one secret", pair[0], pair[1])
		}
	}
}
