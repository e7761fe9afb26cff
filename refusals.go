package stepkey

import (
	"strings"
	"sync"
	"time"

	"github.com/stepkey/stepkey/storage"
)

// rememberRefusal is for how long the Limiter is not asked again. Meanwhile others may
// have given back what was missing.
const rememberRefusal = 5 * time.Second

// maxRefusals bounds how many refusals are remembered. One that is forgotten costs
// the Limiter a question, and nothing else.
const maxRefusals = 10_000

// refusals remembers what the Limiter refused a moment ago. It is safe for
// concurrent use.
type refusals struct {
	max int

	mu    sync.Mutex
	known map[string]refusal
}

type refusal struct{ at, until time.Time }

func newRefusals(limit int) *refusals {
	return &refusals{max: limit, known: make(map[string]refusal)}
}

// wait is for how long charges are known to be refused yet, or zero if that has to be
// asked.
func (r *refusals) wait(charges []storage.Charge, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	refused := r.known[together(charges)]
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
	r.known[together(charges)] = refusal{at: now, until: now.Add(wait)}
}

// together names charges that are made in one call.
func together(charges []storage.Charge) string {
	var name strings.Builder
	for _, c := range charges {
		name.WriteString(c.Bucket)
	}
	return name.String()
}
