package throttle

import (
	"sync"
	"time"

	"github.com/stepkey/stepkey/internal/gcra"
	"github.com/stepkey/stepkey/storage"
)

// Admit counts a call within a budget, or refuses it. It costs no query. id says whose budget
// it is.
func (t *Throttle) Admit(budget Rule, id string, now time.Time) error {
	if t.limiter == nil {
		return nil
	}
	if wait := t.budgets.charge(budget.bucket+" "+id, budget.limit, now); wait > 0 {
		return t.refuse(wait)
	}
	return nil
}

// AdmitClient is [Throttle.Admit] for the budget of a client's address.
func (t *Throttle) AdmitClient(budget Rule, c storage.Client, now time.Time) error {
	return t.Admit(budget, addressOf(c), now)
}

// AdmitGuess is [Throttle.AdmitClient] for a call that counts only if it turns out to be
// wrong. The caller calls refund if it was right.
func (t *Throttle) AdmitGuess(budget Rule, c storage.Client, now time.Time) (refund func(), err error) {
	if err := t.AdmitClient(budget, c, now); err != nil {
		return nil, err
	}
	return func() { t.budgets.refund(budget.bucket+" "+addressOf(c), budget.limit) }, nil
}

// maxBudgets bounds how many buckets are kept in each of two generations. A bucket that is
// dropped starts full again; only buckets that were not used lately are dropped.
const maxBudgets = 50_000

// budgets are buckets in memory. It is safe for concurrent use.
type budgets struct {
	max int

	mu            sync.Mutex
	recent, older map[string]int64 // when a bucket is full, in microseconds since 1970
}

func newBudgets(limit int) *budgets {
	return &budgets{max: limit, recent: make(map[string]int64)}
}

// charge takes one from a bucket, or returns how long it takes until there is one.
func (b *budgets) charge(bucket string, l storage.Limit, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	next, wait := gcra.New(l.Burst, l.Every).Charge(b.full(bucket), now.UnixMicro(), 1)
	b.keep(bucket, next)
	return time.Duration(wait) * time.Microsecond
}

func (b *budgets) refund(bucket string, l storage.Limit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keep(bucket, gcra.New(l.Burst, l.Every).Refund(b.full(bucket), 1))
}

func (b *budgets) full(bucket string) int64 {
	if full, ok := b.recent[bucket]; ok {
		return full
	}
	return b.older[bucket]
}

// keep starts a new generation when the recent one is full.
func (b *budgets) keep(bucket string, full int64) {
	if _, known := b.recent[bucket]; !known && len(b.recent) >= b.max {
		b.older, b.recent = b.recent, make(map[string]int64)
	}
	b.recent[bucket] = full
}
