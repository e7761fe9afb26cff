package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stepkey/stepkey/internal/secret"
)

const secretFile = "secret"

// openDataFolder creates the folder if there is none, for its owner only, and
// checks that it can be used.
func openDataFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("the data folder %s cannot be created: create it, or set STEPKEY_DATA to another: %w", folder, err)
	}
	probe, err := os.CreateTemp(folder, ".probe-*")
	if err != nil {
		return fmt.Errorf("the data folder %s cannot be written: give it to the user who runs stepkey, "+
			"or set STEPKEY_DATA to another: %w", folder, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// rootSecret returns the configured secret, or the one in the data folder, which
// it generates on first use.
func (s settings) rootSecret() (string, error) {
	if s.Secret != "" {
		_, err := secret.ParseRoot(s.Secret.Reveal())
		if errors.Is(err, secret.ErrPredictable) {
			return "", fmt.Errorf(errNotRandom, "STEPKEY_SECRET")
		}
		if err != nil {
			return "", errors.New("STEPKEY_SECRET is not 32 bytes in base64: make one with openssl rand -base64 32")
		}
		return s.Secret.Reveal(), nil
	}
	path := filepath.Join(s.Data, secretFile)
	text, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	if err := makeSecret(path); err != nil {
		return "", fmt.Errorf("the secret cannot be written: %w", err)
	}
	// If several processes start at once, one of them has created the file, and
	// all read it.
	return readSecret(path)
}

func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	// Group access is allowed: Kubernetes gives every file of a volume to the group in fsGroup, and OpenShift
	// runs each container as a separate user in group 0.
	if info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("the secret in %s is accessible to all users: run chmod o-rwx %s", path, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("the secret in %s cannot be read: %w", path, err)
	}
	_, err = secret.ParseRoot(string(text))
	if errors.Is(err, secret.ErrPredictable) {
		return "", fmt.Errorf(errNotRandom, "the secret in "+path)
	}
	if err != nil {
		return "", fmt.Errorf("the file %s does not contain a secret: restore it from a backup", path)
	}
	return strings.TrimSpace(string(text)), nil
}

// makeSecret writes a new secret to a temporary file and links it to path, so
// that path never holds half a secret and the first of several processes wins.
func makeSecret(path string) error {
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	_, err = draft.WriteString(root.Encode() + "\n")
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
