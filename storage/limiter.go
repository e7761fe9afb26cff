package storage

import (
	"context"
	"time"
)

// Limit is a rate: Burst at once, and one more every Every. It is kept by GCRA, the
// generic cell rate algorithm, which needs one moment per bucket and no counter.
// Burst is at least one, Every is positive.
type Limit struct {
	Burst int
	Every time.Duration
}

// Charge is what one attempt takes from a bucket. Several limits on one bucket are
// several charges with names of their own.
type Charge struct {
	// Bucket names the bucket, in at most 64 bytes. Names of people and secrets
	// are in it only as a keyed hash.
	Bucket string

	Limit Limit

	// Cost is how much is taken: from 1 to Limit.Burst.
	Cost int
}

// Limiter counts attempts. Its clock decides.
//
// An implementation is safe for concurrent use by several instances and passes
// storetest.TestLimiter. It never forgets a bucket that is not full again: a store
// without room refuses with [ErrUnavailable].
type Limiter interface {
	// Charge takes all of charges, in one atomic step, and returns zero; or, if a
	// bucket does not hold enough, it takes nothing and returns how long it will be
	// until all of them do, if nobody else comes. One call has each bucket once.
	//
	// Attempts are charged before they are made and refunded if they should not
	// have counted: of attempts made at once, no more pass than the limit says.
	Charge(ctx context.Context, charges ...Charge) (wait time.Duration, err error)

	// Refund gives back what Charge took, at most until a bucket is full.
	Refund(ctx context.Context, charges ...Charge) error
}
