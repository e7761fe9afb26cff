package guard

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stepkey/stepkey/token"
)

// ActionSpender remembers which action tokens were used. Implementations must
// be safe for concurrent use.
type ActionSpender interface {
	// Spend spends id and reports whether this was the first time. Of several
	// calls with one id, concurrent or not, exactly one returns true. The id must
	// be remembered until the given time. If Spend returns an error, the request
	// is refused.
	Spend(ctx context.Context, id string, until time.Time) (first bool, err error)
}

// spentUntil returns when an action token is certain to be refused as expired. A
// verifier allows [token.Leeway]; the second one covers the time between
// verifying and spending.
func spentUntil(proof token.ActionClaims) time.Time {
	return time.Unix(proof.ExpiresAt, 0).Add(2 * token.Leeway)
}

// DefaultSpenderCapacity is how many actions a guard remembers without
// Options.Spender. It suffices for 500 actions per second.
const DefaultSpenderCapacity = 65536

// ErrSpenderFull is returned by a [MemorySpender] at capacity.
var ErrSpenderFull = errors.New("guard: too many actions at once")

// MemorySpender is an [ActionSpender] that keeps its record in this process
// only. With several processes, or several spenders in one, a token could be
// used once with each of them, and once more after a restart. Use a Spender
// backed by a database there.
type MemorySpender struct {
	capacity int
	clock    func() time.Time

	mu    sync.Mutex
	spent map[string]struct{}
	queue []spending // oldest first
}

type spending struct {
	id    string
	until time.Time
}

// NewMemorySpender returns a MemorySpender that remembers at most capacity ids.
// When it is full, Spend returns [ErrSpenderFull] rather than forget an id.
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

// forget drops expired ids from the head of the queue. Tokens live about
// equally long, so an expired id stays behind one that lives longer for a
// minute at most.
func (s *MemorySpender) forget(now time.Time) {
	for len(s.queue) > 0 && !now.Before(s.queue[0].until) {
		delete(s.spent, s.queue[0].id)
		s.queue = s.queue[1:]
	}
}
