package tokens

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

const (
	// endedListLifetime is how long a signed list is valid. Verifiers fetch one every few
	// seconds; the bound is for lists that somebody kept to replay them.
	endedListLifetime = 5 * time.Minute

	// endedResign is how old the date of a list may get before the list is signed again
	// although nothing changed. Each verifier fetches the list of a complete minute only
	// once, so those are signed less often.
	endedResign       = 10 * time.Second
	endedResignMinute = 2 * time.Minute

	// EndedWholeBytes is the size up to which the newest list has everything: some 4000
	// sessions. Above it, the newest list has the last minute or two, and each earlier
	// minute is a list of its own.
	EndedWholeBytes = 64 << 10

	// endedNewest is how far the newest list goes back at least. It is more than
	// EndedSettle, endedResign and a verifier's interval together, so that a verifier that
	// keeps up needs no other list.
	endedNewest = 45 * time.Second
)

// EndedLists signs lists of ended sessions, for services that verify tokens by
// themselves. It keeps the lists it signed, so that repeated requests do not make it
// sign again. It is safe for concurrent use.
type EndedLists struct {
	ended  *EndedSessions
	signer *token.Signer
	issuer string

	mu     sync.Mutex
	newest endedList
	minute map[int64]endedList
}

// NewEndedLists returns the lists of ended, signed by signer in the name of issuer.
func NewEndedLists(ended *EndedSessions, signer *token.Signer, issuer string) *EndedLists {
	return &EndedLists{ended: ended, signer: signer, issuer: issuer, minute: map[int64]endedList{}}
}

// endedList is a signed list and what it was made from.
type endedList struct {
	from, to int64 // minutes
	versions []endedVersion
	period   int64 // of signing
	document []byte
	tag      string
}

// Newest returns the newest list and a version that changes with it, or ErrEndedUnknown.
// The list is a signed [token.EndedSessions], a line break, and the [token.EndedContent]
// that it names. It goes back as far as tokens live, or less if much has ended; its From
// says how far.
func (l *EndedLists) Newest() (list []byte, version string, err error) {
	if err := l.ended.Fresh(); err != nil {
		return nil, "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	readAt := time.Unix(l.ended.readAt.Load(), 0)
	from, to := minuteOf(readAt.Add(-token.EndedFor)), minuteOf(readAt)+2
	encoded, versions := l.ended.memory.encoded(from, to)
	size := 0
	for _, minute := range encoded {
		size += len(minute)
	}
	if size > EndedWholeBytes {
		from = minuteOf(readAt.Add(-endedNewest))
		for len(versions) > 0 && versions[0].minute < from {
			encoded, versions = encoded[1:], versions[1:]
		}
	}
	next := endedList{from: from, to: to, versions: versions, period: readAt.Unix() / int64(endedResign.Seconds())}
	l.newest, err = l.signed(l.newest, next, encoded, readAt)
	return l.newest.document, l.newest.tag, err
}

// Minute returns the list of the sessions that ended in one minute, counted from the
// epoch, and a version, as Newest does. For a minute that no verifier needs any more, or
// that has not begun, it returns [storage.ErrNotFound].
func (l *EndedLists) Minute(minute int64) (list []byte, version string, err error) {
	if err := l.ended.Fresh(); err != nil {
		return nil, "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	readAt := time.Unix(l.ended.readAt.Load(), 0)
	oldest := minuteOf(readAt.Add(-token.EndedFor))
	if minute < oldest || minute > minuteOf(readAt) {
		return nil, "", storage.ErrNotFound
	}
	every := endedResignMinute
	if (minute+1)*60 > readAt.Add(-EndedSettle).Unix() {
		every = endedResign // the minute is not complete yet
	}
	for number := range l.minute {
		if number < oldest {
			delete(l.minute, number)
		}
	}
	encoded, versions := l.ended.memory.encoded(minute, minute+1)
	next := endedList{from: minute, to: minute + 1, versions: versions, period: readAt.Unix() / int64(every.Seconds())}
	signed, err := l.signed(l.minute[minute], next, encoded, readAt)
	if err != nil {
		return nil, "", err
	}
	l.minute[minute] = signed
	return signed.document, signed.tag, nil
}

// signed returns held if it says the same as next, and otherwise next, signed.
func (l *EndedLists) signed(held, next endedList, encoded [][]byte, readAt time.Time) (endedList, error) {
	if held.document != nil && held.from == next.from && held.to == next.to && held.period == next.period &&
		slices.Equal(held.versions, next.versions) {
		return held, nil
	}
	content := bytes.Join(encoded, nil)
	digest := token.EndedDigest(content)
	signed, err := l.signer.SignEndedSessions(token.EndedSessions{
		Issuer: l.issuer, IssuedAt: readAt.Unix(), ExpiresAt: readAt.Add(endedListLifetime).Unix(),
		From: next.from * 60, To: next.to * 60, Settled: readAt.Add(-EndedSettle).Unix(), Digest: digest,
	})
	if err != nil {
		return endedList{}, err
	}
	next.document = append(append(make([]byte, 0, len(signed)+1+len(content)), signed+"\n"...), content...)
	// All instances that know the same have the same tag, though each signs for itself.
	tag := sha256.Sum256(fmt.Appendf(nil, "%d %d %d %s", next.from, next.to, next.period, digest))
	next.tag = base64.RawURLEncoding.EncodeToString(tag[:12])
	return next, nil
}
