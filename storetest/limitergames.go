package storetest

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stepkey/stepkey/internal/gcra"
	"github.com/stepkey/stepkey/storage"
)

// limiterGames plays random games of charging, refunding and waiting over three
// buckets, beside a model that does the arithmetic in memory.
func limiterGames(t *testing.T, l limiter) {
	games := 0
	rapid.Check(t, func(rt *rapid.T) {
		games++ // each game has buckets of its own
		playLimiter(rt, l, fmt.Sprintf("game %d bucket ", games))
	})
}

// game is the model of one game. Moments count from its beginning.
type game struct {
	unit   time.Duration
	clock  Time
	now    int64
	limits []storage.Limit
	full   []int64
}

func playLimiter(rt *rapid.T, l limiter, prefix string) {
	g := &game{unit: max(time.Second, 8*l.clock.Drift), clock: l.clock}
	for range 3 {
		g.limits = append(g.limits, storage.Limit{
			Burst: rapid.IntRange(1, 5).Draw(rt, "burst"),
			Every: time.Duration(rapid.IntRange(1, 4).Draw(rt, "every")) * g.unit,
		})
		g.full = append(g.full, 0)
	}
	charges := func(costs []int) (list []storage.Charge) {
		for i, cost := range costs {
			if cost > 0 {
				list = append(list, charge(fmt.Sprint(prefix, i), g.limits[i], cost))
			}
		}
		return list
	}
	instance := func(rt *rapid.T) storage.Limiter {
		return rapid.SampledFrom([]storage.Limiter{l.one, l.other}).Draw(rt, "instance")
	}
	rt.Repeat(map[string]func(*rapid.T){
		"charge": func(rt *rapid.T) {
			costs := g.draw(rt)
			g.leaveLimits(costs)
			want := g.charge(costs)
			wait, err := instance(rt).Charge(rt.Context(), charges(costs)...)
			if err != nil || (wait > 0) != (want > 0) || (wait-want).Abs() > l.clock.Drift {
				rt.Fatalf("Charge(%v) = %s, %v; want %s", charges(costs), wait, err, want)
			}
		},
		"refund": func(rt *rapid.T) {
			costs := g.draw(rt)
			for i, cost := range costs {
				g.full[i] = g.rate(i).Refund(g.full[i], cost)
			}
			if err := instance(rt).Refund(rt.Context(), charges(costs)...); err != nil {
				rt.Fatalf("Refund: %v", err)
			}
		},
		"time passes": func(rt *rapid.T) {
			g.advance(time.Duration(rapid.IntRange(1, 24).Draw(rt, "halves")) * g.unit / 2)
		},
	})
}

// draw chooses what to take of each bucket: of one of them at least one.
func (g *game) draw(rt *rapid.T) []int {
	costs := make([]int, len(g.limits))
	sure := rapid.IntRange(0, len(costs)-1).Draw(rt, "bucket")
	for i, limit := range g.limits {
		least := 0
		if i == sure {
			least = 1
		}
		costs[i] = rapid.IntRange(least, limit.Burst).Draw(rt, "cost")
	}
	return costs
}

func (g *game) rate(i int) gcra.Rate { return gcra.New(g.limits[i].Burst, g.limits[i].Every) }

func (g *game) advance(d time.Duration) {
	g.clock.Advance(d)
	g.now += d.Microseconds()
}

// charge takes costs if every bucket has them, and returns how long that will be.
func (g *game) charge(costs []int) time.Duration {
	next, longest := make([]int64, len(costs)), int64(0)
	for i, cost := range costs {
		var wait int64
		if next[i] = g.full[i]; cost > 0 {
			next[i], wait = g.rate(i).Charge(g.full[i], g.now, cost)
		}
		longest = max(longest, wait)
	}
	if longest == 0 {
		g.full = next
	}
	return time.Duration(longest) * time.Microsecond
}

// leaveLimits lets time pass until no bucket is so near to having enough that what
// passes by itself could make the difference.
func (g *game) leaveLimits(costs []int) {
	near := func() bool {
		for i, cost := range costs {
			missing := max(g.full[i]-g.now, 0) + g.rate(i).Step(cost) - g.rate(i).Size()
			if cost > 0 && missing > 0 && missing <= g.clock.Drift.Microseconds() {
				return true
			}
		}
		return false
	}
	for near() {
		g.advance(g.clock.Drift)
	}
}
