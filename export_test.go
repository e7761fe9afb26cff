package stepkey

import (
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/password"
)

// UseCheapHashes makes s hash with next to no work. What a hash costs is tested where
// hashes are made; here it would only make each of some thousand sign-ins wait.
func UseCheapHashes(t testing.TB, s *Service) {
	t.Helper()
	hasher, err := password.New(password.Params{MemoryKiB: 8, Passes: 1, Lanes: 1}, s.random)
	if err != nil {
		t.Fatal(err)
	}
	s.hasher = hasher
	s.failureFloor.Store(0)
	LookForOldHashes(t, s)
}

// LookForOldHashes has s look now for kinds of hashes in the store.
func LookForOldHashes(t testing.TB, s *Service) {
	t.Helper()
	if err := s.lookForOldHashes(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// LookOften has s look for kinds of hashes all the time, while it runs.
func LookOften(s *Service) { s.oldHashes.every = time.Millisecond }

// FailureFloor is how long a failed login takes at least.
func FailureFloor(s *Service) time.Duration { return time.Duration(s.failureFloor.Load()) }
