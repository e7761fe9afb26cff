package storage

import (
	"context"
	"time"
)

// Limit is a rate: Burst at once, and one more every Every. It is kept by GCRA, the generic
// cell rate algorithm, which stores one time for each bucket and no counter. Burst is at least
// one, and Every is positive.
type Limit struct {
	Burst int
	Every time.Duration
}

// Charge is what one attempt takes from a bucket. Several limits on the same thing are several
// charges on buckets of their own.
type Charge struct {
	// Bucket names the bucket, in at most 64 bytes. It contains names of people and secrets
	// only as a keyed hash.
	Bucket string

	Limit Limit

	// Cost is how much is taken, from 1 to Limit.Burst.
	Cost int
}

// Limiter keeps rate limits. Its own clock decides.
//
// An implementation is safe for concurrent use by several instances and passes
// storetest.TestLimiter. It never forgets a bucket before it is full again: a store without
// room refuses with [ErrUnavailable].
type Limiter interface {
	// Charge takes all of charges in one atomic step and returns zero. If a bucket does not
	// hold enough, it takes nothing and returns the time until all of them do, provided that
	// no other charges come between. A call names each bucket once.
	//
	// Attempts are charged before they are made and refunded if they should not have counted,
	// so that of concurrent attempts no more than allowed get through.
	Charge(ctx context.Context, charges ...Charge) (wait time.Duration, err error)

	// Refund undoes a Charge of the same. It fills no bucket above its burst.
	Refund(ctx context.Context, charges ...Charge) error
}
