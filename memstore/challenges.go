// Package memstore keeps outstanding challenges and counts attempts in memory. It is
// for tests, and for a single instance that may forget them at a restart.
package memstore

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// DefaultCapacity is the default maximum number of challenges. One takes about
// half a kilobyte.
const DefaultCapacity = 100_000

// Challenges is a storage.Challenges. It is safe for concurrent use.
type Challenges struct {
	clock    func() time.Time
	capacity int

	mu        sync.Mutex
	byKey     map[storage.ChallengeKey]entry
	bySession map[uuid.UUID][]storage.ChallengeKey // oldest first
	nextSweep time.Time
}

type entry struct {
	state     []byte
	expiresAt time.Time
}

var _ storage.Challenges = (*Challenges)(nil)

// NewChallenges returns an empty store for up to capacity challenges, or
// DefaultCapacity if capacity is zero. It uses clock, or time.Now if clock is
// nil.
func NewChallenges(capacity int, clock func() time.Time) *Challenges {
	if capacity == 0 {
		capacity = DefaultCapacity
	}
	if clock == nil {
		clock = time.Now
	}
	return &Challenges{
		clock: clock, capacity: capacity,
		byKey:     make(map[storage.ChallengeKey]entry),
		bySession: make(map[uuid.UUID][]storage.ChallengeKey),
	}
}

// Put implements storage.Challenges.
func (c *Challenges) Put(_ context.Context, key storage.ChallengeKey, state []byte, ttl time.Duration) error {
	now := c.clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(now)
	outstanding := c.bySession[key.SessionID]
	if len(outstanding) >= storage.MaxChallenges {
		c.remove(outstanding[0])
	}
	if len(c.byKey) >= c.capacity {
		return storage.ErrUnavailable
	}
	c.byKey[key] = entry{state: append([]byte(nil), state...), expiresAt: now.Add(ttl)}
	c.bySession[key.SessionID] = append(c.bySession[key.SessionID], key)
	return nil
}

// Take implements storage.Challenges.
func (c *Challenges) Take(_ context.Context, key storage.ChallengeKey) ([]byte, error) {
	now := c.clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.byKey[key]
	if !ok {
		return nil, storage.ErrChallengeExpired
	}
	c.remove(key)
	if !now.Before(found.expiresAt) {
		return nil, storage.ErrChallengeExpired
	}
	return found.state, nil
}

// sweepEvery is how often expired challenges are removed: often enough that they
// never make up most of the store, and seldom enough to cost almost nothing.
const sweepEvery = 10 * time.Second

func (c *Challenges) sweep(now time.Time) {
	if now.Before(c.nextSweep) {
		return
	}
	c.nextSweep = now.Add(sweepEvery)
	for key, kept := range c.byKey {
		if !now.Before(kept.expiresAt) {
			c.remove(key)
		}
	}
}

func (c *Challenges) remove(key storage.ChallengeKey) {
	delete(c.byKey, key)
	var rest []storage.ChallengeKey
	for _, other := range c.bySession[key.SessionID] {
		if other != key {
			rest = append(rest, other)
		}
	}
	if len(rest) == 0 {
		delete(c.bySession, key.SessionID)
		return
	}
	c.bySession[key.SessionID] = rest
}
