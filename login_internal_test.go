package stepkey

import (
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/password"
)

func TestFailureDelay(t *testing.T) {
	const argon2id, bcrypt = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", "$2b$12$abcdefghijklmnopqrstuv"
	const failureFloor = password.MinLegacyFloor
	s := &Service{}
	if got := s.failureDelay(User{PasswordHash: argon2id}, 0); got != 0 {
		t.Errorf("without old hashes: %s, want none", got)
	}
	if got := s.failureDelay(User{PasswordHash: bcrypt}, 300*time.Millisecond); got != failureFloor-300*time.Millisecond {
		t.Errorf("old hash: %s, want what is left of %s", got, failureFloor)
	}
	if got := s.failureDelay(User{PasswordHash: argon2id}, 30*time.Millisecond); got != failureFloor-30*time.Millisecond {
		t.Errorf("new hash, or unknown name, beside old ones: %s, want what is left of %s", got, failureFloor)
	}
	if got := s.failureDelay(User{PasswordHash: bcrypt}, time.Second); got != 0 {
		t.Errorf("after a second: %s, want none", got)
	}

	// One that takes longer slows down all failures from then on, not only its own.
	const bcrypt13 = "$2b$13$abcdefghijklmnopqrstuuE3j5FFjC71WyDL2KIK7ShSoj8tPD3m6"
	for _, hash := range []string{bcrypt13, argon2id, bcrypt} {
		if got := s.failureDelay(User{PasswordHash: hash}, 0); got != time.Second {
			t.Errorf("%s after a slow one: %s, want a second", hash, got)
		}
	}
}
