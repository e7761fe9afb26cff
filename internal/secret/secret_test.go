package secret_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/secret"
)

func newRoot(t *testing.T) secret.Root {
	t.Helper()
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestRootRoundTrip(t *testing.T) {
	root := newRoot(t)
	text := root.Encode()
	urlSafe := strings.NewReplacer("+", "-", "/", "_").Replace(text)
	for _, spelling := range []string{text, strings.TrimRight(text, "="), urlSafe, " " + text + "\n"} {
		if got, err := secret.ParseRoot(spelling); err != nil || got != root {
			t.Errorf("%q: %v", spelling, err)
		}
	}
	for _, wrong := range []string{"", "c2hvcnQ=", strings.Repeat("A", 86), "not base64!", strings.Repeat("é", 43)} {
		if _, err := secret.ParseRoot(wrong); err == nil {
			t.Errorf("%q: accepted", wrong)
		}
	}
}

func TestKeysDifferByPurposeAndRoot(t *testing.T) {
	a, b := newRoot(t), newRoot(t)
	keys := [][]byte{a.Derive("one"), a.Derive("two"), b.Derive("one")}
	for i, key := range keys {
		if len(key) != 32 {
			t.Errorf("key %d has %d bytes", i, len(key))
		}
		for _, other := range keys[i+1:] {
			if bytes.Equal(key, other) {
				t.Error("two purposes or roots have one key")
			}
		}
	}
	again, err := secret.ParseRoot(a.Encode())
	if err != nil || !bytes.Equal(a.Derive("one"), again.Derive("one")) || a.Fingerprint() != again.Fingerprint() {
		t.Error("deriving twice gives two keys")
	}
	if a.Fingerprint() == b.Fingerprint() {
		t.Error("two roots have one fingerprint")
	}
}

func TestSealedOpensOnlyAsSealed(t *testing.T) {
	root, plain := newRoot(t), []byte("private key")
	sealed, err := root.Seal("keys", "kid-1", plain, rand.Reader)
	if err != nil || bytes.Contains(sealed, plain) {
		t.Fatalf("Seal: %x, %v", sealed, err)
	}
	if got, err := root.Open("keys", "kid-1", sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("Open: %q, %v", got, err)
	}
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	for what, open := range map[string]func() ([]byte, error){
		"another purpose": func() ([]byte, error) { return root.Open("cookies", "kid-1", sealed) },
		"another label":   func() ([]byte, error) { return root.Open("keys", "kid-2", sealed) },
		"another root":    func() ([]byte, error) { return newRoot(t).Open("keys", "kid-1", sealed) },
		"a flipped bit":   func() ([]byte, error) { return root.Open("keys", "kid-1", flipped) },
		"nothing":         func() ([]byte, error) { return root.Open("keys", "kid-1", nil) },
	} {
		if got, err := open(); !errors.Is(err, secret.ErrSealed) || got != nil {
			t.Errorf("%s: %q, %v; want ErrSealed", what, got, err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	root := newRoot(t)
	text := secret.Text("hunter2")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "root", root, "text", text)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		fmt.Fprintf(&log, format+format, root, text)
		fmt.Fprintf(&log, format, struct{ T secret.Text }{text})
	}
	if strings.Contains(log.String(), "hunter2") || strings.Contains(log.String(), root.Encode()[:20]) {
		t.Errorf("a secret was printed: %s", log.String())
	}
	if text.Reveal() != "hunter2" {
		t.Error("Reveal does not")
	}
}
