// Package storetest holds the conformance suites for stores. Whoever writes an
// adapter runs them against it:
//
//	func TestChallenges(t *testing.T) {
//		storetest.TestChallenges(t, func(t *testing.T) (storage.Challenges, storetest.Time) {
//			clock := storetest.NewClock()
//			return mystore.New(clock.Now), clock.Time()
//		})
//	}
//
// The suites use nothing but the seams, so they hold for every implementation
// alike. Time passes when they say so, and a store that goes by a server's clock
// says how much it passes by itself: see [Time].
package storetest

import (
	"sync"
	"time"
)

// Time is the time of a store under test.
type Time struct {
	// Advance lets d of it pass. Where the clock is a server's that nobody can
	// move, what is stored is made older instead.
	Advance func(d time.Duration)

	// Drift is zero for a clock that stands still. For one that runs, it is more
	// than what passes by itself in one test, or one random game. The suites ask for
	// nothing that such a store cannot know: what is that near to a limit.
	Drift time.Duration
}

// margin is how near to a limit a suite goes.
func (t Time) margin() time.Duration { return max(t.Drift, time.Millisecond) }

// Clock is a clock that stands still until it is moved. It is safe for concurrent
// use. Make one with [NewClock].
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock at an arbitrary time that is not the epoch of any
// system.
func NewClock() *Clock {
	return &Clock{now: time.Date(2030, 5, 17, 9, 30, 0, 123_000, time.UTC)}
}

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Time returns the clock as the suites move it.
func (c *Clock) Time() Time { return Time{Advance: c.Advance} }
