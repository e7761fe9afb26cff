package memstore_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stepkey/stepkey/memstore"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

func TestLimiter(t *testing.T) {
	storetest.TestLimiter(t, func(*testing.T) (one, other storage.Limiter, _ storetest.Time) {
		clock := storetest.NewClock()
		l := memstore.NewLimiter(0, clock.Now)
		return l, l, clock.Time()
	})
}

// A full limiter refuses and forgets nothing; room comes back when buckets are full.
func TestFullLimiterRefuses(t *testing.T) {
	clock := storetest.NewClock()
	l := memstore.NewLimiter(2, clock.Now)
	limit := storage.Limit{Burst: 2, Every: time.Minute}
	charge := func(names ...string) (time.Duration, error) {
		var charges []storage.Charge
		for _, name := range names {
			charges = append(charges, storage.Charge{Bucket: name, Limit: limit, Cost: 1})
		}
		return l.Charge(t.Context(), charges...)
	}
	pass := func(names ...string) {
		t.Helper()
		if wait, err := charge(names...); wait != 0 || err != nil {
			t.Fatalf("Charge(%q) = %s, %v; want it to pass", names, wait, err)
		}
	}
	refuse := func(names ...string) {
		t.Helper()
		if _, err := charge(names...); !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("Charge(%q): %v, want ErrUnavailable", names, err)
		}
	}
	pass("a")
	refuse("b", "c") // two more are too many
	pass("b")
	refuse("c")
	refuse("a", "c") // and a is not charged for that

	pass("a", "b")
	if wait, err := charge("a"); wait != time.Minute || err != nil {
		t.Errorf("Charge of an empty bucket in a full limiter = %s, %v; want 1m", wait, err)
	}
	clock.Advance(2*time.Minute - time.Microsecond)
	refuse("c")
	clock.Advance(10 * time.Second)
	pass("c", "d")
}

func BenchmarkCharge(b *testing.B) {
	l := memstore.NewLimiter(0, nil)
	limit := storage.Limit{Burst: 1 << 30, Every: time.Microsecond}
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			c := storage.Charge{Bucket: "bucket " + strconv.Itoa(i%1000), Limit: limit, Cost: 1}
			if _, err := l.Charge(b.Context(), c); err != nil {
				b.Fatal(err)
			}
		}
	})
}
