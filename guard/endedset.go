package guard

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/stepkey/stepkey/token"
)

var errTooManyEnded = errors.New("guard: more ended sessions than can be held")

// endedSet is what a follower holds: by minutes, so that one can be replaced or forgotten
// at once. It is safe for concurrent use.
type endedSet struct {
	mu      sync.RWMutex
	minutes map[int64]*endedMinute
}

type endedMinute struct {
	sessions map[token.ID]struct{}
	users    map[token.ID]token.EndedUser
	ids      int // in both, exceptions included
}

func newEndedMinute(m token.EndedMinute) *endedMinute {
	minute := &endedMinute{
		sessions: make(map[token.ID]struct{}, len(m.Sessions)), users: make(map[token.ID]token.EndedUser, len(m.Users)),
	}
	minute.add(m)
	return minute
}

func (e *endedMinute) add(m token.EndedMinute) {
	for _, session := range m.Sessions {
		e.sessions[session] = struct{}{}
	}
	for _, user := range m.Users {
		e.users[user.User] = user
	}
	e.ids = len(e.sessions)
	for _, user := range e.users {
		e.ids += 1 + len(user.Except)
	}
}

func (s *endedSet) ended(c token.Claims) bool {
	session, hasID := token.ParseID(c.SessionID)
	user, hasUser := token.ParseID(c.Subject)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, minute := range s.minutes {
		if _, ended := minute.sessions[session]; ended && hasID {
			return true
		}
		if len(minute.users) == 0 || !hasUser {
			continue
		}
		if entry, listed := minute.users[user]; listed && entry.Ended(session, c.IssuedAt) {
			return true
		}
	}
	return false
}

// take takes over a list and forgets the minutes before oldest. A minute that the list has
// complete replaces what is held of it. Of others nothing is taken off: instances of an
// issuer do not learn of an end at the same moment, and no session that has ended comes
// back. Nothing changes where there would be too many.
func (s *endedSet) take(list token.EndedSessions, content token.EndedContent, oldest int64) error {
	if countIDs(content) > token.MaxEndedIDs {
		return errTooManyEnded
	}
	s.mu.RLock()
	next := maps.Clone(s.minutes)
	s.mu.RUnlock()
	if next == nil {
		next = map[int64]*endedMinute{}
	}
	maps.DeleteFunc(next, func(number int64, _ *endedMinute) bool { return number < oldest })
	// Built apart, so that guards do not wait for it.
	for _, m := range content {
		if m.Minute < oldest {
			continue
		}
		minute := newEndedMinute(m)
		if held := next[m.Minute]; held != nil && list.Settled < (m.Minute+1)*60 {
			minute.add(held.listed(m.Minute))
		}
		next[m.Minute] = minute
	}
	ids := 0
	for _, minute := range next {
		ids += minute.ids
	}
	if ids > token.MaxEndedIDs {
		return errTooManyEnded
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.minutes = next
	return nil
}

func countIDs(content token.EndedContent) (n int) {
	for _, m := range content {
		n += len(m.Sessions)
		for _, user := range m.Users {
			n += 1 + len(user.Except)
		}
	}
	return n
}

func (e *endedMinute) listed(number int64) token.EndedMinute {
	return token.EndedMinute{
		Minute: number, Sessions: slices.Collect(maps.Keys(e.sessions)), Users: slices.Collect(maps.Values(e.users)),
	}
}
