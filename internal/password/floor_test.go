package password_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stepkey/stepkey/internal/password"
)

const (
	saltAndKey = "$c2FsdHNhbHRzYWx0c2FsdA$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
	today      = "$argon2id$v=19$m=19456,t=2,p=1" + saltAndKey
	bcrypt12   = "$2b$12$abcdefghijklmnopqrstuuE3j5FFjC71WyDL2KIK7ShSoj8tPD3m6"
)

// The wait of a failed login depends on the costliest kind of hash met so far, and is the same
// for all accounts.
func TestFailureDelay(t *testing.T) {
	const floor = password.MinFailureFloor
	for _, test := range []struct{ kind, hash string }{
		{"bcrypt", bcrypt12},
		{"cheaper argon2", "$argon2id$v=19$m=8192,t=1,p=1" + saltAndKey},
		{"costlier argon2", "$argon2id$v=19$m=65536,t=3,p=4" + saltAndKey},
		{"pbkdf2", "$pbkdf2-sha256$i=600000" + saltAndKey},
		{"scrypt", "$scrypt$ln=15,r=8,p=1" + saltAndKey},
	} {
		t.Run(test.kind, func(t *testing.T) {
			k, _ := newKeeper(t, password.KeeperConfig{Params: password.DefaultParams()})
			for _, known := range []string{today, k.Decoy()} {
				if got := password.FailureDelay(k, known, 0); got != 0 {
					t.Errorf("%s before one was met, want none", got)
				}
			}
			if got := password.FailureDelay(k, test.hash, 300*time.Millisecond); got != floor-300*time.Millisecond {
				t.Errorf("%s, want what is left of %s", got, floor)
			}
			for _, known := range []string{today, k.Decoy()} {
				if got := password.FailureDelay(k, known, 30*time.Millisecond); got != floor-30*time.Millisecond {
					t.Errorf("hash of today, or unknown name, beside it: %s, want what is left of %s", got, floor)
				}
			}
			if got := password.FailureDelay(k, test.hash, time.Second); got != 0 {
				t.Errorf("after a second: %s, want none", got)
			}

			// One that takes longer slows down all failures from then on, not only its own.
			bcrypt13 := strings.Replace(bcrypt12, "$12$", "$13$", 1)
			for _, hash := range []string{bcrypt13, today, test.hash} {
				if got := password.FailureDelay(k, hash, 0); got != time.Second {
					t.Errorf("%s after a slow one: %s, want a second", hash, got)
				}
			}
		})
	}
}

func TestDelayFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _ := newKeeper(t, password.KeeperConfig{Params: password.DefaultParams()})
		began := time.Now()
		time.Sleep(100 * time.Millisecond)
		k.DelayFailure(t.Context(), today, began)
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("with hashes of today alone: %s, want no delay", took)
		}
		k.Imported(bcrypt12)
		k.DelayFailure(t.Context(), today, began)
		if took := time.Since(began); took != password.MinFailureFloor {
			t.Errorf("after an import: %s, want %s", took, password.MinFailureFloor)
		}
		began = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		k.DelayFailure(ctx, today, began)
		if took := time.Since(began); took != 200*time.Millisecond {
			t.Errorf("when the client leaves: %s, want 200ms", took)
		}
	})
}
