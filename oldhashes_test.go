package stepkey_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/patience"
)

// costlyHash is one of argon2id that takes four times what one of today does.
const (
	saltAndKey = "$c2FsdHNhbHRzYWx0c2FsdA$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
	costlyHash = "$argon2id$v=19$m=65536,t=3,p=1" + saltAndKey
)

func (f *fixture) wantFloor(what string, s *stepkey.Service, want time.Duration) {
	f.Helper()
	if got := stepkey.FailureFloor(s); got != want {
		f.Errorf("%s: a failed login takes at least %s, want %s", what, got, want)
	}
}

// wantFloorSoon waits until a service that runs has noticed.
func (f *fixture) wantFloorSoon(what string, s *stepkey.Service, want time.Duration) {
	f.Helper()
	for deadline := time.Now().Add(patience.Long); stepkey.FailureFloor(s) < want && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	f.wantFloor(what, s, want)
}

// importing adds a user with that hash through a service.
func (f *fixture) importing(s *stepkey.Service, name, hash string) {
	f.Helper()
	u := comer(name)
	u.PasswordHash = hash
	results, err := s.Admin().NewImporter(false).Import(f.Context(), []stepkey.PortableUser{u})
	if err != nil || results[0].Status != stepkey.ImportAdded {
		f.Fatalf("import: %+v, %v", results, err)
	}
}

func TestImportRaisesTheFloorEverywhere(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		here := f.newService(f.config())
		there, err := stepkey.NewLookingOften(f.Context(), f.config())
		if err != nil {
			f.Fatal(err)
		}
		ctx, cancel := context.WithCancel(f.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); there.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		f.wantFloor("hashes of today alone", here, 0)

		f.importing(here, "noor", costlyHash)
		f.wantFloor("the importing instance", here, 500*time.Millisecond)
		f.wantFloorSoon("a running instance", there, 500*time.Millisecond)
		f.importing(here, "otto", strings.Replace(costlyHash, "m=65536,t=3", "m=65536,t=8", 1))
		f.wantFloorSoon("a running instance, after a costlier one", there, time.Second)
		f.wantFloor("an instance that starts", f.newService(f.config()), time.Second)

		// As these users sign in, or set a new password, the next start finds nothing.
		f.exec(`UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE canonical_name = 'mira')`)
		f.wantFloor("an instance that starts afterwards", f.newService(f.config()), 0)
	})
}

// A hash from before the ceilings were lowered is answered like a wrong password, and the
// operator is told. The user gets in with a new password.
func TestStoredHashBeyondTheCeilings(t *testing.T) {
	onBoth(t, func(f *fixture) {
		for _, hash := range []string{
			"$argon2id$v=19$m=262144,t=10,p=1" + saltAndKey, "$2b$15$abcdefghijklmnopqrstuuE3j5FFjC71WyDL2KIK7ShSoj8tPD3m6", "no hash at all",
		} {
			var log bytes.Buffer
			config := f.config()
			config.Log = slog.New(slog.NewTextHandler(&log, nil))
			name := fmt.Sprintf("user%d", len(hash))
			f.signUp(name)
			claims := f.logIn(name)
			f.exec(`UPDATE users SET password_hash = $1 WHERE canonical_name = $2`, hash, name)
			service := f.newService(config)
			if !strings.Contains(log.String(), "need a new password") {
				f.Errorf("the log at start: %q", log.String())
			}
			log.Reset()
			_, err := service.LogIn(f.Context(), stepkey.LogInRequest{Username: name, Password: password})
			wantError(f.TB, "sign in", err, stepkey.ErrInvalidCredentials)
			if !strings.Contains(log.String(), claims.Claims().Subject) || strings.Contains(log.String(), hash) {
				f.Errorf("the log of the sign-in: %q", log.String())
			}
			current := password
			_, err = service.ChangePassword(f.Context(), claims, stepkey.ChangePasswordRequest{Current: &current, New: newPassword})
			wantError(f.TB, "change", err, stepkey.ErrWrongPassword)
			f.exec(`DELETE FROM events`)
			f.exec(`DELETE FROM sessions`)
			f.exec(`DELETE FROM users`)
		}
	})
}
