package guard

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stepkey/stepkey/token"
)

// ActionSpender remembers which action tokens were used. Implementations are
// safe for concurrent use.
type ActionSpender interface {
	// Spend reports whether id is spent for the first time; of several calls with
	// one id, at once or one after the other, exactly one is told so. The id has
	// to be remembered until the given time and may be forgotten then. An error
	// means that it is not known; the request is then refused.
	Spend(ctx context.Context, id string, until time.Time) (first bool, err error)
}

// spentUntil is when an action token is certainly refused for its age: a verifier
// grants [token.Leeway], and as much again is for the time between verifying and
// spending.
func spentUntil(proof token.ActionClaims) time.Time {
	return time.Unix(proof.ExpiresAt, 0).Add(2 * token.Leeway)
}

// DefaultSpenderCapacity is how many actions a guard remembers unless it is
// given a Spender. It suffices for 500 actions per second.
const DefaultSpenderCapacity = 65536

// ErrSpenderFull is returned by a [MemorySpender] that can remember no more.
var ErrSpenderFull = errors.New("guard: too many actions at once")

// MemorySpender is an [ActionSpender] that remembers in this process only: where
// several processes, or several spenders in one, answer requests, a token could
// be used once with each of them, and once more after a restart. Give those a
// Spender over a database.
type MemorySpender struct {
	capacity int
	clock    func() time.Time

	mu    sync.Mutex
	spent map[string]struct{}
	queue []spending // the longest remembered first
}

type spending struct {
	id    string
	until time.Time
}

// NewMemorySpender returns a MemorySpender that remembers at most capacity ids.
// If there are more to remember it returns [ErrSpenderFull] rather than forget
// one.
func NewMemorySpender(capacity int) *MemorySpender { return newMemorySpender(capacity, time.Now) }

func newMemorySpender(capacity int, clock func() time.Time) *MemorySpender {
	return &MemorySpender{capacity: capacity, clock: clock, spent: map[string]struct{}{}}
}

// Spend implements [ActionSpender].
func (s *MemorySpender) Spend(_ context.Context, id string, until time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(s.clock())
	if _, seen := s.spent[id]; seen {
		return false, nil
	}
	if len(s.spent) >= s.capacity {
		return false, ErrSpenderFull
	}
	s.queue = append(s.queue, spending{id, until})
	s.spent[id] = struct{}{}
	return true, nil
}

// forget drops what has passed, from the head on. Tokens live about equally
// long, so what waits behind one that lives longer waits a minute at most.
func (s *MemorySpender) forget(now time.Time) {
	for len(s.queue) > 0 && !now.Before(s.queue[0].until) {
		delete(s.spent, s.queue[0].id)
		s.queue = s.queue[1:]
	}
}
