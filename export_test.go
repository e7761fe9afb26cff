package stepkey

import (
	"testing"

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
}
