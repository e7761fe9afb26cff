package guard

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stepkey/stepkey/token"
)

const (
	maxKeySetBytes = 64 << 10

	// unknownKeyInterval is the least time between fetches caused by an unknown
	// kid: anyone can write such a token.
	unknownKeyInterval = 10 * time.Second

	// retryInterval is the least time between a failed fetch and the next one.
	retryInterval = 2 * time.Second

	// thumbprintLength is the length of every usable kid: SHA-256 in base64url.
	thumbprintLength = 43
)

// RemoteKeys is a [token.KeySource] for the public keys that an issuer
// publishes (RFC 7517). It is safe for concurrent use and makes no request
// before it is first used.
//
//   - The set is cached for the response's max-age, within 30 s and 1 h, and
//     for 5 min if there is none. A newer one is fetched in the background
//     before that, so that a request waits only if there is no set or it went
//     stale because it was not used for long.
//   - An unknown kid causes a fetch, at most one in 10 s. A key that is
//     published before it signs is therefore known in time, and garbage tokens
//     do not flood the issuer.
//   - While the issuer does not answer, the last set is used until 1 h after it
//     was fetched. A revoked key is accepted until a newer set arrives, at most
//     for the max-age or, during an outage, 1 h.
//   - One fetch runs at a time, of at most 64 KiB and 5 s, over https unless the
//     host is this machine, without redirects to other hosts.
type RemoteKeys struct {
	source source
	broken error // why the address cannot be used, or nil

	set atomic.Pointer[keySet] // the last one fetched, or nil

	mu          sync.Mutex
	under       chan struct{} // closed when the running fetch ends; nil if none runs
	failed      error         // of the last fetch; nil if it succeeded
	failedAt    time.Time
	lastUnknown time.Time // when an unknown kid last caused a fetch
}

// NewRemoteKeys returns the keys published at url, such as
// https://auth.example.com/.well-known/jwks.json. client may be nil. If the
// address cannot be used, every look-up fails with an [ErrURL].
func NewRemoteKeys(url string, client *http.Client) *RemoteKeys {
	source, err := newSource(url, client, maxKeySetBytes)
	return &RemoteKeys{source: source, broken: err}
}

// VerificationKey implements [token.KeySource]. It returns
// [token.ErrUnknownKey] if the issuer does not publish such a key, and another
// error if the keys could not be fetched or ctx is done first.
func (k *RemoteKeys) VerificationKey(ctx context.Context, kid string) (token.VerificationKey, error) {
	if k.broken != nil {
		return token.VerificationKey{}, k.broken
	}
	if len(kid) != thumbprintLength {
		return token.VerificationKey{}, token.ErrUnknownKey
	}
	set, err := k.current(ctx, time.Now())
	if err != nil {
		return token.VerificationKey{}, err
	}
	if key, ok := set.keys[kid]; ok {
		return key, nil
	}
	return k.unknown(ctx, kid)
}

// current returns the key set to verify with. Most calls take the first return and no lock.
func (k *RemoteKeys) current(ctx context.Context, now time.Time) (*keySet, error) {
	set := k.set.Load()
	if set != nil && now.Before(set.refreshAt) {
		return set, nil
	}
	wait, failed := k.renew(now)
	if set = k.set.Load(); set != nil && now.Before(set.staleAt) {
		return set, nil
	}
	// A stale set is used only if the last fetch failed.
	if set != nil && failed != nil && now.Before(set.deadAt) {
		return set, nil
	}
	if wait == nil {
		return nil, errors.Join(errNoKeys, failed)
	}
	return k.await(ctx, wait)
}

// renew returns the running fetch or starts one; it returns nil if the last one
// failed a moment ago. It also returns the last fetch's error.
func (k *RemoteKeys) renew(now time.Time) (wait chan struct{}, failed error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	wait = k.under
	if set := k.set.Load(); set != nil && now.Before(set.refreshAt) {
		return wait, k.failed // another request was faster
	}
	if wait == nil && (k.failed == nil || now.Sub(k.failedAt) >= retryInterval) {
		wait = k.start()
	}
	return wait, k.failed
}

// await waits for the fetch to end and returns the current set.
func (k *RemoteKeys) await(ctx context.Context, fetch <-chan struct{}) (*keySet, error) {
	select {
	case <-fetch:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if set := k.set.Load(); set != nil && time.Now().Before(set.deadAt) {
		return set, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return nil, errors.Join(errNoKeys, k.failed)
}

var errNoKeys = errors.New("guard: the issuer's keys could not be fetched")

// unknown looks for kid in a newer set, if one may be fetched.
func (k *RemoteKeys) unknown(ctx context.Context, kid string) (token.VerificationKey, error) {
	now := time.Now()
	k.mu.Lock()
	wait := k.under
	if wait == nil && now.Sub(k.lastUnknown) >= unknownKeyInterval {
		k.lastUnknown = now
		wait = k.start()
	}
	k.mu.Unlock()
	if wait != nil {
		if _, err := k.await(ctx, wait); err != nil {
			return token.VerificationKey{}, err
		}
	}
	if key, ok := k.set.Load().keys[kid]; ok {
		return key, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed != nil {
		return token.VerificationKey{}, k.failed
	}
	return token.VerificationKey{}, token.ErrUnknownKey
}

// start begins a fetch. No caller's context cancels it, because others wait for
// it too. The caller holds k.mu.
func (k *RemoteKeys) start() chan struct{} {
	done := make(chan struct{})
	k.under = done
	go func() {
		defer close(done)
		err := k.refresh()
		k.mu.Lock()
		defer k.mu.Unlock()
		k.under, k.failed = nil, err
		if err != nil {
			k.failedAt = time.Now()
		}
	}()
	return done
}

func (k *RemoteKeys) refresh() error {
	asked := time.Now()
	a, err := k.source.fetch(context.Background(), "")
	if err != nil {
		return err
	}
	set, err := newKeySet(a, asked)
	if err != nil {
		return err
	}
	k.set.Store(set)
	return nil
}
