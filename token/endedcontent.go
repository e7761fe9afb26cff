package token

import (
	"encoding/binary"
	"errors"
)

// ID is the id of a session or a user, a UUID, as 16 bytes.
type ID [16]byte

// ParseID reads an id from its text in a token, such as
// 0190b0a1-7c3d-4000-8000-0123456789ab. It reports false for every other form.
func ParseID(text string) (ID, bool) {
	var id ID
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return ID{}, false
	}
	n := 0
	for i := 0; i < len(text); i++ {
		if text[i] == '-' && (i == 8 || i == 13 || i == 18 || i == 23) {
			continue
		}
		digit, ok := hexDigit(text[i])
		if !ok {
			return ID{}, false
		}
		id[n/2] = id[n/2]<<4 | digit
		n++
	}
	return id, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// EndedContent lists sessions by the minute in which they ended. The digest in an
// [EndedSessions] is computed over it.
type EndedContent []EndedMinute

// EndedMinute lists what ended in one minute.
type EndedMinute struct {
	Minute   int64 // since the epoch
	Sessions []ID
	Users    []EndedUser // their sessions of this minute are not in Sessions
}

// EndedUser stands for many sessions of one user that ended in the same minute. Tokens
// of the user issued before NotBefore are refused, except those of the sessions in
// Except, which were still live.
type EndedUser struct {
	User      ID
	NotBefore int64 // seconds since the epoch
	Except    []ID
}

// Ended reports whether a token of the user with this session and iat is refused.
func (u EndedUser) Ended(session ID, issuedAt int64) bool {
	if issuedAt >= u.NotBefore {
		return false
	}
	for _, live := range u.Except {
		if live == session {
			return false
		}
	}
	return true
}

// MaxEndedIDs bounds the ids in all lists that are held at once, exceptions included:
// two million sessions that ended within [EndedFor].
const MaxEndedIDs = 2 << 20

// maxEndedMinutes bounds the minutes of one content. Tokens live for up to 17 of them.
const maxEndedMinutes = 32

// MaxEndedContentBytes bounds one content.
const MaxEndedContentBytes = 16*MaxEndedIDs + 1<<20

// The content is a sequence of minutes. Numbers are big-endian:
//
//	minute     8 bytes
//	sessions   4 bytes, and 16 for each
//	users      4 bytes, and for each: 16 (id), 8 (not before), 4 (exceptions), and 16 for each exception

// Append appends the content to b.
func (c EndedContent) Append(b []byte) []byte {
	for _, m := range c {
		b = binary.BigEndian.AppendUint64(b, uint64(m.Minute))
		b = appendIDs(b, m.Sessions)
		b = binary.BigEndian.AppendUint32(b, uint32(len(m.Users)))
		for _, u := range m.Users {
			b = append(b, u.User[:]...)
			b = binary.BigEndian.AppendUint64(b, uint64(u.NotBefore))
			b = appendIDs(b, u.Except)
		}
	}
	return b
}

func appendIDs(b []byte, ids []ID) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(ids)))
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	return b
}

var errEndedContent = errors.New("token: malformed list of ended sessions")

// ParseEndedContent reads what [EndedContent.Append] wrote, minutes in ascending order.
// It allocates no more than a small multiple of len(b).
func ParseEndedContent(b []byte) (EndedContent, error) {
	var c EndedContent
	r := endedReader{rest: b}
	for len(r.rest) > 0 && !r.failed {
		m := EndedMinute{Minute: int64(r.uint64()), Sessions: r.ids()}
		for range r.count(28) {
			u := EndedUser{User: r.id(), NotBefore: int64(r.uint64()), Except: r.ids()}
			m.Users = append(m.Users, u)
		}
		if len(c) == maxEndedMinutes || len(c) > 0 && m.Minute <= c[len(c)-1].Minute {
			return nil, errEndedContent
		}
		c = append(c, m)
	}
	if r.failed {
		return nil, errEndedContent
	}
	return c, nil
}

// endedReader reads values from the front of rest. After a failure, all values
// are zero.
type endedReader struct {
	rest   []byte
	failed bool
}

func (r *endedReader) take(n int) []byte {
	if r.failed || len(r.rest) < n {
		r.failed = true
		return make([]byte, min(n, 16))
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *endedReader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *endedReader) id() ID { return ID(r.take(16)) }

// count reads the number of values, of at least size bytes each, that follow. A number
// that exceeds the remaining bytes fails before anything is allocated.
func (r *endedReader) count(size int) int {
	n := int(binary.BigEndian.Uint32(r.take(4)))
	if r.failed || n > len(r.rest)/size {
		r.failed = true
		return 0
	}
	return n
}

func (r *endedReader) ids() []ID {
	n := r.count(16)
	if n == 0 {
		return nil
	}
	ids := make([]ID, n)
	for i := range ids {
		ids[i] = r.id()
	}
	return ids
}
