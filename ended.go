package stepkey

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
	// endedEvery is how often an instance looks for sessions that others ended.
	endedEvery = 500 * time.Millisecond

	// endedTrust is for how long it goes by its last look. After that it knows too
	// little to let anybody through.
	endedTrust = 30 * time.Second

	// endedSettle is how far before its last look an instance reads again: by then every
	// transaction has been committed, and no other instance's clock is so far behind.
	endedSettle = 15 * time.Second

	// endedCommit is how long a transaction that ends sessions may take; see inTxEnding.
	// The rest of endedSettle is for clocks that differ.
	endedCommit = 10 * time.Second

	// endedPage is how many ended sessions are read in one statement.
	endedPage = 5000
)

// Many ends of one user become one entry on the list.
const (
	// collapseFrom is how many ends in one minute do.
	collapseFrom = 16

	// maxExceptions bounds the live sessions that an entry names. With more than that the
	// ends are listed one by one.
	maxExceptions = 64

	// collapsesPerLook bounds the statements that one look spends on it.
	collapsesPerLook = 64
)

// ErrEndedUnknown is returned for want of a fresh look at which sessions have
// ended. A guard then answers 503.
var ErrEndedUnknown = errors.New("stepkey: not known which sessions have ended")

// endedSessions is what this instance knows of sessions that ended before their
// tokens do. It is read at every guarded request, and so kept in memory.
type endedSessions struct {
	store Store
	clock func() time.Time

	memory *endedMemory
	lists  endedLists

	lookedAt atomic.Int64 // nanoseconds of the monotonic clock since began
	readAt   atomic.Int64 // the same look, by clock: seconds since the epoch
	began    time.Time

	// read is when the last look began, by clock. Only look uses it.
	read time.Time
}

func newEndedSessions(store Store, clock func() time.Time) *endedSessions {
	return &endedSessions{store: store, clock: clock, memory: newEndedMemory(), began: time.Now()}
}

// look reads what has ended since the last look, and forgets what no token can outlive.
// The first look reads everything. One look runs at a time.
func (e *endedSessions) look(ctx context.Context) error {
	now, began := e.clock(), time.Since(e.began)
	oldest := now.Add(-token.EndedFor)
	since := oldest
	if !e.read.IsZero() {
		since = latest(oldest, earlier(e.read, now).Add(-endedSettle))
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

func (e *endedSessions) readSince(ctx context.Context, since time.Time) error {
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
			return errors.New("stepkey: the store repeats a page of ended sessions")
		}
		place = last
	}
}

// collapse puts many ends of one user in one minute into one entry: every token of the
// user that was issued before a moment, unless it is of a session that is open. That is
// exact once the minute is long over:
//
//   - A session that ended in it has no token that was issued at that moment or later:
//     the moment is endedSettle after the minute, and no token is made for a session
//     after its end.
//   - A session that began before the moment is there to be read: the store is asked
//     endedSettle after it. If it has not ended, it is an exception. If it has, it is
//     on the list by its own end.
//   - A session that began at the moment or later has no older token.
//   - An exception that ends later is on the list for the minute of its own end.
func (e *endedSessions) collapse(ctx context.Context, now time.Time) error {
	for _, c := range e.memory.crowds(now.Add(-2*endedSettle), collapsesPerLook) {
		notBefore := time.Unix((c.minute+1)*60, 0).Add(endedSettle)
		open, err := e.store.OpenSessions(ctx, c.user, notBefore.UTC(), now.Add(-endedSettle), maxExceptions+1)
		if err != nil {
			return err
		}
		if len(open) > maxExceptions {
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

// add has this instance refuse sessions that it has just ended.
func (e *endedSessions) add(ids []uuid.UUID, at time.Time) {
	ended := make([]storage.EndedSession, len(ids))
	for i, id := range ids {
		ended[i] = storage.EndedSession{ID: id, At: at}
	}
	e.memory.add(ended)
}

// run looks again and again until ctx ends.
func (e *endedSessions) run(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(endedEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := e.look(ctx); err != nil {
				failed(err)
			}
		}
	}
}

// fresh returns ErrEndedUnknown unless the last look was lately.
func (e *endedSessions) fresh() error {
	if time.Since(e.began)-time.Duration(e.lookedAt.Load()) > endedTrust {
		return ErrEndedUnknown
	}
	return nil
}

// Ended reports whether a session has ended before its tokens. It implements the
// interface of that name in the package guard.
func (e *endedSessions) Ended(c token.Claims) (bool, error) {
	if id, ok := token.ParseID(c.SessionID); ok && e.memory.has(uuid.UUID(id)) {
		return true, nil
	}
	return false, e.fresh()
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
