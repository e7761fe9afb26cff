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

// ErrEndedUnknown is why an [EndedFollower] cannot say whether a session has
// ended: the list could not be confirmed for too long.
var ErrEndedUnknown = errors.New("guard: the list of ended sessions is not up to date")

// listTimeout bounds the fetch of one list, connection and body included.
const listTimeout = 20 * time.Second

var (
	errOlderList  = errors.New("guard: the list of ended sessions is older than the one held")
	errStaleList  = errors.New("guard: the list of ended sessions is from long ago")
	errListDigest = errors.New("guard: the list of ended sessions is not the one that was signed")
	errListRange  = errors.New("guard: the list of ended sessions is of another time")
)

// FollowOptions change how [FollowEndedSessions] follows.
type FollowOptions struct {
	Client *http.Client // nil means one with the default transport

	// Interval is how often the list is asked for: how long, at most, an ended
	// session's tokens are still accepted. Zero means 5 s.
	Interval time.Duration

	// MaxStale is how long the list may go unconfirmed before every request is
	// refused with 503. Zero means 60 s. Longer keeps a service up through longer
	// outages of the issuer, in which ended sessions go on.
	//
	// It bounds two times: the one since the issuer was last asked and answered, and, with
	// [token.Leeway] added for clocks that differ, the one since the issuer last read its
	// database.
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

	// covered is before when every end that still matters is in set, in seconds since the
	// epoch. Only poll uses it.
	covered int64
}

// endedState is never changed.
type endedState struct {
	issuedAt  int64
	expiresAt int64
	etag      string
	confirmed time.Time // when the question was sent that this list answered
	failed    error     // of the last poll
}

// FollowEndedSessions polls the signed list of ended sessions at url until ctx
// is done, and holds it in memory. The list has to be signed by a key of
// verifier's and of its issuer. Where the list does not go back as far as tokens live,
// the minutes that are missing are fetched from below url. At most [token.MaxEndedIDs]
// are held; where there are more, the list counts as unconfirmed.
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

// stale reports whether a list of that date is too old to go by.
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

// next asks for the list. "Not modified" is taken for an answer only while the
// list held stays valid and is not getting old: after that it has to come signed anew.
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
	// Instances of one issuer sign lists of their own, so one may be a little older than the
	// last. One that is older by more than clocks differ is a replay.
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

// take takes over the newest list and, where there is a gap between it and what is held,
// the lists of the minutes between. What was fetched stays if a later one fails.
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

// minuteURL is where the list of a minute is: below that of the newest.
func (f *EndedFollower) minuteURL(minute int64) string {
	address, err := url.Parse(f.source.url)
	if err != nil {
		return "" // newSource has parsed it
	}
	return address.JoinPath(strconv.FormatInt(minute, 10)).String()
}

// endedList is a list whose signature and digest hold.
type endedList struct {
	token.EndedSessions
	content     token.EndedContent
	etag        string
	notModified bool
}

// fetch reads the statement and, once its signature holds, the content.
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
