package guard_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

// service is one that verifies offline.
type service struct {
	route http.Handler
	mu    sync.Mutex
	no    []error
}

func newService(t *testing.T, keys *guard.RemoteKeys) *service {
	t.Helper()
	s := &service{}
	g := guard.New(newVerifier(t, keys), guard.Options{
		DangerIgnoreEndedSessions: true,
		Refuse: func(_ http.ResponseWriter, _ *http.Request, refusal guard.Refusal) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.no = append(s.no, refusal.Cause)
		},
	})
	s.route = g.RequireLogin(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return s
}

func (s *service) ask(raw string) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+raw)
	s.route.ServeHTTP(httptest.NewRecorder(), r)
}

// Two services verify offline while the issuer rotates its key: next is
// published, becomes current, and the one before is kept, then dropped. All over
// a real network, 2000 requests to each, eight at a time.
func TestRotationRefusesNobody(t *testing.T) {
	old, next := es256(t), es256(t)
	issuerKeys := token.NewKeyring(old)
	p := &publisher{}
	p.set(publish(issuerKeys, "max-age=300"))
	server := httptest.NewServer(p)
	defer server.Close()
	services := []*service{
		newService(t, guard.NewRemoteKeys(server.URL, server.Client())),
		newService(t, guard.NewRemoteKeys(server.URL, server.Client())),
	}

	phase := func(tokens ...string) {
		var group sync.WaitGroup
		for _, s := range services {
			for worker := range 8 {
				group.Go(func() {
					for i := range 62 {
						s.ask(tokens[(worker+i)%len(tokens)])
					}
				})
			}
		}
		group.Wait()
	}
	byOld := []string{access(t, issuerKeys, "one"), access(t, issuerKeys, "two")}
	phase(byOld...)
	issuerKeys.Replace(old, next.Verification())
	phase(append(byOld, access(t, issuerKeys, "three"))...)
	issuerKeys.Replace(next, old.Verification())
	byNext := []string{access(t, issuerKeys, "four"), access(t, issuerKeys, "five")}
	phase(append(byNext, byOld...)...)
	issuerKeys.Replace(next)
	phase(byNext...)

	for i, s := range services {
		if len(s.no) > 0 {
			t.Errorf("service %d refused %d requests, the first for %v", i, len(s.no), s.no[0])
		}
	}
	if got := p.asked.Load(); got < 2 || got > 6 {
		t.Errorf("the issuer was asked %d times, want 2 to 6", got)
	}
}

// The same over hours, in a bubble: a key is published 10 min before it signs,
// twice what the set may be held for, and kept for 16 min after, longer than its
// tokens live. A token is used until it expires.
func TestRotationsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		current := es256(t)
		issuerKeys := token.NewKeyring(current)
		p := &publisher{}
		p.set(publish(issuerKeys, "max-age=300"))
		s := newService(t, guard.NewRemoteKeys(keysURL, p.client()))
		var inUse []string
		minutes := func(n int) {
			for range n {
				inUse = append(inUse, access(t, issuerKeys, "session"))
				inUse = inUse[max(0, len(inUse)-10):] // each lives for 10 min
				for _, raw := range inUse {
					s.ask(raw)
				}
				time.Sleep(time.Minute)
			}
		}
		minutes(30)
		const rotations = 5
		for range rotations {
			next := es256(t)
			issuerKeys.Replace(current, next.Verification())
			minutes(10)
			issuerKeys.Replace(next, current.Verification())
			minutes(16)
			issuerKeys.Replace(next)
			minutes(30)
			current = next
		}
		if len(s.no) > 0 {
			t.Errorf("refused %d requests, the first for %v", len(s.no), s.no[0])
		}
		total := int32(30 + rotations*56)
		if got := p.asked.Load(); got < total/5 || got > total/4+rotations {
			t.Errorf("asked %d times in %d minutes, want once in four to five", got, total)
		}
	})
}

// Tokens in a service's cache of verified tokens end with their key.
func TestRevokedKeyEndsWithTheSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leaked, fresh := es256(t), es256(t)
		issuerKeys := token.NewKeyring(leaked)
		p := &publisher{}
		p.set(publish(issuerKeys, "max-age=30"))
		s := newService(t, guard.NewRemoteKeys(keysURL, p.client()))
		raw := access(t, issuerKeys, "session")
		s.ask(raw)
		issuerKeys.Replace(fresh)
		release := make(chan struct{})
		p.set(func(w http.ResponseWriter, r *http.Request) {
			<-release
			publish(issuerKeys, "max-age=30")(w, r)
		})
		time.Sleep(24 * time.Second)
		s.ask(raw) // starts the refresh, and is answered by the set that is held
		close(release)
		synctest.Wait()
		if len(s.no) > 0 {
			t.Fatalf("refused before the set was due: %v", s.no)
		}
		s.ask(raw)
		if len(s.no) != 1 {
			t.Error("a token of a revoked key was accepted after the set came without it")
		}
	})
}
