package guard

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/stepkey/stepkey/token"
)

var errTooManyEnded = errors.New("guard: too many ended sessions to hold")

// endedSet is the set of ended sessions that a follower holds, grouped by minute so that
// a minute can be replaced or dropped at once. It is safe for concurrent use.
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
	mark, _ := c.AttributesMark()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, minute := range s.minutes {
		if _, ended := minute.sessions[session]; ended && hasID {
			return true
		}
		if _, changed := minute.sessions[mark]; changed && hasUser {
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

// take adds a list and drops the minutes before oldest. A minute that is complete in the
// list replaces the stored one. An incomplete minute is merged and never removes anything:
// instances of an issuer learn of an end at different moments, and an ended session never
// becomes live again. If there would be too many ids, nothing changes.
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
	// Build the minutes without the lock, so that guards do not wait.
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
