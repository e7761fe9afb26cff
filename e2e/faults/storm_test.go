package faults_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// stormConnections bounds the connections of a storm, and with them how many of its
// requests are under way. It is far more than wait for a turn to hash.
const stormConnections = 128

// storm sends requests at a rate that does not depend on the answers (open loop). What
// no connection is free for is not sent, and counted.
type storm struct {
	client        *client
	request       func(*client) answer
	sent, skipped atomic.Int64
	hashed        atomic.Int64 // answers that took a comparison of a password
	began         time.Time
	lasted        time.Duration
	stopped       chan struct{}
	all           sync.WaitGroup
}

// storm begins to send requests, with a cookie if it is not empty.
func (l *ledger) storm(rate float64, cookie string, request func(*client) answer) *storm {
	s := &storm{client: l.client.beside(), request: request, began: time.Now(), stopped: make(chan struct{})}
	s.client.device = cookie
	s.client.http = &http.Client{Transport: newWires(stormConnections)}
	l.Cleanup(s.client.http.CloseIdleConnections)
	turns := make(chan struct{})
	for range stormConnections {
		s.all.Go(func() {
			for range turns {
				l.blow(s)
			}
		})
	}
	s.all.Go(func() {
		defer close(turns)
		due := 0
		for {
			select {
			case <-s.stopped:
				return
			case <-time.After(time.Millisecond):
			}
			for ; due < int(rate*time.Since(s.began).Seconds()); due++ {
				select {
				case turns <- struct{}{}:
					s.sent.Add(1)
				default:
					s.skipped.Add(1)
				}
			}
		}
	})
	return s
}

// blow sends one request.
func (l *ledger) blow(s *storm) {
	a := s.request(s.client)
	switch a.status {
	case http.StatusCreated, http.StatusUnauthorized:
		s.hashed.Add(1)
	case http.StatusNotFound:
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if a.header.Get("Retry-After") == "" && l.complaints.Add(1) < 10 {
			l.Errorf("%d without Retry-After", a.status)
		}
	default:
		if l.complaints.Add(1) < 10 {
			l.Errorf("a request of the flood: %d %s", a.status, a.body)
		}
	}
}

// end ends the storm and waits for what is under way.
func (s *storm) end() {
	close(s.stopped)
	s.lasted = time.Since(s.began)
	s.all.Wait()
}

func (s *storm) String() string {
	text, _, _ := s.client.tally()
	return fmt.Sprintf("%.0f/s sent (%.0f/s had no connection): %s",
		float64(s.sent.Load())/s.lasted.Seconds(), float64(s.skipped.Load())/s.lasted.Seconds(), text)
}

// spread is how long requests of one kind took.
type spread struct{ p50, p99 time.Duration }

func (s spread) String() string { return fmt.Sprintf("%s / %s", short(s.p50), short(s.p99)) }

func short(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(100 * time.Microsecond)
}

func spreadOf(took []time.Duration) spread {
	slices.Sort(took)
	if len(took) == 0 {
		return spread{}
	}
	return spread{took[len(took)/2], took[len(took)*99/100]}
}

// latencies are those of the two kinds of request that a flood of logins must not
// disturb.
type latencies struct{ guarded, refresh spread }

// latencies reads a guarded route and refreshes, one after the other, for a while. Readers
// take turns, so that none of them meets the limit of a session.
func (l *ledger) latencies(readers []*person, during time.Duration) latencies {
	l.Helper()
	c := l.client.beside()
	var guarded, refreshed []time.Duration
	until := time.Now().Add(during)
	for i := 0; time.Now().Before(until); i++ {
		time.Sleep(10 * time.Millisecond)
		p := readers[i%len(readers)]
		guarded = append(guarded, want(l, "a guarded route", c.profile(p.password), http.StatusOK).took)
		a := want(l, "a refresh", c.refresh(p.current), http.StatusOK)
		if !a.ok() {
			break
		}
		p.current = a.member("refreshToken")
		refreshed = append(refreshed, a.took)
	}
	return latencies{spreadOf(guarded), spreadOf(refreshed)}
}

// forgedDevice is the cookie of a device that nobody has signed in on.
func (l *ledger) forgedDevice() string {
	_, port, _ := strings.Cut(l.client.urls[0], "localhost:")
	return "stepkey-device-" + port + "-forged=dv1." + strings.Repeat("A", 102)
}

// guesses are logins with wrong passwords, at the accounts of names and as often at
// some that nobody has.
func guesses(names []string) func(*client) answer {
	return func(c *client) answer {
		name := fmt.Sprintf("nobody-%d", rand.IntN(1<<30))
		if rand.IntN(2) == 0 {
			name = names[rand.IntN(len(names))]
		}
		return c.do("POST", "/auth/login", "", map[string]any{"username": name, "password": "a wrong guess"})
	}
}

// notFound is a request that costs the service next to nothing, and a client and the
// system as much as any other.
func notFound(c *client) answer {
	return c.do("POST", "/nothing/here", "", map[string]any{"username": "nobody", "password": "a wrong guess"})
}
