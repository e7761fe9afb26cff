package gate

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/stepkey/stepkey"
)

// How old what is known of a browser session may be.
const (
	// usualAge bounds it for a request that passes. Ends of sessions, changes of groups and
	// removed passkeys count at once all the same.
	usualAge = time.Minute

	// refusedAge bounds it for a request that would be refused: the user may have verified a
	// passkey meanwhile.
	refusedAge = time.Second

	// awayAge is how much longer it counts while the store cannot be read. Which sessions have
	// ended is known for no longer than that either.
	awayAge = 30 * time.Second
)

// maxKnown bounds how many browser sessions are kept in memory: two sets of this size, each
// session some kilobytes.
const maxKnown = 5000

// Browsers are the browser sessions of a service. A *stepkey.Service has them.
type Browsers interface {
	Ended
	StartBrowserSession(ctx context.Context, code, secret, origin string) (cookie string, err error)
	BrowserSession(ctx context.Context, cookie, origin string) (stepkey.BrowserSession, error)
	EndBrowserSession(ctx context.Context, cookie, origin string) error

	// Spend is that of guard.ActionSpender.
	Spend(ctx context.Context, id string, until time.Time) (first bool, err error)
}

// NewBrowserSessions returns Sessions of the cookie that the handshake of [NewPages] sets. A
// request without a cookie that counts is left to others, which may be nil.
//
// In the usual case a request costs no round trip to the store: what a decision rests on is
// read at most once a minute for each session and application. While the store is away, sessions
// that are known go on for half a minute.
func NewBrowserSessions(browsers Browsers, others Sessions, clock func() time.Time) Sessions {
	return &browserSessions{browsers: browsers, others: others, clock: clock, now: map[browserKey]knownBrowser{}}
}

// browserKey names a browser session without holding what a client could send.
type browserKey [sha256.Size]byte

func keyOf(cookie, origin string) browserKey {
	text := append(make([]byte, 0, 192), cookie...) // on the stack, if it is long enough
	text = append(append(text, ' '), origin...)     // a cookie has no space
	return sha256.Sum256(text)
}

type knownBrowser struct {
	stepkey.BrowserSession
	readAt time.Time
}

type browserSessions struct {
	browsers Browsers
	others   Sessions
	clock    func() time.Time
	reads    singleflight.Group

	mu          sync.Mutex
	now, before map[browserKey]knownBrowser
}

// Visitor implements Sessions.
func (s *browserSessions) Visitor(r *http.Request, origin string, maxAge time.Duration) (Visitor, error) {
	cookie, ok := cookiesAt(origin).session(r)
	if !ok {
		return s.other(r, origin, maxAge)
	}
	known, err := s.session(r.Context(), cookie, origin, maxAge)
	if errors.Is(err, stepkey.ErrUnauthorized) {
		return s.other(r, origin, maxAge)
	}
	if err != nil {
		return Visitor{}, err
	}
	subject, err := subjectOf(known.Claims, s.browsers)
	if err != nil {
		return Visitor{}, err
	}
	if subject.ID == "" {
		return s.other(r, origin, maxAge)
	}
	return Visitor{Subject: subject, Email: known.Address, Assertion: known.Assertion}, nil
}

func (s *browserSessions) other(r *http.Request, origin string, maxAge time.Duration) (Visitor, error) {
	if s.others == nil {
		return Visitor{}, nil
	}
	return s.others.Visitor(r, origin, maxAge)
}

func (s *browserSessions) session(ctx context.Context, cookie, origin string, maxAge time.Duration) (stepkey.BrowserSession, error) {
	key := keyOf(cookie, origin)
	known, ok := s.get(key)
	age := s.clock().Sub(known.readAt)
	if ok && age < min(maxAge, usualAge) {
		return known.BrowserSession, nil
	}
	read, err, _ := s.reads.Do(string(key[:]), func() (any, error) {
		// Others may wait for it, whose clients are still there.
		return s.browsers.BrowserSession(context.WithoutCancel(ctx), cookie, origin)
	})
	if err == nil {
		s.put(key, knownBrowser{read.(stepkey.BrowserSession), s.clock()})
		return read.(stepkey.BrowserSession), nil
	}
	if errors.Is(err, stepkey.ErrUnauthorized) {
		s.forget(key)
		return stepkey.BrowserSession{}, err
	}
	if ok && maxAge >= usualAge && age < usualAge+awayAge {
		return known.BrowserSession, nil
	}
	return stepkey.BrowserSession{}, err
}

func (s *browserSessions) get(key browserKey) (known knownBrowser, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok = s.now[key]; !ok {
		known, ok = s.before[key]
	}
	return known, ok
}

// put keeps a session. Once the newer set is full it becomes the older one, so that sessions
// that are no longer used are forgotten without a list of uses.
func (s *browserSessions) put(key browserKey, known knownBrowser) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.now) >= maxKnown {
		s.now, s.before = make(map[browserKey]knownBrowser, maxKnown), s.now
	}
	s.now[key] = known
}

func (s *browserSessions) forget(key browserKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.now, key)
	delete(s.before, key)
}
