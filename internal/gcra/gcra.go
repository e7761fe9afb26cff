// Package gcra is the arithmetic of the generic cell rate algorithm (ITU-T I.371,
// annex A): a rate limit that stores only one time per bucket.
//
// That time is the theoretical arrival time, here called full: when the bucket
// will be full again if nothing more is taken. Taking moves it into the future,
// and a bucket that would be full later than its size allows does not hold
// enough. An unknown bucket, or one whose time is past, is full.
//
// Times and durations are whole microseconds, as stores keep them; times count
// from the Unix epoch. The functions are pure: time is passed in.
package gcra

import "time"

// Rate is a limit. Make one with [New].
type Rate struct{ every, size int64 }

// New returns the rate of a bucket that holds burst and regains one per interval. The
// interval is rounded up to microseconds, which is stricter. Both must be positive.
func New(burst int, every time.Duration) Rate {
	us := int64((every + time.Microsecond - 1) / time.Microsecond)
	return Rate{every: us, size: int64(burst) * us}
}

// Size returns how long an empty bucket takes to become full.
func (r Rate) Size() int64 { return r.size }

// Step returns how long the bucket takes to regain cost.
func (r Rate) Step(cost int) int64 { return int64(cost) * r.every }

// Charge takes cost, from one to burst, from a bucket that would be full at full.
// It returns the bucket's new time and zero or, if the bucket does not hold
// enough, full unchanged and the time until it does.
func (r Rate) Charge(full, now int64, cost int) (next, wait int64) {
	next = max(full, now) + r.Step(cost)
	if wait = next - now - r.size; wait > 0 {
		return full, wait
	}
	return next, 0
}

// Refund gives cost back and returns the bucket's new time. It needs no bound: any
// time in the past means a full bucket.
func (r Rate) Refund(full int64, cost int) int64 { return full - r.Step(cost) }
