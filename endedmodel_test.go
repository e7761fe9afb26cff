package stepkey_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/httpapi"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// endedModel says which tokens are to be refused: those of a session that has ended. That
// is all; everything else is how the list says so.
type endedModel struct {
	sessions []*modelSession
	tokens   []modelToken
}

type modelSession struct {
	id, user uuid.UUID
	ended    bool
}

type modelToken struct {
	session  *modelSession
	issuedAt int64
}

func (t modelToken) claims() token.Claims {
	return token.Claims{Subject: t.session.user.String(), SessionID: t.session.id.String(), IssuedAt: t.issuedAt}
}

// behindOneURL serves the lists of several instances, each request by the next one, as a
// load balancer does.
func (f *fixture) behindOneURL(services ...*stepkey.Service) *balancer {
	f.Helper()
	b := &balancer{}
	for _, s := range services {
		b.handlers = append(b.handlers, httpapi.New(s, httpapi.Options{}))
	}
	server := httptest.NewServer(b)
	f.Cleanup(server.Close)
	b.close = server.Close
	b.url = server.URL + "/.well-known/ended-sessions"
	return b
}

type balancer struct {
	handlers []http.Handler
	url      string
	close    func()
	next     atomic.Int64
	newest   atomic.Int64 // requests for the newest list
	bytes    atomic.Int64
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "ended-sessions") {
		b.newest.Add(1)
	}
	counted := &countedWriter{w, &b.bytes}
	b.handlers[b.next.Add(1)%int64(len(b.handlers))].ServeHTTP(counted, r)
}

type countedWriter struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

func (c *countedWriter) Write(p []byte) (int, error) {
	c.bytes.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

// follow returns a follower that has just begun. It asks once.
func (f *fixture) followThrough(b *balancer) *guard.EndedFollower {
	f.Helper()
	ctx, cancel := context.WithCancel(f.Context())
	f.Cleanup(cancel)
	return f.followEvery(ctx, b, time.Hour)
}

func (f *fixture) followEvery(ctx context.Context, b *balancer, interval time.Duration) *guard.EndedFollower {
	f.Helper()
	follower, err := guard.FollowEndedSessions(ctx, b.url, f.service.Verifier(), guard.FollowOptions{
		Interval: interval, MaxStale: time.Hour,
	})
	if err != nil {
		f.Fatal(err)
	}
	return follower
}

func (f *fixture) look(services ...*stepkey.Service) {
	f.Helper()
	for _, s := range services {
		if err := stepkey.LookForEnded(f.Context(), s); err != nil {
			f.Fatal(err)
		}
	}
}

// TestEndedModel plays random games with the sessions of two users: sign-ins, refreshes,
// ends, one by one and many at once, some committed seconds after the time they give.
// Two instances, a follower that has just begun and one that has followed all along
// refuse the tokens of ended sessions and no others.
func TestEndedModel(t *testing.T) {
	onBoth(t, func(f *fixture) { rapid.Check(f.TB, func(rt *rapid.T) { playEnded(f, rt) }) })
}

func playEnded(f *fixture, rt *rapid.T) {
	f.clock.Advance(token.EndedFor + time.Hour) // what other games left is over
	var users []stepkey.User
	for range 2 {
		users = append(users, f.addUser())
	}
	a, b := f.newService(f.config()), f.newService(f.config())
	balancer := f.behindOneURL(a, b)
	defer balancer.close()
	ctx, cancel := context.WithCancel(f.Context())
	defer cancel()
	all := f.followEvery(ctx, balancer, 2*time.Millisecond)
	m := &endedModel{}

	lag := func(what string) time.Duration {
		return rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, time.Second, 5 * time.Second, stepkey.EndedCommit}).Draw(rt, what)
	}
	begin := func(user stepkey.User, at time.Time, n int) []*modelSession {
		var begun []*modelSession
		for range n {
			s := &modelSession{id: uuid.New(), user: user.ID}
			begun = append(begun, s)
			m.tokens = append(m.tokens, modelToken{s, at.Unix()})
		}
		m.sessions = append(m.sessions, begun...)
		f.inTx(func(tx storage.Tx) error {
			var err error
			for _, s := range begun {
				err = errors.Join(err, tx.CreateSession(f.Context(), sessionOf(user, s.id, at)))
			}
			return err
		})
		return begun
	}
	end := func(at time.Time, sessions ...*modelSession) {
		f.inTx(func(tx storage.Tx) error {
			for _, s := range sessions {
				which := storage.EndSessions{UserID: s.user, Only: s.id, At: at, Reason: "test"}
				if _, err := tx.EndSessions(f.Context(), which); err != nil {
					return err
				}
				s.ended = true
			}
			return nil
		})
	}
	live := func() (live []*modelSession) {
		for _, s := range m.sessions {
			if !s.ended {
				live = append(live, s)
			}
		}
		if len(live) == 0 {
			rt.Skip("there is none")
		}
		return live
	}
	rt.Repeat(map[string]func(*rapid.T){
		"sign in": func(rt *rapid.T) {
			begin(rapid.SampledFrom(users).Draw(rt, "user"), f.clock.Now().Add(-lag("lag")), 1)
		},
		"refresh": func(rt *rapid.T) {
			s := rapid.SampledFrom(live()).Draw(rt, "session")
			m.tokens = append(m.tokens, modelToken{s, f.clock.Now().Unix()})
		},
		"end": func(rt *rapid.T) {
			end(f.clock.Now().Add(-lag("lag")), rapid.SampledFrom(live()).Draw(rt, "session"))
		},
		"sign in and out, many times": func(rt *rapid.T) {
			user := rapid.SampledFrom(users).Draw(rt, "user")
			late := lag("lag")
			times := rapid.IntRange(14, 24).Draw(rt, "times")
			end(f.clock.Now().Add(-late), begin(user, f.clock.Now(), times)...)
		},
		"many sessions": func(rt *rapid.T) {
			if rapid.IntRange(0, 4).Draw(rt, "one in five") > 0 {
				rt.Skip("rare")
			}
			begin(users[0], f.clock.Now(), 40)
		},
		"time passes": func(rt *rapid.T) {
			f.clock.Advance(rapid.SampledFrom([]time.Duration{
				time.Millisecond, 500 * time.Millisecond, time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute,
			}).Draw(rt, "time"))
		},
		"one looks": func(rt *rapid.T) { f.look(rapid.SampledFrom([]*stepkey.Service{a, b}).Draw(rt, "instance")) },
		"": func(rt *rapid.T) {
			f.look(a, b)
			for until := balancer.newest.Load() + 3; balancer.newest.Load() < until; {
				time.Sleep(time.Millisecond)
			}
			m.check(rt, f.clock.Now(), map[string]guard.EndedSessions{
				"one instance": a, "the other": b, "a new follower": f.followEvery(ctx, balancer, time.Hour), "an old follower": all,
			})
		},
	})
}

