package tokens

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// endedMemory holds ended sessions by the minute of their end, so that a whole minute can
// be forgotten at once. It is safe for concurrent use.
type endedMemory struct {
	mu      sync.RWMutex
	minutes map[int64]*endedMinute
}

// endedMinute holds the sessions that ended in one minute, each with its user. The user
// is the zero id for sessions that this instance ended and has not yet read back.
type endedMinute struct {
	version  uint64 // changes when anything that is listed does
	sessions map[uuid.UUID]uuid.UUID

	// collapsed has the users whose sessions of this minute are listed as one entry. The
	// instance itself goes by sessions, which keep them all.
	collapsed map[uuid.UUID]token.EndedUser

	// tried has the users for whom collapsing has been decided. settled says that there
	// are no others.
	tried   map[uuid.UUID]struct{}
	settled bool

	// encoded is the minute as lists have it, at encodedVersion.
	encoded        []byte
	encodedVersion uint64
}

func newEndedMemory() *endedMemory {
	return &endedMemory{minutes: map[int64]*endedMinute{}}
}

func minuteOf(at time.Time) int64 { return floorDiv(at.Unix(), 60) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (m *endedMemory) add(ended []storage.EndedSession) {
	if len(ended) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range ended {
		minute := m.minute(minuteOf(e.At))
		if user, known := minute.sessions[e.ID]; known && (user == e.UserID || e.UserID == uuid.Nil) {
			continue
		}
		minute.sessions[e.ID] = e.UserID
		minute.version++
		// The session may be an exception of the entry.
		delete(minute.collapsed, e.UserID)
		delete(minute.tried, e.UserID)
		minute.settled = false
	}
}

func (m *endedMemory) minute(number int64) *endedMinute {
	minute := m.minutes[number]
	if minute == nil {
		minute = &endedMinute{
			sessions:  map[uuid.UUID]uuid.UUID{},
			collapsed: map[uuid.UUID]token.EndedUser{},
			tried:     map[uuid.UUID]struct{}{},
		}
		m.minutes[number] = minute
	}
	return minute
}

func (m *endedMemory) has(session uuid.UUID) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, minute := range m.minutes {
		if _, ended := minute.sessions[session]; ended {
			return true
		}
	}
	return false
}

// forget drops the minutes that were over before that time.
func (m *endedMemory) forget(before time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.minutes, func(number int64, _ *endedMinute) bool { return number < minuteOf(before) })
}

// crowd is a user with at least CollapseFrom ends in one minute.
type crowd struct {
	minute int64
	user   uuid.UUID
}

// crowds returns up to limit crowds that are not decided yet, from minutes that were over
// before that time. A minute that has none left is skipped from then on.
func (m *endedMemory) crowds(before time.Time, limit int) []crowd {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []crowd
	for number, minute := range m.minutes {
		if minute.settled || (number+1)*60 > before.Unix() {
			continue
		}
		users := minute.crowds()
		minute.settled = len(users) == 0
		for _, user := range users {
			if len(found) == limit {
				return found
			}
			found = append(found, crowd{number, user})
		}
	}
	return found
}

func (e *endedMinute) crowds() (users []uuid.UUID) {
	ends := map[uuid.UUID]int{}
	for _, user := range e.sessions {
		ends[user]++
	}
	delete(ends, uuid.Nil)
	for user, n := range ends {
		if _, tried := e.tried[user]; !tried && n >= CollapseFrom {
			users = append(users, user)
		}
	}
	return users
}

// collapse replaces a crowd by an entry on the list, unless one of its exceptions has
// ended in the same minute meanwhile. A nil entry decides that the crowd stays as it is.
func (m *endedMemory) collapse(c crowd, entry *token.EndedUser) {
	m.mu.Lock()
	defer m.mu.Unlock()
	minute := m.minutes[c.minute]
	if minute == nil {
		return
	}
	if entry == nil {
		minute.tried[c.user] = struct{}{}
		return
	}
	for _, session := range entry.Except {
		if _, ended := minute.sessions[uuid.UUID(session)]; ended {
			return
		}
	}
	minute.tried[c.user] = struct{}{}
	minute.collapsed[c.user] = *entry
	minute.version++
}

// endedVersion identifies one state of one minute.
type endedVersion struct {
	minute  int64
	version uint64
}

// encoded returns the minutes from (inclusive) to (exclusive) as lists have them, and
// their versions. Only minutes that have changed are encoded again. Instances that know
// the same encode the same.
func (m *endedMemory) encoded(from, to int64) ([][]byte, []endedVersion) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var encoded [][]byte
	var versions []endedVersion
	for _, number := range slices.Sorted(maps.Keys(m.minutes)) {
		if number < from || number >= to {
			continue
		}
		minute := m.minutes[number]
		if minute.encodedVersion != minute.version {
			minute.encoded = token.EndedContent{minute.listed(number)}.Append(nil)
			minute.encodedVersion = minute.version
		}
		encoded = append(encoded, minute.encoded)
		versions = append(versions, endedVersion{number, minute.version})
	}
	return encoded, versions
}

func (e *endedMinute) listed(number int64) token.EndedMinute {
	listed := token.EndedMinute{Minute: number}
	for session, user := range e.sessions {
		if _, collapsed := e.collapsed[user]; !collapsed {
			listed.Sessions = append(listed.Sessions, token.ID(session))
		}
	}
	for _, entry := range e.collapsed {
		listed.Users = append(listed.Users, entry)
	}
	slices.SortFunc(listed.Sessions, compareIDs)
	slices.SortFunc(listed.Users, func(a, b token.EndedUser) int { return compareIDs(a.User, b.User) })
	return listed
}

func compareIDs(a, b token.ID) int { return bytes.Compare(a[:], b[:]) }
