package stepkey

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/password"
)

// The wait of a failed login depends on the costliest kind of hash met so far, and is the same
// for all accounts.
func TestFailureDelay(t *testing.T) {
	const rest, floor = "$c2FsdHNhbHRzYWx0c2FsdA$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", password.MinFailureFloor
	const today, bcrypt12 = "$argon2id$v=19$m=19456,t=2,p=1" + rest, "$2b$12$abcdefghijklmnopqrstuuE3j5FFjC71WyDL2KIK7ShSoj8tPD3m6"
	hasher, err := password.New(password.DefaultParams(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for kind, hash := range map[string]string{
		"bcrypt":          bcrypt12,
		"cheaper argon2":  "$argon2id$v=19$m=8192,t=1,p=1" + rest,
		"costlier argon2": "$argon2id$v=19$m=65536,t=3,p=4" + rest,
		"pbkdf2":          "$pbkdf2-sha256$i=600000" + rest,
		"scrypt":          "$scrypt$ln=15,r=8,p=1" + rest,
	} {
		s := &Service{hasher: hasher}
		delay := func(hash string, took time.Duration) time.Duration {
			return s.failureDelay(User{PasswordHash: hash}, took)
		}
		for _, known := range []string{today, hasher.Decoy()} {
			if got := delay(known, 0); got != 0 {
				t.Errorf("%s: %s before one was met, want none", kind, got)
			}
		}
		if got := delay(hash, 300*time.Millisecond); got != floor-300*time.Millisecond {
			t.Errorf("%s: %s, want what is left of %s", kind, got, floor)
		}
		for _, known := range []string{today, hasher.Decoy()} {
			if got := delay(known, 30*time.Millisecond); got != floor-30*time.Millisecond {
				t.Errorf("hash of today, or unknown name, beside %s: %s, want what is left of %s", kind, got, floor)
			}
		}
		if got := delay(hash, time.Second); got != 0 {
			t.Errorf("%s after a second: %s, want none", kind, got)
		}

		// One that takes longer slows down all failures from then on, not only its own.
		bcrypt13 := strings.Replace(bcrypt12, "$12$", "$13$", 1)
		for _, hash := range []string{bcrypt13, today, hash} {
			if got := delay(hash, 0); got != time.Second {
				t.Errorf("%s after a slow one: %s, want a second", hash, got)
			}
		}
	}
}
