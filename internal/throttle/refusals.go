package throttle

import (
	"strings"
	"sync"
	"time"

	"github.com/stepkey/stepkey/storage"
)

// rememberRefusal is how long the Limiter is not asked again after a refusal. Meanwhile a
// refund may have made the charges possible.
const rememberRefusal = 5 * time.Second

// maxRefusals bounds how many refusals are remembered. One that is dropped costs a question to
// the Limiter and nothing else.
const maxRefusals = 10_000

// refusals remembers which charges the Limiter refused lately. It is safe for concurrent use.
type refusals struct {
	max int

	mu    sync.Mutex
	known map[string]refusal
}

type refusal struct{ at, until time.Time }

func newRefusals(limit int) *refusals {
	return &refusals{max: limit, known: make(map[string]refusal)}
}

// wait returns how much longer charges are known to be refused, or zero if the Limiter has to
// be asked.
func (r *refusals) wait(charges []storage.Charge, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	refused := r.known[bucketsOf(charges)]
	if now.Sub(refused.at) >= rememberRefusal {
		return 0
	}
	return max(0, refused.until.Sub(now))
}

func (r *refusals) remember(charges []storage.Charge, now time.Time, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= r.max {
		clear(r.known)
	}
	r.known[bucketsOf(charges)] = refusal{at: now, until: now.Add(wait)}
}

// bucketsOf names charges that are made in one call.
func bucketsOf(charges []storage.Charge) string {
	var names strings.Builder
	for _, c := range charges {
		names.WriteString(c.Bucket)
	}
	return names.String()
}
