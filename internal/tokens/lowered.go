package tokens

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// LoweredStore is the part of [storage.Store] that lowered sessions need.
type LoweredStore interface {
	LoweredSessions(ctx context.Context, since time.Time) ([]storage.LoweredSession, error)
}

// LoweredSessions is what this instance knows of sessions that lost level full. Like
// ended sessions, they are kept in memory, because every request that needs level full
// asks. They are few: a session is lowered only if it deletes its own passkey; all other
// sessions of that passkey end. LoweredSessions is safe for concurrent use.
type LoweredSessions struct {
	store LoweredStore
	clock func() time.Time

	mu       sync.RWMutex
	known    map[string]storage.LoweredSession
	lookedAt atomic.Int64 // the last read, in nanoseconds of the monotonic clock since began
	began    time.Time
}

// NewLoweredSessions returns LoweredSessions that have read nothing yet.
func NewLoweredSessions(store LoweredStore, clock func() time.Time) *LoweredSessions {
	return &LoweredSessions{store: store, clock: clock, began: time.Now(), known: map[string]storage.LoweredSession{}}
}

// Read reads the store, and forgets what no token can outlive.
func (l *LoweredSessions) Read(ctx context.Context) error {
	asked := time.Since(l.began)
	since := l.clock().Add(-token.EndedFor)
	lowered, err := l.store.LoweredSessions(ctx, since)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, session := range l.known {
		if session.At.Before(since) {
			delete(l.known, id)
		}
	}
	for _, session := range lowered {
		l.put(session)
	}
	l.lookedAt.Store(int64(asked))
	return nil
}

// put records a session unless more is known already: the store's answer can be older
// than what this instance has done since. The caller holds mu.
func (l *LoweredSessions) put(session storage.LoweredSession) {
	known, ok := l.known[session.ID.String()]
	if ok && (known.At.After(session.At) || (known.At.Equal(session.At) && known.SteppedUp)) {
		return
	}
	l.known[session.ID.String()] = session
}

// Add records sessions that this instance has just lowered.
func (l *LoweredSessions) Add(ids []uuid.UUID, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.put(storage.LoweredSession{ID: id, At: at})
	}
}

// Raised records that a passkey was verified in a session.
func (l *LoweredSessions) Raised(id uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if session, ok := l.known[id.String()]; ok {
		session.SteppedUp = true
		l.known[id.String()] = session
	}
}

// Run reads twice a second until ctx ends. Failures go to failed.
func (l *LoweredSessions) Run(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(endedEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := l.Read(ctx); err != nil {
				failed(err)
			}
		}
	}
}

// Lowered reports whether the passkey that was verified in a session at that time has
// been deleted since, or returns ErrEndedUnknown. verifiedAt is in seconds since the
// epoch.
func (l *LoweredSessions) Lowered(sessionID string, verifiedAt int64) (bool, error) {
	l.mu.RLock()
	session, ok := l.known[sessionID]
	l.mu.RUnlock()
	if ok {
		// Times in tokens are whole seconds. If the verification was in the same second as
		// the deletion, it came later only if a passkey was verified since.
		at := session.At.Unix()
		return verifiedAt < at || (verifiedAt == at && !session.SteppedUp), nil
	}
	return false, l.Fresh()
}

// Fresh returns ErrEndedUnknown unless the last read is recent.
func (l *LoweredSessions) Fresh() error {
	if time.Since(l.began)-time.Duration(l.lookedAt.Load()) > endedTrust {
		return ErrEndedUnknown
	}
	return nil
}
