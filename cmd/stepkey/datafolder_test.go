package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestUnusableDataFolderStopsTheStart(t *testing.T) {
	t.Run("a file in its place", func(t *testing.T) {
		atHome(t)
		if err := os.WriteFile("data", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, "the data folder data cannot be created", "STEPKEY_DATA")
	})
	t.Run("secret that others can read", func(t *testing.T) {
		atHome(t)
		writeSecretFile(t, "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw=\n", 0o644)
		wantRefused(t, "chmod o-rwx data/secret")
	})
	t.Run("secret that is none", func(t *testing.T) {
		atHome(t)
		writeSecretFile(t, "", 0o600)
		wantRefused(t, "does not contain a secret", "backup")
	})
	t.Run("secret that is a pattern", func(t *testing.T) {
		atHome(t)
		writeSecretFile(t, "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=\n", 0o600)
		wantRefused(t, "data/secret can be guessed", "openssl rand -base64 32")
	})
	t.Run("database of another secret", func(t *testing.T) {
		atHome(t)
		t.Setenv("PORT", freePort(t))
		start(t).stop()
		if err := os.Remove("data/secret"); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, "another STEPKEY_SECRET")
	})
}

func writeSecretFile(t *testing.T, text string, mode os.FileMode) {
	t.Helper()
	if err := os.Mkdir("data", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("data", "secret"), []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// A volume in Kubernetes belongs to a group, so the group may have access; other users may not.
func TestSecretIsKeptFromOtherUsers(t *testing.T) {
	for mode, accepted := range map[os.FileMode]bool{
		0o600: true, 0o400: true, 0o640: true, 0o660: true, 0o670: true,
		0o604: false, 0o602: false, 0o601: false, 0o644: false, 0o666: false, 0o777: false,
	} {
		folder := t.TempDir()
		want, err := settings{Data: folder}.rootSecret()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, secretFile)
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		got, err := settings{Data: folder}.rootSecret()
		if accepted && (err != nil || got != want) {
			t.Errorf("mode %#o: %v, want the secret", mode, err)
		}
		if !accepted && (err == nil || !strings.Contains(err.Error(), "chmod o-rwx "+file)) {
			t.Errorf("mode %#o: %v, want a refusal that says how to change it", mode, err)
		}
	}
}

func TestOneSecretIsMade(t *testing.T) {
	folder := t.TempDir()
	secrets := make([]string, 8)
	var wg sync.WaitGroup
	for i := range secrets {
		wg.Go(func() {
			text, err := settings{Data: folder}.rootSecret()
			if err != nil {
				t.Error(err)
			}
			secrets[i] = text
		})
	}
	wg.Wait()
	for _, text := range secrets {
		if text == "" || text != secrets[0] {
			t.Fatal("processes that start at once have different secrets")
		}
	}
	left, err := filepath.Glob(filepath.Join(folder, ".secret-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("drafts are left behind: %v, %v", left, err)
	}
}
