package guard

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stepkey/stepkey/token"
)

// The defaults of FollowOptions.
const (
	DefaultFollowInterval = 5 * time.Second
	DefaultMaxStale       = 60 * time.Second
)

// ErrEndedUnknown is returned by an [EndedFollower] that cannot tell whether a
// session has ended, because the list has been unconfirmed for too long.
var ErrEndedUnknown = errors.New("guard: the list of ended sessions is not up to date")

// listTimeout bounds the fetch of one list, connection and body included.
const listTimeout = 20 * time.Second

var (
	errOlderList  = errors.New("guard: the list of ended sessions is older than the one held")
	errStaleList  = errors.New("guard: the list of ended sessions is too old")
	errListDigest = errors.New("guard: the list of ended sessions does not match its signed digest")
	errListRange  = errors.New("guard: the list of ended sessions covers another time")
)

// FollowOptions configure [FollowEndedSessions].
type FollowOptions struct {
	Client *http.Client // nil means one with the default transport

	// Interval is how often the list is polled, and so how long, at most, an ended
	// session's tokens are still accepted. Zero means 5 s.
	Interval time.Duration

	// MaxStale is how long the list may go unconfirmed before every request is
	// refused with 503. Zero means 60 s. A larger value keeps a service up through
	// longer outages of the issuer, but ended sessions then stay usable during an
	// outage.
	//
	// It bounds two times: the time since the issuer last answered, and the time since the
	// issuer last read its database, with [token.Leeway] added for clock differences.
	MaxStale time.Duration
}

// EndedFollower is an [EndedSessions] that follows the list an issuer publishes.
// It is safe for concurrent use.
type EndedFollower struct {
	source   source
	verifier *token.Verifier
	interval time.Duration
	maxStale time.Duration
	set      endedSet
	state    atomic.Pointer[endedState]

	// set contains every relevant end before covered, in seconds since the epoch. Only
	// poll uses it.
	covered int64
}

// endedState is immutable.
type endedState struct {
	issuedAt  int64
	expiresAt int64
	etag      string
	confirmed time.Time // when the request was sent that last confirmed this list
	failed    error     // of the last poll
}

// FollowEndedSessions polls the signed list of ended sessions at url until ctx is
// done, and keeps it in memory. The list must be signed with a key that verifier
// accepts, and by its issuer. If the list does not go back as far as tokens live, the
// missing minutes are fetched from paths below url. At most [token.MaxEndedIDs] ids
// are kept; a longer list counts as unconfirmed.
//
// It polls once before it returns, for at most 5 s, so that the first request
// finds a list. An issuer that does not answer is not an error: Ended then
// returns [ErrEndedUnknown] until it does. An unusable address is an [ErrURL].
//
// Once the list has been unconfirmed for longer than MaxStale, for example
// because ctx is done, Ended returns [ErrEndedUnknown], and guards refuse every
// request. A guard fails closed because cutting a service off from the list
// would otherwise undo every sign-out.
func FollowEndedSessions(
	ctx context.Context, url string, verifier *token.Verifier, options FollowOptions,
) (*EndedFollower, error) {
	source, err := newSource(url, options.Client, token.MaxEndedContentBytes)
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
	first, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	f.poll(first)
	go f.follow(ctx)
	return f, nil
}

// Ended implements [EndedSessions].
func (f *EndedFollower) Ended(c token.Claims) (bool, error) {
	s := f.state.Load()
	if time.Since(s.confirmed) > f.maxStale {
		return false, errors.Join(ErrEndedUnknown, s.failed)
	}
	if f.stale(s.issuedAt) {
		return false, errors.Join(ErrEndedUnknown, errStaleList, s.failed)
	}
	return f.set.ended(c), nil
}

// stale reports whether a list issued at that time is too old to use.
func (f *EndedFollower) stale(issuedAt int64) bool {
	return f.age(issuedAt) > f.maxStale+token.Leeway
}

