package stepkey

import (
	"sync"
	"time"

	"github.com/stepkey/stepkey/internal/clientip"
	"github.com/stepkey/stepkey/internal/gcra"
	"github.com/stepkey/stepkey/storage"
)

// The budgets below are counted by each instance for itself. They bound how much one client
// can have an instance do, they guard nothing that could be guessed by trying long enough,
// and so a call that is within them costs no query.

// Calls of one session, and calls without a session per address. A page makes about ten
// calls; twenty open pages and an office behind one address stay far below.
func sessionCallsLimit() storage.Limit {
	return storage.Limit{Burst: 600, Every: 100 * time.Millisecond}
}
func clientCallsLimit() storage.Limit {
	return storage.Limit{Burst: 2000, Every: 20 * time.Millisecond}
}

// Calls of /readyz per address, which ask the database. They have a budget of their own, so
// that clients behind one address do not keep a load balancer from asking.
func readinessLimit() storage.Limit { return storage.Limit{Burst: 100, Every: 200 * time.Millisecond} }

// Refreshes per session. A client refreshes once in 15 minutes, and each of its open pages
// may do so at the same moment.
func refreshLimit() storage.Limit { return storage.Limit{Burst: 60, Every: 2 * time.Second} }

// Wrong introspection secrets, and revocations of tokens that are not ours, per address.
// A right one is refunded.
func introspectionLimit() storage.Limit { return storage.Limit{Burst: 20, Every: 6 * time.Second} }
func revocationLimit() storage.Limit    { return storage.Limit{Burst: 100, Every: time.Second} }

// maxBudgets bounds how many budgets are remembered in each of two generations. One that is
// forgotten starts over, and only those that were not used lately are.
const maxBudgets = 50_000

// budgets are buckets in memory. It is safe for concurrent use.
type budgets struct {
	max int

	mu            sync.Mutex
	recent, older map[string]int64 // when a bucket is full, in microseconds since 1970
}

func newBudgets(limit int) *budgets {
	return &budgets{max: limit, recent: make(map[string]int64)}
}

// charge takes one from a bucket, or returns how long it will be until there is one.
func (b *budgets) charge(bucket string, l storage.Limit, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	next, wait := gcra.New(l.Burst, l.Every).Charge(b.full(bucket), now.UnixMicro(), 1)
	b.keep(bucket, next)
	return time.Duration(wait) * time.Microsecond
}

// refund gives one back.
func (b *budgets) refund(bucket string, l storage.Limit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keep(bucket, gcra.New(l.Burst, l.Every).Refund(b.full(bucket), 1))
}

func (b *budgets) full(bucket string) int64 {
	if full, ok := b.recent[bucket]; ok {
		return full
	}
	return b.older[bucket]
}

// keep starts a new generation where the recent one has no room.
func (b *budgets) keep(bucket string, full int64) {
	if _, known := b.recent[bucket]; !known && len(b.recent) >= b.max {
		b.older, b.recent = b.recent, make(map[string]int64)
	}
	b.recent[bucket] = full
}

// admit takes one from the budget of a scope, or returns a RateLimitedError.
func (l *limits) admit(scope, whose string, limit storage.Limit, now time.Time) error {
	if l.limiter == nil {
		return nil
	}
	if wait := l.budgets.charge(scope+" "+whose, limit, now); wait > 0 {
		return &RateLimitedError{RetryAfter: wait}
	}
	return nil
}

// admitGuess is admit for what may be right; then refund is to be called.
func (l *limits) admitGuess(scope, whose string, limit storage.Limit, now time.Time) (refund func(), err error) {
	if err := l.admit(scope, whose, limit, now); err != nil {
		return nil, err
	}
	return func() { l.budgets.refund(scope+" "+whose, limit) }, nil
}

func (l *limits) admitIntrospection(from Client, now time.Time) (refund func(), err error) {
	return l.admitGuess("introspection", clientip.Address(from.IP).String(), introspectionLimit(), now)
}

func (l *limits) admitRevocation(from Client, now time.Time) (refund func(), err error) {
	return l.admitGuess("revocation", clientip.Address(from.IP).String(), revocationLimit(), now)
}

func (l *limits) admitRefresh(sessionID string, now time.Time) error {
	return l.admit("refresh", sessionID, refreshLimit(), now)
}

// AdmitSession counts a call of a session whose token was checked, or refuses it with a
// RateLimitedError. Package httpapi asks it for every signed-in request. It costs no query:
// each instance counts for itself.
func (s *Service) AdmitSession(sessionID string) error {
	return s.limits.admit("session", sessionID, sessionCallsLimit(), s.now())
}

// AdmitClient is AdmitSession for a call without a session, counted by address.
func (s *Service) AdmitClient(from Client) error {
	return s.limits.admit("client", clientip.Address(from.IP).String(), clientCallsLimit(), s.now())
}

// AdmitReadiness is AdmitClient for a call of [Service.Ready].
func (s *Service) AdmitReadiness(from Client) error {
	return s.limits.admit("readiness", clientip.Address(from.IP).String(), readinessLimit(), s.now())
}

// AdmitIntrospection counts a try at the secret that introspection takes, before it is
// compared, or refuses it with a RateLimitedError. If the secret is right, refund gives the
// try back: those who have it are not limited.
func (s *Service) AdmitIntrospection(from Client) (refund func(), err error) {
	return s.limits.admitIntrospection(from, s.now())
}
