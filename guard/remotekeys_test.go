package guard_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

const keysURL = "https://auth.example.com/.well-known/jwks.json"

// remote is an issuer whose clock, like all in a bubble, only moves when
// everything sleeps.
type remote struct {
	publisher
	keys *guard.RemoteKeys
}

func newRemote(answer http.HandlerFunc) *remote {
	r := &remote{}
	r.set(answer)
	r.keys = guard.NewRemoteKeys(keysURL, r.client())
	return r
}

// find fails unless looking up kid ends with want (nil for found), the issuer
// having been asked asked times in all.
func (r *remote) find(t *testing.T, what, kid string, want error, asked int32) {
	t.Helper()
	key, err := r.keys.VerificationKey(t.Context(), kid)
	synctest.Wait() // for a fetch in the background
	if !errors.Is(err, want) || (err == nil && key.ID() != kid) {
		t.Errorf("%s: %q, %v; want %v", what, key.ID(), err, want)
	}
	if got := r.asked.Load(); got != asked {
		t.Errorf("%s: the issuer was asked %d times, want %d", what, got, asked)
	}
}

func TestKeysAreFetchedOnFirstUseAndHeld(t *testing.T) {
	for _, test := range []struct {
		cacheControl string
		held         time.Duration
	}{
		{"", 5 * time.Minute},
		{"public, max-age=100", 100 * time.Second},
		{`MAX-AGE="100"`, 100 * time.Second},
		{"max-age=1", 30 * time.Second},
		{"max-age=86400", time.Hour},
		{"max-age=-1", 5 * time.Minute},
		{"max-age=1000, no-store", 30 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			key := es256(t)
			r := newRemote(publish(token.NewKeyring(key), test.cacheControl))
			what := "Cache-Control " + test.cacheControl
			if r.asked.Load() != 0 {
				t.Errorf("%s: asked before the first use", what)
			}
			r.find(t, what+": first", key.ID(), nil, 1)
			time.Sleep(test.held*4/5 - 1)
			r.find(t, what+": held", key.ID(), nil, 1)
			time.Sleep(time.Nanosecond)
			r.find(t, what+": refreshed ahead", key.ID(), nil, 2)
			r.find(t, what+": held again", key.ID(), nil, 2)
		})
	}
}

// While a fetch is under way in the background, requests go by the set that is
// held; once that is stale they wait for the new one.
func TestNobodyWaitsWhileASetIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, next := es256(t), es256(t)
		r := newRemote(publish(token.NewKeyring(key), ""))
		r.find(t, "first", key.ID(), nil, 1)
		time.Sleep(4 * time.Minute)
		release := make(chan struct{})
		r.set(func(w http.ResponseWriter, request *http.Request) {
			<-release
			publish(token.NewKeyring(next), "")(w, request)
		})
		for range 100 {
			r.find(t, "during the fetch", key.ID(), nil, 2)
		}
		close(release)
		synctest.Wait()
		r.find(t, "after the fetch", next.ID(), nil, 2)

		time.Sleep(time.Hour)
		r.set(publish(token.NewKeyring(key), ""))
		r.find(t, "after an idle hour", key.ID(), nil, 3)
	})
}

// A key that was dropped while nobody asked is not accepted on the old set.
func TestStaleSetIsConfirmedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dropped, key := es256(t), es256(t)
		r := newRemote(publish(token.NewKeyring(dropped), ""))
		r.find(t, "first", dropped.ID(), nil, 1)
		r.set(publish(token.NewKeyring(key), ""))
		time.Sleep(5 * time.Minute)
		if _, err := r.keys.VerificationKey(t.Context(), dropped.ID()); !errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("dropped key: %v, want ErrUnknownKey", err)
		}
	})
}

func TestFirstFetchIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := es256(t)
		release := make(chan struct{})
		r := newRemote(nil)
		r.set(func(w http.ResponseWriter, request *http.Request) {
			<-release
			publish(token.NewKeyring(key), "")(w, request)
		})
		impatient, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { // the first to come is the first to go: the others must not go with it
			if _, err := r.keys.VerificationKey(impatient, key.ID()); !errors.Is(err, context.Canceled) {
				t.Errorf("impatient: %v", err)
			}
		})
		synctest.Wait()
		for range 50 {
			group.Go(func() {
				if _, err := r.keys.VerificationKey(t.Context(), key.ID()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		group.Wait()
		if got := r.asked.Load(); got != 1 {
			t.Errorf("asked %d times, want once", got)
		}
	})
}

func TestUnknownKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, next := es256(t), es256(t)
		r := newRemote(publish(token.NewKeyring(key), ""))
		r.find(t, "first", key.ID(), nil, 1)
		r.find(t, "unknown", next.ID(), token.ErrUnknownKey, 2)
		for range 1000 {
			r.find(t, "unknown again", next.ID(), token.ErrUnknownKey, 2)
		}
		r.set(publish(token.NewKeyring(key, next.Verification()), ""))
		time.Sleep(10*time.Second - 1)
		r.find(t, "within 10 s", next.ID(), token.ErrUnknownKey, 2)
		time.Sleep(time.Nanosecond)
		r.find(t, "after 10 s", next.ID(), nil, 3)
		time.Sleep(time.Minute)
		for _, kid := range []string{"", "x", strings.Repeat("k", 64)} {
			r.find(t, "what no thumbprint looks like", kid, token.ErrUnknownKey, 3)
		}
	})
}

func TestIssuerThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, other := es256(t), es256(t)
		r := newRemote(publish(token.NewKeyring(key), ""))
		r.find(t, "first", key.ID(), nil, 1)
		r.set(down)
		fetched := time.Now()
		asked := int32(1)
		for time.Since(fetched) < time.Hour-time.Minute {
			time.Sleep(time.Minute)
			if time.Since(fetched) >= 4*time.Minute {
				asked++
			}
			for range 2 { // the second right after a fetch that failed
				r.find(t, "down for "+time.Since(fetched).String(), key.ID(), nil, asked)
			}
		}
		if _, err := r.keys.VerificationKey(t.Context(), other.ID()); err == nil || errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("an unknown key while down: %v, want an error that is not ErrUnknownKey", err)
		}
		time.Sleep(time.Minute)
		if _, err := r.keys.VerificationKey(t.Context(), key.ID()); err == nil || errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("down for 1 h: %v, want an error that is not ErrUnknownKey", err)
		}
		r.set(publish(token.NewKeyring(key), ""))
		time.Sleep(2 * time.Second)
		r.find(t, "up again", key.ID(), nil, r.asked.Load()+1)
	})
}

func TestFailedFetchesAreSpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := es256(t)
		r := newRemote(down)
		for range 100 {
			if _, err := r.keys.VerificationKey(t.Context(), key.ID()); err == nil || errors.Is(err, token.ErrUnknownKey) {
				t.Fatalf("%v, want an error that is not ErrUnknownKey", err)
			}
		}
		if got := r.asked.Load(); got != 1 {
			t.Errorf("asked %d times at once, want once", got)
		}
		r.set(publish(token.NewKeyring(key), ""))
		time.Sleep(2 * time.Second)
		r.find(t, "up after 2 s", key.ID(), nil, 2)
	})
}

func TestFetchIsBoundedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRemote(func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() })
		start := time.Now()
		_, err := r.keys.VerificationKey(t.Context(), es256(t).ID())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %s, want a deadline after 5 s", err, time.Since(start))
		}
	})
}
