package gcra_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stepkey/stepkey/internal/gcra"
)

// leaky is the same limit told another way: a bucket that holds burst tokens of
// every drops each, into which one drop falls each microsecond.
type leaky struct{ drops, size, every int }

func newLeaky(burst, every int) *leaky {
	return &leaky{drops: burst * every, size: burst * every, every: every}
}

func (b *leaky) tick() { b.drops = min(b.drops+1, b.size) }

func (b *leaky) take(cost int) bool {
	if b.drops < cost*b.every {
		return false
	}
	b.drops -= cost * b.every
	return true
}

func (b *leaky) refund(cost int) { b.drops = min(b.drops+cost*b.every, b.size) }

// ticksUntil counts on a copy how many drops it takes until cost can be taken.
func (b leaky) ticksUntil(cost int) (n int64) {
	for !b.take(cost) {
		b.tick()
		n++
	}
	return n
}

func TestAgainstABucketOfDrops(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		burst, every := rapid.IntRange(1, 6).Draw(rt, "burst"), rapid.IntRange(1, 20).Draw(rt, "every")
		rate := gcra.New(burst, time.Duration(every)*time.Microsecond)
		model := newLeaky(burst, every)
		now := rapid.Int64Range(0, 1000).Draw(rt, "now")
		var full int64
		cost := rapid.IntRange(1, burst)

		rt.Repeat(map[string]func(*rapid.T){
			"charge": func(rt *rapid.T) {
				n := cost.Draw(rt, "cost")
				want := model.ticksUntil(n)
				model.take(n)
				var wait int64
				if full, wait = rate.Charge(full, now, n); wait != want {
					rt.Fatalf("wait %d, want %d", wait, want)
				}
			},
			"refund": func(rt *rapid.T) {
				n := cost.Draw(rt, "cost")
				model.refund(n)
				full = rate.Refund(full, n)
			},
			"time passes": func(rt *rapid.T) {
				for range rapid.IntRange(1, 2*burst*every).Draw(rt, "microseconds") {
					model.tick()
					now++
				}
			},
			"": func(rt *rapid.T) {
				if missing := max(full-now, 0); missing != int64(model.size-model.drops) {
					rt.Fatalf("%d are missing, want %d of %d", missing, model.size-model.drops, model.size)
				}
			},
		})
	})
}

func TestIntervalsAreRoundedToTheStricterSide(t *testing.T) {
	for every, want := range map[time.Duration]int64{1: 1, 999: 1, 1000: 1, 1001: 2, time.Second: 1_000_000} {
		if got := gcra.New(1, every).Size(); got != want {
			t.Errorf("%s: %d µs, want %d", every, got, want)
		}
	}
}

func TestRefusalLeavesTheBucketAsItWas(t *testing.T) {
	rate := gcra.New(2, time.Second)
	full, _ := rate.Charge(0, 5_000_000, 2)
	if got, wait := rate.Charge(full, 5_000_000, 1); got != full || wait != 1_000_000 {
		t.Errorf("Charge = %d, %d; want %d, 1000000", got, wait, full)
	}
}
