package faults_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/pgtest"
)

// floodTimes is the size of the flood in capacities for logins.
const floodTimes = 50

func TestF25LoginFlood(t *testing.T) {
	r := try(t, row{
		25, "A flood of logins",
		"wrong passwords for accounts that exist and that do not, from ever new addresses, 50 times as many a second as can be hashed, from the same machine",
		"the excess is refused (503 or 429, Retry-After); hashing goes on at 80 % of its capacity; known devices sign in; the p99 of guarded routes and refreshes stays below 3 times the usual; memory is bounded; all is normal 5 s after",
	})
	s := start(t, append(slices.Clone(limitsOn), "DATABASE_URL="+pgtest.NewDatabase(t))...)
	c := newClient(t, s)
	c.address = anyAddress
	l := newLedger(r, c)
	l.limited = true
	known := l.knownDevice(l.enrolled())
	capacity := l.capacity()
	quiet := l.latencies(pick(time.Second, 5*time.Second))
	memory := s.residentBytes()

	flood := l.flood(int(capacity*floodTimes), known.name)
	time.Sleep(500 * time.Millisecond) // until the queue is full
	began := time.Now()
	before := flood.hashed.Load()
	signIns := make(chan [2]int, 1)
	go func() { signIns <- known.keepSigningIn(l, pick(3*time.Second, 15*time.Second)) }()
	busy := l.latencies(pick(3*time.Second, 15*time.Second))
	most := s.residentBytes()
	known.came = <-signIns
	goodput := float64(flood.hashed.Load()-before+int64(known.came[0])) / time.Since(began).Seconds()
	text, total, _ := flood.end()

	r.observe("capacity %.0f logins/s; flood %.0f/s: %s", capacity, float64(total)/flood.took.Seconds(), text)
	r.observe("passwords hashed during it: %.0f/s, %.0f %% of capacity", goodput, 100*goodput/capacity)
	r.observe("known device: %d of %d sign-ins at the first try", known.came[0], known.came[1])
	r.observe("p99 of a guarded route %s, before %s; of a refresh %s, before %s", round(busy[0]), round(quiet[0]), round(busy[1]), round(quiet[1]))
	if goodput < 0.8*capacity {
		r.miss("%.0f %% of capacity, not 80 %%", 100*goodput/capacity)
	}
	for i, what := range []string{"guarded routes", "refreshes"} {
		if busy[i] > 3*quiet[i] {
			r.miss("p99 of %s %.0f times the usual, not 3", what, float64(busy[i])/float64(quiet[i]))
		}
	}
	if known.came[0]*2 < known.came[1] || known.came[1] == 0 {
		t.Errorf("a known device signed in %d times of %d", known.came[0], known.came[1])
	}
	if goodput < capacity/10 {
		t.Errorf("%.0f passwords hashed a second, of %.0f without a flood", goodput, capacity)
	}
	r.observe("memory %s before, %s during", mib(memory), mib(most))
	if most-memory > 250<<20 {
		t.Errorf("memory has grown by %s", mib(most-memory))
	}
	if took := l.recovered(); took > 5*time.Second {
		r.miss("normal after %s, not 5 s", round(took))
	}
	l.settle()
}

// device is one that somebody has signed in on before.
type device struct {
	*client
	name string
	came [2]int // sign-ins at the first try, of tries
}

func (l *ledger) knownDevice(p *person) *device {
	l.Helper()
	d := &device{client: l.client.beside(), name: p.name}
	a := l.granted("login", d.logIn(p.name))
	for _, cookie := range a.header.Values("Set-Cookie") {
		if strings.Contains(cookie, "device") {
			d.device, _, _ = strings.Cut(cookie, ";")
		}
	}
	if d.device == "" {
		l.Fatal("a login yields no device cookie")
	}
	return d
}

// keepSigningIn signs in a few times a second.
func (d *device) keepSigningIn(l *ledger, during time.Duration) (came [2]int) {
	for until := time.Now().Add(during); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		a := d.logIn(d.name)
		l.expect("a login on a known device", a, http.StatusCreated)
		came[1]++
		if a.ok() {
			came[0]++
		}
	}
	return came
}

// capacity is how many logins a second there are when as many come as can be taken.
func (l *ledger) capacity() float64 {
	l.Helper()
	var all sync.WaitGroup
	var done atomic.Int64
	began, during := time.Now(), pick(time.Second, 4*time.Second)
	for range 8 {
		all.Go(func() {
			for time.Since(began) < during {
				if l.client.logIn(l.people[1].name).ok() {
					done.Add(1)
				}
			}
		})
	}
	all.Wait()
	if done.Load() == 0 {
		l.Fatal("no login")
	}
	return float64(done.Load()) / time.Since(began).Seconds()
}

// latencies measures the 99th percentile of a guarded route and of a refresh.
func (l *ledger) latencies(during time.Duration) (p99 [2]time.Duration) {
	l.Helper()
	c := l.client.beside()
	p := l.people[0]
	var took [2][]time.Duration
	for until := time.Now().Add(during); time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		took[0] = append(took[0], want(l, "a guarded route", c.profile(p.password), http.StatusOK).took)
		a := want(l, "a refresh", c.refresh(p.current), http.StatusOK)
		if !a.ok() {
			break
		}
		p.current = a.member("refreshToken")
		took[1] = append(took[1], a.took)
	}
	for i := range took {
		slices.Sort(took[i])
		p99[i] = took[i][len(took[i])*99/100]
	}
	return p99
}

// flood is a crowd that guesses.
type flood struct {
	*client
	hashed  atomic.Int64 // guesses that were compared
	began   time.Time
	took    time.Duration
	stopped chan struct{}
	all     sync.WaitGroup
}

// flood begins to guess so many times a second: half of the guesses are at an account
// that exists.
func (l *ledger) flood(rate int, name string) *flood {
	f := &flood{client: l.client.beside(), began: time.Now(), stopped: make(chan struct{})}
	const guessers = 100
	pause := time.Second * guessers / time.Duration(rate)
	for range guessers {
		f.all.Go(func() {
			next := time.Now().Add(rand.N(pause))
			for {
				select {
				case <-f.stopped:
					return
				case <-time.After(time.Until(next)):
				}
				next = next.Add(pause)
				who := fmt.Sprintf("nobody-%d", rand.IntN(1<<30))
				if rand.IntN(2) == 0 {
					who = name
				}
				a := f.do("POST", "/auth/login", "", map[string]any{"username": who, "password": "a wrong guess"})
				want(l, "a guess", a, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable)
				if a.status == http.StatusUnauthorized {
					f.hashed.Add(1)
				}
			}
		})
	}
	return f
}

// end stops it and tells what it got.
func (f *flood) end() (text string, total int, longest time.Duration) {
	close(f.stopped)
	f.all.Wait()
	f.took = time.Since(f.began)
	return f.tally()
}
