package tokens

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

const (
	// endedEvery is how often an instance reads which sessions others ended.
	endedEvery = 500 * time.Millisecond

	// endedTrust is how long the last read is relied on. After that an instance knows
	// too little to let anybody through.
	endedTrust = 30 * time.Second

	// EndedSettle is how far before its last read an instance reads again: by then every
	// transaction has been committed, and no other instance's clock is that far behind.
	EndedSettle = 15 * time.Second

	// EndedCommit is how long a transaction that ends sessions may take. The rest of
	// EndedSettle is for clocks that differ.
	EndedCommit = 10 * time.Second

	// endedPage is how many ended sessions are read in one statement.
	endedPage = 5000
)

// Many ends of one user become one entry on the list.
const (
	// CollapseFrom is how many ends in one minute become one entry.
	CollapseFrom = 16

	// MaxExceptions is how many live sessions an entry may name. If there are more, the
	// ends are listed one by one.
	MaxExceptions = 64

	// collapsesPerRead bounds the statements that one read spends on collapsing.
	collapsesPerRead = 64
)

// ErrEndedUnknown is returned if the store has not been read recently enough to say
// which sessions have ended. A guard then answers 503.
// Package stepkey exports it, hence the prefix.
var ErrEndedUnknown = errors.New("stepkey: which sessions have ended is not known")

// EndedStore is the part of [storage.Store] that ended sessions need.
type EndedStore interface {
	EndedSessions(ctx context.Context, after storage.EndedSession, limit int) ([]storage.EndedSession, error)
	OpenSessions(ctx context.Context, userID uuid.UUID, createdBefore, expiringAfter time.Time, limit int) ([]uuid.UUID, error)
}

// EndedSessions is what this instance knows of sessions that ended before their tokens
// expire. Every guarded request asks it, so it is kept in memory. It is safe for
// concurrent use, except that only one Read may run at a time.
type EndedSessions struct {
	store  EndedStore
	clock  func() time.Time
	memory *endedMemory

	// The last read: lookedAt in nanoseconds of the monotonic clock since began, and
	// readAt by clock, in seconds since the epoch.
	lookedAt atomic.Int64
	readAt   atomic.Int64
	began    time.Time

	// read is when the last read began, by clock. Only Read uses it.
	read time.Time
}

// NewEndedSessions returns EndedSessions that have read nothing yet.
func NewEndedSessions(store EndedStore, clock func() time.Time) *EndedSessions {
	return &EndedSessions{store: store, clock: clock, memory: newEndedMemory(), began: time.Now()}
}

// Read reads what has ended since the last read, and forgets what no token can outlive.
// The first call reads everything.
func (e *EndedSessions) Read(ctx context.Context) error {
	now, began := e.clock(), time.Since(e.began)
	oldest := now.Add(-token.EndedFor)
	since := oldest
	if !e.read.IsZero() {
		since = later(oldest, earlier(e.read, now).Add(-EndedSettle))
	}
	if err := e.readSince(ctx, since); err != nil {
		return err
	}
	e.memory.forget(oldest)
	e.read = now
	e.readAt.Store(now.Unix())
	e.lookedAt.Store(int64(began))
	return e.collapse(ctx, now)
}

func (e *EndedSessions) readSince(ctx context.Context, since time.Time) error {
	place := storage.EndedSession{At: since}
	for {
		page, err := e.store.EndedSessions(ctx, place, endedPage)
		if err != nil {
			return err
		}
		e.memory.add(page)
		if len(page) < endedPage {
			return nil
		}
		last := page[len(page)-1]
		if last.ID == place.ID && last.At.Equal(place.At) {
			return errors.New("tokens: the store repeats a page of ended sessions")
		}
		place = last
	}
}

// collapse puts many ends of one user in one minute into one entry, which says: every
// token of the user that was issued before a moment, except those of sessions that are
// open. That is exact once the minute is long over:
//
//   - A session that ended in that minute has no token that was issued at the moment or
//     later: the moment is EndedSettle after the minute, and no token is made for a
//     session after its end.
//   - A session that began before the moment is in the store by now, because the store
//     is asked EndedSettle later. If it has not ended, it is an exception. If it has, its
//     own end is on the list.
//   - A session that began at the moment or later has no older token.
//   - An exception that ends later is on the list for the minute of its own end.
func (e *EndedSessions) collapse(ctx context.Context, now time.Time) error {
	for _, c := range e.memory.crowds(now.Add(-2*EndedSettle), collapsesPerRead) {
		notBefore := time.Unix((c.minute+1)*60, 0).Add(EndedSettle)
		open, err := e.store.OpenSessions(ctx, c.user, notBefore.UTC(), now.Add(-EndedSettle), MaxExceptions+1)
		if err != nil {
			return err
		}
		if len(open) > MaxExceptions {
			e.memory.collapse(c, nil)
			continue
		}
		entry := &token.EndedUser{User: token.ID(c.user), NotBefore: notBefore.Unix()}
		for _, id := range open {
			entry.Except = append(entry.Except, token.ID(id))
		}
		e.memory.collapse(c, entry)
	}
	return nil
}

// Add has this instance refuse sessions that it has just ended, without waiting for the
// next read.
func (e *EndedSessions) Add(ids []uuid.UUID, at time.Time) {
	ended := make([]storage.EndedSession, len(ids))
	for i, id := range ids {
		ended[i] = storage.EndedSession{ID: id, At: at}
	}
	e.memory.add(ended)
}

// Run reads twice a second until ctx ends. Failures go to failed.
func (e *EndedSessions) Run(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(endedEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := e.Read(ctx); err != nil {
				failed(err)
			}
		}
	}
}

// Fresh returns ErrEndedUnknown unless the last read is recent.
func (e *EndedSessions) Fresh() error {
	if time.Since(e.began)-time.Duration(e.lookedAt.Load()) > endedTrust {
		return ErrEndedUnknown
	}
	return nil
}

// Ended reports whether the session of a token has ended before the token expires, or the
// user's groups or own claims have changed since it was made. Otherwise it may return
// ErrEndedUnknown.
func (e *EndedSessions) Ended(c token.Claims) (bool, error) {
	if id, ok := token.ParseID(c.SessionID); ok && e.memory.has(uuid.UUID(id)) {
		return true, nil
	}
	if mark, ok := c.AttributesMark(); ok && e.memory.has(uuid.UUID(mark)) {
		return true, nil
	}
	return false, e.Fresh()
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
