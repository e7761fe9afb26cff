package stepkey

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// loweredSessions is what this instance knows of them. Like ended sessions they are asked for at
// every request that needs level full, and so kept in memory. They are few: a session is lowered
// only by the deletion of a passkey in that same session; all others of the passkey end.
type loweredSessions struct {
	store Store
	clock func() time.Time

	mu       sync.RWMutex
	known    map[string]storage.LoweredSession
	lookedAt atomic.Int64 // nanoseconds of the monotonic clock since began
	began    time.Time
}

func newLoweredSessions(store Store, clock func() time.Time) *loweredSessions {
	return &loweredSessions{store: store, clock: clock, began: time.Now(), known: map[string]storage.LoweredSession{}}
}

// look asks the store, and forgets what no token can outlive.
func (l *loweredSessions) look(ctx context.Context) error {
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

// put notes a session unless more is known already: an answer of the store can be older than what
// this instance has done since.
func (l *loweredSessions) put(session storage.LoweredSession) {
	known, ok := l.known[session.ID.String()]
	if ok && (known.At.After(session.At) || (known.At.Equal(session.At) && known.Raised)) {
		return
	}
	l.known[session.ID.String()] = session
}

func (l *loweredSessions) add(ids []uuid.UUID, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.put(storage.LoweredSession{ID: id, At: at})
	}
}

// raised notes that a passkey was verified in a session.
func (l *loweredSessions) raised(id uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if session, ok := l.known[id.String()]; ok {
		session.Raised = true
		l.known[id.String()] = session
	}
}

// run looks again and again until ctx ends.
func (l *loweredSessions) run(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(endedEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := l.look(ctx); err != nil {
				failed(err)
			}
		}
	}
}

// Lowered reports whether the passkey that was verified at that time in a session has been deleted
// since, as far as this instance knows, which is up to half a second behind the others. It returns
// ErrEndedUnknown if it has not been able to tell for 30 seconds. It implements
// guard.LoweredSessions.
func (s *Service) Lowered(sessionID string, verifiedAt int64) (bool, error) {
	l := s.lowered
	l.mu.RLock()
	session, ok := l.known[sessionID]
	l.mu.RUnlock()
	if ok {
		// Times in tokens are whole seconds. A verification in the second of the deletion is the newer
		// one if there has been one since.
		at := session.At.Unix()
		return verifiedAt < at || (verifiedAt == at && !session.Raised), nil
	}
	if time.Since(l.began)-time.Duration(l.lookedAt.Load()) > endedTrust {
		return false, ErrEndedUnknown
	}
	return false, nil
}
