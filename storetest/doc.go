// Package storetest holds the conformance suites for stores. Whoever writes an
// adapter runs them against it:
//
//	func TestChallenges(t *testing.T) {
//		storetest.TestChallenges(t, func(t *testing.T, clock func() time.Time) stepkey.Challenges {
//			return mystore.New(clock)
//		})
//	}
//
// The suites use nothing but the seams, so they hold for every implementation
// alike. Time passes only when they say so.
package storetest

import (
	"sync"
	"time"
)

// Clock is a clock that stands still until it is moved. It is safe for concurrent
// use. Make one with [NewClock].
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock at a moment that is nobody's epoch.
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