func (f *EndedFollower) age(issuedAt int64) time.Duration {
	return f.verifier.Now().Sub(time.Unix(issuedAt, 0))
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

// next requests the list. It accepts "Not modified" only while the list it has is
// valid and recent; after that it needs a newly signed one.
func (f *EndedFollower) next(ctx context.Context, before *endedState) (*endedState, error) {
	asked, etag := time.Now(), before.etag
	if asked.Add(f.interval).Unix() >= before.expiresAt || f.age(before.issuedAt) > f.maxStale/2 {
		etag = ""
	}
	list, err := f.fetch(ctx, f.source.url, etag)
	if err != nil {
		return nil, err
	}
	if list.notModified {
		confirmed := *before
		confirmed.confirmed, confirmed.failed = asked, nil
		return &confirmed, nil
	}
	// Each instance of an issuer signs its own lists, so one may be a little older than the
	// last. A list that is older by more than the clock leeway is a replay.
	if list.IssuedAt < before.issuedAt-int64(token.Leeway.Seconds()) {
		return nil, errOlderList
	}
	if f.stale(list.IssuedAt) {
		return nil, errStaleList
	}
	if err := f.take(ctx, list); err != nil {
		return nil, err
	}
	return &endedState{
		issuedAt: max(list.IssuedAt, before.issuedAt), expiresAt: list.ExpiresAt, etag: list.etag, confirmed: asked,
	}, nil
}

// take stores the newest list and fetches the lists of any minutes between it and the
// ones already stored. Lists that were fetched are kept if a later fetch fails.
func (f *EndedFollower) take(ctx context.Context, newest endedList) error {
	oldest := newest.IssuedAt - int64(token.EndedFor.Seconds())
	if err := f.set.take(newest.EndedSessions, newest.content, oldest/60); err != nil {
		return err
	}
	f.covered = max(f.covered, oldest)
	for f.covered < newest.From {
		minute := f.covered / 60
		list, err := f.fetch(ctx, f.minuteURL(minute), "")
		if err != nil {
			return err
		}
		if list.From != minute*60 || list.To != (minute+1)*60 || list.Settled < list.To {
			return errListRange
		}
		if err := f.set.take(list.EndedSessions, list.content, oldest/60); err != nil {
			return err
		}
		f.covered = list.To
	}
	f.covered = max(f.covered, newest.Settled)
	return nil
}

// minuteURL is the address of the list of one minute, below that of the newest
// list.
func (f *EndedFollower) minuteURL(minute int64) string {
	address, err := url.Parse(f.source.url)
	if err != nil {
		return "" // cannot happen: newSource has parsed it
	}
	return address.JoinPath(strconv.FormatInt(minute, 10)).String()
}

// endedList is a list whose signature and digest were verified.
type endedList struct {
	token.EndedSessions
	content     token.EndedContent
	etag        string
	notModified bool
}

// fetch reads the statement and, after verifying its signature, the content.
func (f *EndedFollower) fetch(ctx context.Context, address, etag string) (endedList, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	response, err := f.source.ask(ctx, address, etag)
	if err != nil {
		return endedList{}, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotModified {
		return endedList{notModified: true}, nil
	}
	body := bufio.NewReaderSize(response.Body, token.MaxBytes+1)
	statement, err := body.ReadSlice('\n')
	if err != nil && len(statement) <= token.MaxBytes && ctx.Err() != nil {
		return endedList{}, err
	}
	list := endedList{etag: response.Header.Get("ETag")}
	list.EndedSessions, err = f.verifier.VerifyEndedSessions(ctx, strings.TrimSuffix(string(statement), "\n"))
	if err != nil {
		return endedList{}, err
	}
	content, err := readWithin(body, f.source.limit)
	if err != nil {
		return endedList{}, err
	}
	if token.EndedDigest(content) != list.Digest {
		return endedList{}, errListDigest
	}
	list.content, err = token.ParseEndedContent(content)
	if err != nil {
		return endedList{}, err
	}
	for _, m := range list.content {
		if m.Minute < list.From/60 || m.Minute >= list.To/60 {
			return endedList{}, errListRange
		}
	}
	return list, nil
}
