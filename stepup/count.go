package stepup

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/stepkey/stepkey/storage"
)

// Outcomes of a purpose. The last two are those of Shadow: what would have happened.
const (
	outcomePass      = "pass"
	outcomeAsked     = "asked"
	outcomeWouldAsk  = "would_ask"
	outcomeWouldStop = "would_stop" // the user has no passkey
)

// Count is how often an outcome of a purpose came on a day.
type Count struct {
	Day                     time.Time // midnight UTC
	Purpose, Route, Outcome string    // Route is the pattern of net/http's ServeMux, empty for other routers
	N                       int
}

// Counts returns the counts since a day, in the order of day, purpose, route and outcome. They
// are stored once a minute, and kept for a year. Outcomes are "pass", "asked", and in Shadow
// "would_ask" and "would_stop", the latter for users without a passkey.
func (k *Kit) Counts(ctx context.Context, since time.Time) iter.Seq2[Count, error] {
	return func(yield func(Count, error) bool) {
		stored, err := k.realm.Counts(ctx, since)
		if err != nil {
			yield(Count{}, err)
			return
		}
		for _, c := range stored {
			if !yield(Count{Day: c.Day, Purpose: c.Purpose, Route: c.Route, Outcome: c.Outcome, N: int(c.N)}, nil) {
				return
			}
		}
	}
}

// countEvery is how often counts are stored.
const countEvery = time.Minute

// maxCounted bounds how many different counts wait to be stored. Names of purposes and patterns of
// routes come from code, so there are few.
const maxCounted = 4096

// tally adds up in memory what is stored once a minute.
type tally struct {
	mu      sync.Mutex
	waiting map[storage.PurposeCount]int64 // N of the key is zero
}

func newTally() *tally { return &tally{waiting: make(map[storage.PurposeCount]int64)} }

func (c *tally) add(now time.Time, purpose, route, outcome string, n int64) {
	key := storage.PurposeCount{Day: now.UTC().Truncate(24 * time.Hour), Purpose: purpose, Route: route, Outcome: outcome}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, present := c.waiting[key]; present || len(c.waiting) < maxCounted {
		c.waiting[key] += n
	}
}

// take returns what waits, and begins anew.
func (c *tally) take() []storage.PurposeCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	var counts []storage.PurposeCount
	for key, n := range c.waiting {
		key.N = n
		counts = append(counts, key)
	}
	clear(c.waiting)
	return counts
}

// keepCounting stores counts once a minute, and once more when ctx has ended. Once a day it warns
// of shadow modes that end soon.
func (k *Kit) keepCounting(ctx context.Context) {
	ticker := time.NewTicker(countEvery)
	defer ticker.Stop()
	warned := time.Time{}
	for {
		if now := k.realm.Now(); now.Sub(warned) >= 24*time.Hour {
			warned = now
			k.warnOfShadows(now)
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			k.storeCounts(last)
			return
		case <-ticker.C:
			k.storeCounts(ctx)
		}
	}
}

// storeCounts stores the pending counts. Those that cannot be stored stay pending.
func (k *Kit) storeCounts(ctx context.Context) {
	counts := k.counts.take()
	if len(counts) == 0 {
		return
	}
	if err := k.realm.AddCounts(ctx, counts); err != nil {
		k.log.WarnContext(ctx, "counts not stored; trying again", "error", err)
		for _, c := range counts {
			k.counts.add(c.Day, c.Purpose, c.Route, c.Outcome, c.N)
		}
	}
}

// shadowWarning is how long before its end a shadow mode is warned of.
const shadowWarning = 14 * 24 * time.Hour

func (k *Kit) warnOfShadows(now time.Time) {
	for _, p := range k.config.Purposes {
		if p.modeAt(now) == Shadow && p.Until.Sub(now) <= shadowWarning {
			k.log.Warn("a purpose is about to be required: its shadow mode ends", "purpose", p.Name, "until", p.Until)
		}
	}
}
