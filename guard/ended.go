package guard

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/stepkey/stepkey/token"
)

// The defaults of FollowOptions.
const (
	DefaultFollowInterval = 5 * time.Second
	DefaultMaxStale       = 60 * time.Second
)

// ErrEndedUnknown is why an [EndedFollower] cannot say whether a session has
// ended: the list could not be confirmed for too long.
var ErrEndedUnknown = errors.New("guard: the list of ended sessions is not up to date")

var errOlderList = errors.New("guard: the list of ended sessions is older than the one held")

// FollowOptions change how [FollowEndedSessions] follows.
type FollowOptions struct {
	Client *http.Client // nil means one with the default transport

	// Interval is how often the list is asked for: how long, at most, an ended
	// session's tokens are still accepted. Zero means 5 s.
	Interval time.Duration

	// MaxStale is how long the list may go unconfirmed before every request is
	// refused with 503. Zero means 60 s. Longer keeps a service up through longer
	// outages of the issuer, in which ended sessions go on.
	MaxStale time.Duration
}

// EndedFollower is an [EndedSessions] that follows the list an issuer publishes.
// It is safe for concurrent use.
type EndedFollower struct {
	source   source
	verifier *token.Verifier
	interval time.Duration
	maxStale time.Duration
	state    atomic.Pointer[endedState]
}

// endedState is never changed.
type endedState struct {
	ended     map[string]struct{}
	issuedAt  int64
	expiresAt int64
	etag      string
	confirmed time.Time // when the question was sent that this list answered
	failed    error     // of the last poll
}

// FollowEndedSessions polls the signed list of ended sessions at url until ctx
// is done, and holds it in memory. The list has to be signed by a key of
// verifier's and of its issuer.
//
// It asks once before it returns, for at most 5 s, so that the first request
// finds a list. That the issuer does not answer is no error: Ended then returns
// [ErrEndedUnknown] until it does. An unusable address is an [ErrURL].
//
// Once the list has gone unconfirmed for longer than MaxStale, also because ctx
// is done, Ended returns [ErrEndedUnknown], and guards refuse every request: a
// guard fails closed, since cutting a service off from the list would otherwise
// undo every sign-out.
func FollowEndedSessions(
	ctx context.Context, url string, verifier *token.Verifier, options FollowOptions,
) (*EndedFollower, error) {
	source, err := newSource(url, options.Client, token.MaxEndedSessionsBytes)
	if err != nil {
		return nil, err
	}
	if options.Interval <= 0 {
		options.Interval = DefaultFollowInterval
	}
	if options.MaxStale <= 0 {
		options.MaxStale = DefaultMaxStale
	}
	f := &EndedFollower{source: source, verifier: verifier, interval: options.Interval, maxStale: options.MaxStale}
	f.state.Store(&endedState{})
	f.poll(ctx)
	go f.follow(ctx)
	return f, nil
}

// Ended implements [EndedSessions].
func (f *EndedFollower) Ended(sessionID string) (bool, error) {
	s := f.state.Load()
	if time.Since(s.confirmed) > f.maxStale {
		return false, errors.Join(ErrEndedUnknown, s.failed)
	}
	_, ended := s.ended[sessionID]
	return ended, nil
}

func (f *EndedFollower) follow(ctx context.Context) {
	ticker := time.NewTicker(f.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			f.poll(ctx)
		}
	}
}

func (f *EndedFollower) poll(ctx context.Context) {
	before := f.state.Load()
	next, err := f.next(ctx, before)
	if err != nil {
		failing := *before
		failing.failed = err
		next = &failing
	}
	f.state.Store(next)
}

// next asks for the list. "Not modified" is taken for an answer only while the
// list held stays valid: after that it has to come signed anew.
func (f *EndedFollower) next(ctx context.Context, before *endedState) (*endedState, error) {
	asked, etag := time.Now(), before.etag
	if asked.Add(f.interval).Unix() >= before.expiresAt {
		etag = ""
	}
	a, err := f.source.fetch(ctx, etag)
	if err != nil {
		return nil, err
	}
	if a.notModified {
		confirmed := *before
		confirmed.confirmed, confirmed.failed = asked, nil
		return &confirmed, nil
	}
	list, err := f.verifier.VerifyEndedSessions(ctx, string(a.body))
	if err != nil {
		return nil, err
	}
	return before.replaced(list, a.header.Get("ETag"), asked)
}

// replaced is the state after list came. Instances of one issuer sign lists of
// their own, so one may be no newer than the last: such a list adds, and takes
// off nothing. One that is older by more than clocks differ is a replay.
func (s *endedState) replaced(list token.EndedSessions, etag string, asked time.Time) (*endedState, error) {
	if list.IssuedAt < s.issuedAt-int64(token.Leeway.Seconds()) {
		return nil, errOlderList
	}
	next := &endedState{
		ended:    make(map[string]struct{}, len(list.SessionIDs)),
		issuedAt: max(list.IssuedAt, s.issuedAt), expiresAt: list.ExpiresAt, etag: etag, confirmed: asked,
	}
	if list.IssuedAt <= s.issuedAt {
		maps.Copy(next.ended, s.ended)
	}
	for _, id := range list.SessionIDs {
		next.ended[id] = struct{}{}
	}
	return next, nil
}
