package stepkey

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stepkey/stepkey/token"
)

const (
	// endedListLifetime is how long a signed list is worth reading. Verifiers ask every
	// few seconds; the bound is for lists that somebody kept to show them later.
	endedListLifetime = 5 * time.Minute

	// endedResign is how old the date of a list gets before the list is signed anew though
	// nothing has changed. Lists of minutes that do not change are asked for once by each
	// verifier, and keep for longer.
	endedResign       = 10 * time.Second
	endedResignMinute = 2 * time.Minute

	// endedWholeBytes is up to what size the newest list has everything: some 4000
	// sessions. Above, it has the last minute or two, and each earlier minute is a list of
	// its own.
	endedWholeBytes = 64 << 10

	// endedNewest is how far the newest list goes back at least. It is more than
	// endedSettle, endedResign and a verifier's interval, so that one that keeps up needs
	// no other list.
	endedNewest = 45 * time.Second
)

// endedLists holds the signed lists as they were last asked for. Nobody makes this
// instance sign again by asking again.
type endedLists struct {
	mu     sync.Mutex
	newest endedList
	minute map[int64]endedList
}

// endedList is a signed list and what it was made from.
type endedList struct {
	from, to int64 // minutes
	versions []endedVersion
	period   int64 // of signing
	document []byte
	tag      string
}

// EndedSessions returns the newest signed list of ended sessions, for services that check
// tokens by themselves, and a version that changes with it. The list is a signed
// [token.EndedSessions], a line break, and the [token.EndedContent] that it names. It goes
// back as far as tokens live, or less where much has ended: From says how far. The minutes
// before are had from EndedSessionsOf.
//
// The list is dated by when the store was last read. EndedSessions fails with
// ErrEndedUnknown where Ended would.
func (s *Service) EndedSessions() (list []byte, version string, err error) {
	if err := s.ended.fresh(); err != nil {
		return nil, "", err
	}
	lists := &s.ended.lists
	lists.mu.Lock()
	defer lists.mu.Unlock()
	readAt := time.Unix(s.ended.readAt.Load(), 0)
	from, to := minuteOf(readAt.Add(-token.EndedFor)), minuteOf(readAt)+2
	encoded, versions := s.ended.memory.encoded(from, to)
	size := 0
	for _, minute := range encoded {
		size += len(minute)
	}
	if size > endedWholeBytes {
		from = minuteOf(readAt.Add(-endedNewest))
		for len(versions) > 0 && versions[0].minute < from {
			encoded, versions = encoded[1:], versions[1:]
		}
	}
	next := endedList{from: from, to: to, versions: versions, period: readAt.Unix() / int64(endedResign.Seconds())}
	lists.newest, err = s.signedList(lists.newest, next, encoded, readAt)
	return lists.newest.document, lists.newest.tag, err
}

// EndedSessionsOf returns the signed list of the sessions that ended in one minute, counted
// from the epoch, and a version, as EndedSessions does. A minute of which nobody needs to
// know any more, or that has not begun, is ErrNotFound.
func (s *Service) EndedSessionsOf(minute int64) (list []byte, version string, err error) {
	if err := s.ended.fresh(); err != nil {
		return nil, "", err
	}
	lists := &s.ended.lists
	lists.mu.Lock()
	defer lists.mu.Unlock()
	readAt := time.Unix(s.ended.readAt.Load(), 0)
	oldest := minuteOf(readAt.Add(-token.EndedFor))
	if minute < oldest || minute > minuteOf(readAt) {
		return nil, "", ErrNotFound
	}
	every := endedResignMinute
	if (minute+1)*60 > readAt.Add(-endedSettle).Unix() {
		every = endedResign // not complete before that
	}
	for number := range lists.minute {
		if number < oldest {
			delete(lists.minute, number)
		}
	}
	if lists.minute == nil {
		lists.minute = map[int64]endedList{}
	}
	encoded, versions := s.ended.memory.encoded(minute, minute+1)
	next := endedList{from: minute, to: minute + 1, versions: versions, period: readAt.Unix() / int64(every.Seconds())}
	signed, err := s.signedList(lists.minute[minute], next, encoded, readAt)
	if err != nil {
		return nil, "", err
	}
	lists.minute[minute] = signed
	return signed.document, signed.tag, nil
}

// signedList returns held if it says what next does, and next, signed, otherwise.
func (s *Service) signedList(held, next endedList, encoded [][]byte, readAt time.Time) (endedList, error) {
	if held.document != nil && held.from == next.from && held.to == next.to && held.period == next.period &&
		slices.Equal(held.versions, next.versions) {
		return held, nil
	}
	content := bytes.Join(encoded, nil)
	digest := token.EndedDigest(content)
	signed, err := s.signer.SignEndedSessions(token.EndedSessions{
		Issuer: s.issuer, IssuedAt: readAt.Unix(), ExpiresAt: readAt.Add(endedListLifetime).Unix(),
		From: next.from * 60, To: next.to * 60, Settled: readAt.Add(-endedSettle).Unix(), Digest: digest,
	})
	if err != nil {
		return endedList{}, err
	}
	next.document = append(append(make([]byte, 0, len(signed)+1+len(content)), signed+"\n"...), content...)
	// The same for all instances that know the same, though each signs for itself.
	tag := sha256.Sum256(fmt.Appendf(nil, "%d %d %d %s", next.from, next.to, next.period, digest))
	next.tag = base64.RawURLEncoding.EncodeToString(tag[:12])
	return next, nil
}
