package stepkey

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/token"
)

const (
	// endedEvery is how often an instance looks for sessions that others ended.
	endedEvery = 500 * time.Millisecond

	// endedTrust is for how long it goes by its last look. After that it knows too
	// little to let anybody through.
	endedTrust = 30 * time.Second

	// endedFor is how long an ended session has to be remembered: until its last
	// token has expired everywhere.
	endedFor = token.Lifetime + 2*token.Leeway
)

// ErrEndedUnknown is returned for want of a fresh look at which sessions have
// ended. A guard then answers 503.
var ErrEndedUnknown = errors.New("stepkey: not known which sessions have ended")

// endedSessions is what this instance knows of sessions that ended before their
// tokens do. It is read at every guarded request, and so kept in memory.
type endedSessions struct {
	store Store
	clock func() time.Time

	known    sync.Map     // session id as text -> time.Time of its end
	lookedAt atomic.Int64 // nanoseconds of the monotonic clock since began
	began    time.Time
}

func newEndedSessions(store Store, clock func() time.Time) *endedSessions {
	return &endedSessions{store: store, clock: clock, began: time.Now()}
}

// look asks the store, and forgets what no token can outlive.
func (e *endedSessions) look(ctx context.Context) error {
	since := e.clock().Add(-endedFor)
	ended, err := e.store.EndedSessions(ctx, since)
	if err != nil {
		return err
	}
	for _, session := range ended {
		e.known.Store(session.ID.String(), session.At)
	}
	e.known.Range(func(id, at any) bool {
		if at.(time.Time).Before(since) {
			e.known.Delete(id)
		}
		return true
	})
	e.lookedAt.Store(int64(time.Since(e.began)))
	return nil
}

func (e *endedSessions) add(ids []uuid.UUID, at time.Time) {
	for _, id := range ids {
		e.known.Store(id.String(), at)
	}
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

// Ended reports whether a session has ended before its tokens. It implements the
// interface of that name in the package guard.
func (e *endedSessions) Ended(sessionID string) (bool, error) {
	if _, ended := e.known.Load(sessionID); ended {
		return true, nil
	}
	if time.Since(e.began)-time.Duration(e.lookedAt.Load()) > endedTrust {
		return false, ErrEndedUnknown
	}
	return false, nil
}

// list returns the ids in order.
func (e *endedSessions) list() []string {
	ids := []string{}
	e.known.Range(func(id, _ any) bool {
		ids = append(ids, id.(string))
		return true
	})
	slices.Sort(ids)
	return ids
}

// EndedSessions returns the signed list of sessions that ended before their tokens,
// for services that check tokens by themselves, and a version that changes with
// what is on it. It fails with ErrEndedUnknown where Ended would.
func (s *Service) EndedSessions() (signed, version string, err error) {
	if _, err := s.ended.Ended(""); err != nil {
		return "", "", err
	}
	ids, now := s.ended.list(), s.now()
	signed, err = s.signer.SignEndedSessions(token.EndedSessions{
		Issuer: s.issuer, IssuedAt: now.Unix(), ExpiresAt: now.Add(endedListLifetime).Unix(), SessionIDs: ids,
	})
	// The version moves on with time as well, so that nobody is left with a list that
	// is about to expire.
	part := strconv.FormatInt(now.Unix()/int64(endedListLifetime.Seconds()/2), 10)
	digest := sha256.Sum256([]byte(part + " " + strings.Join(ids, " ")))
	return signed, base64.RawURLEncoding.EncodeToString(digest[:12]), err
}

// endedListLifetime is how long a signed list is worth reading. Verifiers ask every
// few seconds; the bound is for lists that somebody kept to show them later.
const endedListLifetime = 5 * time.Minute
