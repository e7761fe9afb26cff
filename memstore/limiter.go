package memstore

import (
	"context"
	"sync"
	"time"

	"github.com/stepkey/stepkey/internal/gcra"
	"github.com/stepkey/stepkey/storage"
)

// DefaultBuckets is the default maximum number of buckets that are not full. One
// takes about 120 bytes.
const DefaultBuckets = 250_000

// Limiter is a storage.Limiter. It is safe for concurrent use.
type Limiter struct {
	clock    func() time.Time
	capacity int

	mu        sync.Mutex
	full      map[string]int64 // when a bucket will be full, as in package gcra
	nextSweep time.Time
}

var _ storage.Limiter = (*Limiter)(nil)

// NewLimiter returns a limiter whose buckets are all full. It keeps up to capacity
// buckets that are not, or DefaultBuckets if capacity is zero. It uses clock, or
// time.Now if clock is nil.
func NewLimiter(capacity int, clock func() time.Time) *Limiter {
	if capacity == 0 {
		capacity = DefaultBuckets
	}
	if clock == nil {
		clock = time.Now
	}
	return &Limiter{clock: clock, capacity: capacity, full: make(map[string]int64)}
}

// Charge implements storage.Limiter.
func (l *Limiter) Charge(_ context.Context, charges ...storage.Charge) (time.Duration, error) {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	next, longest, added := make([]int64, len(charges)), int64(0), 0
	for i, c := range charges {
		full, known := l.full[c.Bucket]
		if !known {
			added++
		}
		var wait int64
		next[i], wait = rate(c).Charge(full, now.UnixMicro(), c.Cost)
		longest = max(longest, wait)
	}
	if longest > 0 {
		return time.Duration(longest) * time.Microsecond, nil
	}
	if len(l.full)+added > l.capacity {
		return 0, storage.ErrUnavailable
	}
	for i, c := range charges {
		l.full[c.Bucket] = next[i]
	}
	return 0, nil
}

// Refund implements storage.Limiter.
func (l *Limiter) Refund(_ context.Context, charges ...storage.Charge) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range charges {
		if full, known := l.full[c.Bucket]; known {
			l.full[c.Bucket] = rate(c).Refund(full, c.Cost)
		}
	}
	return nil
}

func rate(c storage.Charge) gcra.Rate { return gcra.New(c.Limit.Burst, c.Limit.Every) }

// sweep removes the buckets that are full again.
func (l *Limiter) sweep(now time.Time) {
	if now.Before(l.nextSweep) {
		return
	}
	l.nextSweep = now.Add(sweepEvery)
	for bucket, full := range l.full {
		if full <= now.UnixMicro() {
			delete(l.full, bucket)
		}
	}
}
