// Package gcra is the arithmetic of the generic cell rate algorithm (ITU-T I.371,
// annex A): a rate limit that keeps one moment per bucket and nothing else.
//
// The moment is the theoretical arrival time, here called full: when the bucket
// will be full again if nobody takes anything. What is taken moves it on, and a
// bucket that would be full later than its size allows does not hold enough. A
// bucket that nobody knows, or whose moment is past, is full.
//
// Moments and lengths are whole microseconds, as stores keep them; a moment counts
// from the Unix epoch. The functions are pure: time is passed in.
package gcra

import "time"

// Rate is a limit. Make one with [New].
type Rate struct{ every, size int64 }

// New returns the rate of a bucket that holds burst and gets one back every
// interval. An interval is rounded up to microseconds, to the stricter side. Both are
// positive.
func New(burst int, every time.Duration) Rate {
	us := int64((every + time.Microsecond - 1) / time.Microsecond)
	return Rate{every: us, size: int64(burst) * us}
}

// Size is how long an empty bucket takes to be full.
func (r Rate) Size() int64 { return r.size }

// Step is how long the bucket takes to get cost back.
func (r Rate) Step(cost int) int64 { return int64(cost) * r.every }

// Charge takes cost, from one to burst, from a bucket that would be full at that
// moment. It returns the bucket's new moment and zero; or, if the bucket does not
// hold so much, how long it will be until it does, and full as it was.
func (r Rate) Charge(full, now int64, cost int) (next, wait int64) {
	next = max(full, now) + r.Step(cost)
	if wait = next - now - r.size; wait > 0 {
		return full, wait
	}
	return next, 0
}

// Refund gives cost back and returns the bucket's new moment. It needs no bound: a
// moment in the past is a full bucket, however long ago it is.
func (r Rate) Refund(full int64, cost int) int64 { return full - r.Step(cost) }
