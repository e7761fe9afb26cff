package stepkey

import (
	"context"
	"time"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/token"
)

// cheapHashes take next to no work. The cost of a hash is tested where hashes are made; here it
// would only make each of some thousand sign-ins wait.
var cheapHashes = password.KeeperConfig{Params: password.Params{MemoryKiB: 8, Passes: 1, Lanes: 1}}

// NewCheap is New for a service with cheap hashes.
func NewCheap(ctx context.Context, c Config) (*Service, error) { return open(ctx, c, cheapHashes) }

// NewLookingOften is NewCheap for a service that looks for kinds of hashes all the time, while it
// runs.
func NewLookingOften(ctx context.Context, c Config) (*Service, error) {
	hashing := cheapHashes
	hashing.LookEvery = time.Millisecond
	return open(ctx, c, hashing)
}

// FailureFloor is how long a failed login takes at least.
func FailureFloor(s *Service) time.Duration { return s.passwords.FailureFloor() }

// SigningKeysOf returns the keys that verify what s signs.
func SigningKeysOf(s *Service) token.KeySource { return s.keys }
