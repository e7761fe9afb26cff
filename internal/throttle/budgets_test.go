package throttle

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stepkey/stepkey/storage"
)

// Budgets are bounded in memory; what is used goes on counting, what is not is forgotten.
func TestBudgetsAreBounded(t *testing.T) {
	b, now := newBudgets(100), time.Unix(1_900_000_000, 0)
	limit := storage.Limit{Burst: 3, Every: time.Hour}
	var waits []time.Duration
	for i := range 1000 {
		b.charge("flood "+strconv.Itoa(i), limit, now)
		if i%50 == 0 {
			waits = append(waits, b.charge("used", limit, now))
		}
		if len(b.recent)+len(b.older) > 200 {
			t.Fatalf("%d budgets are kept", len(b.recent)+len(b.older))
		}
	}
	if slices.ContainsFunc(waits[3:], func(wait time.Duration) bool { return wait <= 0 }) {
		t.Errorf("a flood of others gives a used-up budget back: %v", waits)
	}
	b.refund("used", limit)
	if wait := b.charge("used", limit, now); wait != 0 {
		t.Errorf("after a refund: %s", wait)
	}
}
