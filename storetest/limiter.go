package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/storage"
)

// TestLimiter checks a storage.Limiter. open returns two instances on one empty
// store, or the same one twice where a store can have only one, and their time.
func TestLimiter(t *testing.T, open func(t *testing.T) (one, other storage.Limiter, clock Time)) {
	run := func(name string, test func(*testing.T, limiter)) {
		t.Run(name, func(t *testing.T) {
			one, other, clock := open(t)
			test(t, limiter{one, other, clock})
		})
	}
	run("a bucket empties and fills", bucketEmptiesAndFills)
	run("a bucket is full again after its time", bucketFullAgain)
	run("all or none", allOrNone)
	run("the wait is the longest", longestWait)
	run("refund", refund)
	run("a refund never goes beyond full", refundNotBeyondFull)
	run("buckets are independent", bucketsIndependent)
	run("two instances share their buckets", instancesShare)
	run("of 64 charges of 16 pass 16", exactlyBurstPass)
	run("charges of the same buckets in any order", anyOrder)
	run("random games", limiterGames)
}

// limiter is what a test gets: two instances and their time.
type limiter struct {
	one, other storage.Limiter
	clock      Time
}

var perMinute = storage.Limit{Burst: 3, Every: time.Minute}

func charge(bucket string, limit storage.Limit, cost int) storage.Charge {
	return storage.Charge{Bucket: bucket, Limit: limit, Cost: cost}
}

func (l limiter) wantCharged(t *testing.T, charges ...storage.Charge) {
	t.Helper()
	if wait, err := l.one.Charge(t.Context(), charges...); err != nil || wait != 0 {
		t.Fatalf("Charge(%v) = %s, %v; want it to pass", charges, wait, err)
	}
}

func (l limiter) wantWait(t *testing.T, want time.Duration, charges ...storage.Charge) {
	t.Helper()
	wait, err := l.one.Charge(t.Context(), charges...)
	if err != nil || wait <= 0 || (wait-want).Abs() > l.clock.Drift {
		t.Fatalf("Charge(%v) = %s, %v; want %s", charges, wait, err, want)
	}
}

func (l limiter) refund(t *testing.T, charges ...storage.Charge) {
	t.Helper()
	if err := l.one.Refund(t.Context(), charges...); err != nil {
		t.Fatalf("Refund: %v", err)
	}
}

func bucketEmptiesAndFills(t *testing.T, l limiter) {
	one, two := charge("b", perMinute, 1), charge("b", perMinute, 2)
	l.wantCharged(t, one)
	l.wantCharged(t, two)
	l.wantWait(t, time.Minute, one)
	l.wantWait(t, 2*time.Minute, two)

	l.clock.Advance(time.Minute - l.clock.margin())
	l.wantWait(t, l.clock.margin(), one)
	l.clock.Advance(l.clock.margin())
	l.wantCharged(t, one)
	l.wantWait(t, time.Minute, one)
}

func bucketFullAgain(t *testing.T, l limiter) {
	l.wantCharged(t, charge("b", perMinute, 3))
	l.clock.Advance(3 * time.Minute)
	l.wantCharged(t, charge("b", perMinute, 3))
	l.wantWait(t, time.Minute, charge("b", perMinute, 1))
	l.clock.Advance(time.Hour) // it is full, and no more than that
	l.wantCharged(t, charge("b", perMinute, 3))
	l.wantWait(t, time.Minute, charge("b", perMinute, 1))
}

// The bucket that refuses is the first, the middle or the last by name as well as
// by place.
func allOrNone(t *testing.T, l limiter) {
	buckets := []string{"a", "b", "c"}
	small := storage.Limit{Burst: 1, Every: time.Hour}
	for i, refusing := range buckets {
		prefix := strings.Repeat("x", i)
		var charges []storage.Charge
		for _, bucket := range buckets {
			limit := perMinute
			if bucket == refusing {
				limit = small
			}
			charges = append(charges, charge(prefix+bucket, limit, 1))
		}
		l.wantCharged(t, charges...)
		for range 2 {
			l.wantWait(t, time.Hour, charges...)
			slices.Reverse(charges)
		}
		for _, c := range charges {
			if c.Limit == small {
				continue
			}
			c.Cost = 2
			l.wantCharged(t, c)
			l.wantWait(t, 2*time.Minute, c)
		}
	}
}