func (m *endedModel) check(rt *rapid.T, now time.Time, who map[string]guard.EndedSessions) {
	for _, t := range m.tokens {
		if now.Unix() > t.issuedAt+int64((token.Lifetime+token.Leeway).Seconds()) {
			continue // has expired everywhere
		}
		for name, ended := range who {
			got, err := ended.Ended(t.claims())
			if got != t.session.ended || err != nil {
				rt.Fatalf("%s, token of %s before now: ended %v, %v; want %v", name,
					now.Sub(time.Unix(t.issuedAt, 0)), got, err, t.session.ended)
			}
		}
	}
}

// addUser stores a user with a name of its own.
func (f *fixture) addUser() stepkey.User {
	f.Helper()
	id := uuid.New()
	u := stepkey.User{
		ID: id, Username: id.String(), CanonicalName: id.String(), PasswordHash: "x", PasswordVersion: 1,
		Handle: id[:], CreatedAt: f.clock.Now(),
	}
	f.inTx(func(tx storage.Tx) error { return tx.CreateUser(f.Context(), u) })
	return u
}

func (f *fixture) inTx(fn func(storage.Tx) error) {
	f.Helper()
	if err := f.store.InTx(f.Context(), fn); err != nil {
		f.Fatal(err)
	}
}

// sessionOf is one that began at that time.
func sessionOf(u stepkey.User, id uuid.UUID, at time.Time) stepkey.Session {
	return stepkey.Session{
		ID: id, UserID: u.ID, PasswordVersion: u.PasswordVersion, PasswordAt: at,
		CreatedAt: at, LastSeenAt: at, RotatedAt: at, ExpiresAt: at.Add(stepkey.SessionLifetime),
		Refresh: stepkey.RefreshBody, Salt: []byte("salt of sixteen!"), Generation: 1,
	}
}
