// Package tally collects failed attempts in memory and counts them in the owners' security logs a
// moment later.
//
// A failed attempt is answered before anything is written for it. So an attempt at a known name takes
// as long as one at an unknown name, for which nothing is written, and a flood of attempts at one
// account is one write each second. A process that is killed loses the attempts of its last second.
package tally

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

const (
	// every is how often what was collected is counted.
	every = time.Second

	// maxEntries bounds the memory while the store does not answer. Attempts beyond it are not
	// counted, except those that add to an entry.
	maxEntries = 10_000

	// lastFlush bounds the time for the rest when the service stops.
	lastFlush = 5 * time.Second
)

// key is what attempts that are counted together have in common.
type key struct {
	user, session uuid.UUID
	kind          storage.EventKind
	network       string
	day           int64
}

// Tally collects attempts. Its methods may be called by several goroutines.
type Tally struct {
	events storage.EventStore

	mu      sync.Mutex
	waiting map[key]storage.Event
}

// New returns a Tally that counts attempts in events.
func New(events storage.EventStore) *Tally {
	return &Tally{events: events, waiting: map[key]storage.Event{}}
}

// Add collects one attempt. e.Times is ignored.
func (t *Tally) Add(e storage.Event) {
	e.Times = 1
	t.put(e)
}

func (t *Tally) put(e storage.Event) {
	k := key{e.UserID, e.SessionID, e.Kind, e.Network, e.At.Unix() / int64(24*time.Hour/time.Second)}
	t.mu.Lock()
	defer t.mu.Unlock()
	before, there := t.waiting[k]
	if !there && len(t.waiting) >= maxEntries {
		return
	}
	e.Times += before.Times
	if e.Reason == "" {
		e.Reason = before.Reason
	}
	if before.At.After(e.At) { // e was put back
		e.At, e.Device = before.At, before.Device
	}
	t.waiting[k] = e
}

// Flush stores the collected counts of a user, or of all users if userID is zero. Counts that cannot be
// stored stay collected.
func (t *Tally) Flush(ctx context.Context, userID uuid.UUID) error {
	taken := t.take(userID)
	for i, e := range taken {
		if err := t.events.CountAttempts(ctx, e); err != nil {
			for _, left := range taken[i:] {
				t.put(left)
			}
			return err
		}
	}
	return nil
}

func (t *Tally) take(userID uuid.UUID) []storage.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	var taken []storage.Event
	for k, e := range t.waiting {
		if userID == uuid.Nil || k.user == userID {
			taken = append(taken, e)
			delete(t.waiting, k)
		}
	}
	return taken
}

// Run counts what was collected, every second until ctx is done and then once more.
func (t *Tally) Run(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			if err := t.Flush(rest, uuid.Nil); err != nil {
				failed(err)
			}
			return
		case <-ticker.C:
			if err := t.Flush(ctx, uuid.Nil); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
	}
}