func longestWait(t *testing.T, l limiter) {
	short, long := charge("short", perMinute, 3), charge("long", storage.Limit{Burst: 3, Every: time.Hour}, 2)
	l.wantCharged(t, short, long)
	l.wantWait(t, 3*time.Minute, short)
	l.wantWait(t, time.Hour, short, long)
	l.wantWait(t, time.Hour, long, short)
	l.clock.Advance(time.Hour)
	l.wantCharged(t, short, long)
}

func refund(t *testing.T, l limiter) {
	one, other := charge("one", perMinute, 3), charge("other", perMinute, 2)
	l.wantCharged(t, one, other)
	l.refund(t, one, other)
	l.wantCharged(t, one, other)

	single := charge("one", perMinute, 1)
	l.refund(t, single)
	l.wantCharged(t, single)
	l.wantWait(t, time.Minute, single)
}

func refundNotBeyondFull(t *testing.T, l limiter) {
	c, all := charge("b", perMinute, 1), charge("b", perMinute, 3)
	l.refund(t, all) // of a bucket that nobody has charged
	l.wantCharged(t, c)
	for range 5 {
		l.refund(t, all)
	}
	l.wantCharged(t, all)
	l.wantWait(t, time.Minute, c)

	l.clock.Advance(3 * time.Minute) // it has filled by itself
	l.refund(t, all)
	l.wantCharged(t, all)
	l.wantWait(t, time.Minute, c)
}

func bucketsIndependent(t *testing.T, l limiter) {
	longest := strings.Repeat("x", 63)
	names := []string{
		"a", "A", "a ", "aa", "a:b", "a%", "a_", "{a}", `a'"\`, "a\nb", "é", longest + "1", longest + "2", longest,
	}
	for _, name := range names {
		l.wantCharged(t, charge(name, perMinute, 3))
		l.wantWait(t, time.Minute, charge(name, perMinute, 1))
	}
}

func instancesShare(t *testing.T, l limiter) {
	c := charge("b", perMinute, 1)
	others := limiter{one: l.other, clock: l.clock}
	l.wantCharged(t, c)
	others.wantCharged(t, c)
	l.wantCharged(t, c)
	others.wantWait(t, time.Minute, c)
	others.refund(t, c)
	l.wantCharged(t, c)
	l.wantWait(t, time.Minute, c)
}

// tries charges 64 times at once over both instances, and returns how often it
// passed. Nothing comes back meanwhile.
func (l limiter) tries(t *testing.T, charges func(i int) []storage.Charge) int {
	instances := []storage.Limiter{l.one, l.other}
	return race(64, func(i int) bool {
		wait, err := instances[i%2].Charge(t.Context(), charges(i)...)
		if err != nil || wait < 0 {
			t.Errorf("Charge = %s, %v", wait, err)
		}
		return err == nil && wait == 0
	})
}

var sixteen = storage.Limit{Burst: 16, Every: time.Hour}

func exactlyBurstPass(t *testing.T, l limiter) {
	c := charge("b", sixteen, 1)
	if passed := l.tries(t, func(int) []storage.Charge { return []storage.Charge{c} }); passed != 16 {
		t.Errorf("%d of 64 charges passed, want 16", passed)
	}
	l.wantWait(t, time.Hour, c)
}

func anyOrder(t *testing.T, l limiter) {
	charges := []storage.Charge{charge("a", sixteen, 1), charge("b", sixteen, 1), charge("c", sixteen, 1)}
	passed := l.tries(t, func(i int) []storage.Charge {
		mine := slices.Clone(charges)
		if i%4 < 2 {
			slices.Reverse(mine)
		}
		return mine
	})
	if passed != 16 {
		t.Errorf("%d of 64 charges passed, want 16", passed)
	}
	for _, c := range charges {
		l.wantWait(t, time.Hour, c)
	}
	race(64, func(i int) bool {
		mine := slices.Clone(charges)
		if i%2 == 0 {
			slices.Reverse(mine)
		}
		if err := l.one.Refund(t.Context(), mine...); err != nil {
			t.Errorf("Refund: %v", err)
		}
		return true
	})
	for _, c := range charges {
		c.Cost = sixteen.Burst
		l.wantCharged(t, c)
	}
}
