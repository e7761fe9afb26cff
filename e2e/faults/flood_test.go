package faults_test

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/pgtest"
)

const (
	// floodTimes is the size of the flood in capacities for logins.
	floodTimes = 50

	// hashMemory is what one password takes while it is hashed.
	hashMemory = 19 << 20

	// memoryMargin is what the service may take beside passwords during a flood: the
	// connections, and garbage.
	memoryMargin = 64 << 20

	// knownDevices is how many people sign in on known devices during the flood.
	knownDevices = 8

	// settleTime is after what time without a flood all is as before.
	settleTime = 5 * time.Second
)

func TestF25LoginFlood(t *testing.T) {
	r := try(t, row{
		25, "A flood of logins",
		fmt.Sprintf("wrong passwords from ever new addresses for accounts that exist and that do not, half of them with forged device cookies: %d times as many a second as can be hashed, open loop, from the same machine", floodTimes),
		"the excess is refused (503 or 429, Retry-After); hashing goes on at 80 % of its capacity; known devices sign in; the p99 of guarded routes and refreshes stays below 3 times the usual; memory stays below what it was, 19 MiB for each turn to hash and 64 MiB; all is normal 5 s after",
	})
	s := start(t, append(slices.Concat(limitsOn, deadlines), "DATABASE_URL="+pgtest.NewDatabase(t))...)
	c := newClient(t, s)
	c.address = anyAddress
	l := newLedger(r, c)
	l.limited = true
	victims := []string{l.enrolled().name, l.enrolled().name, l.enrolled().name}
	// Enough of them that nobody meets the limit of right passwords.
	var devices []*device
	names := victims
	for range knownDevices {
		devices = append(devices, l.knownDevice(l.enrolled()))
		names = append(names, devices[len(devices)-1].name)
	}
	stranger, later := l.enrolled().name, l.enrolled().name
	during := pick(3*time.Second, 20*time.Second)
	// The service is measured, so the clients' garbage collector is not to take its CPUs.
	defer debug.SetGCPercent(debug.SetGCPercent(1000))

	capacity := l.capacity(names)
	rate := floodTimes * capacity
	var readers []*person
	for range pick(12, 60) {
		readers = append(readers, l.reader())
	}
	quiet := l.latencies(readers, during/2)
	yardstick := l.yardstick(readers, rate, during/2)
	memory := watchMemory(s)
	flood := l.flood(rate, victims)
	time.Sleep(500 * time.Millisecond) // until the queue is full
	signIns := l.signIn(devices, stranger)
	began, before := time.Now(), flood.hashed()
	busy := l.latencies(readers, during)
	goodput := float64(flood.hashed()-before) / time.Since(began).Seconds()
	known, strangers := signIns()
	goodput += float64(known.came+strangers.came) / time.Since(began).Seconds()
	flood.end()
	time.Sleep(settleTime)
	base, peak, rest := memory()
	after := l.latencies(readers, during/2)
	want(t, "a stranger's login after the flood", c.logIn(later), http.StatusCreated)

	r.observe("capacity %.0f logins/s; flood without cookie %s; with a forged one %s", capacity, flood.plain, flood.forged)
	r.observe("passwords compared during it: %.0f/s, %.0f %% of capacity", goodput, 100*goodput/capacity)
	r.observe("known devices: %s; strangers with the right password, each try counted: %s", known, strangers)
	r.observe("p50 / p99 of a guarded route: %s, under as many requests for nothing %s, under the flood %s, %s after %s",
		quiet.guarded, yardstick.guarded, busy.guarded, settleTime, after.guarded)
	r.observe("of a refresh: %s, %s, %s, %s", quiet.refresh, yardstick.refresh, busy.refresh, after.refresh)
	r.observe("memory %s before, %s at most, %s %s after", mib(base), mib(peak), mib(rest), settleTime)
	l.judge(capacity, goodput, quiet, busy, yardstick, after)
	if known.came < known.tries || known.tries == 0 {
		t.Errorf("known devices: %s; want all", known)
	}
	if bound := base + max(1, runtime.NumCPU()-1)*hashMemory + memoryMargin; peak > bound {
		t.Errorf("memory rose to %s, want %s at most", mib(peak), mib(bound))
	}
	l.settle()
}

// judge holds the figures to what the row expects.
func (l *ledger) judge(capacity, goodput float64, quiet, busy, yardstick, after latencies) {
	l.Helper()
	if goodput < 0.8*capacity {
		l.miss("%.0f %% of capacity, not 80 %%", 100*goodput/capacity)
	}
	if goodput < capacity/10 {
		l.Errorf("%.0f passwords hashed a second, of %.0f without a flood", goodput, capacity)
	}
	for _, kind := range []struct {
		what                          string
		quiet, busy, yardstick, after spread
	}{
		{"a guarded route", quiet.guarded, busy.guarded, yardstick.guarded, after.guarded},
		{"a refresh", quiet.refresh, busy.refresh, yardstick.refresh, after.refresh},
	} {
		if ratio := times(kind.busy, kind.quiet); ratio > 3 {
			l.miss("p99 of %s %.1f times the usual, not 3 (%.1f times what it is under as many requests for nothing)",
				kind.what, ratio, times(kind.busy, kind.yardstick))
		}
		if ratio := times(kind.after, kind.quiet); ratio > 3 {
			l.miss("p99 of %s %.1f times the usual %s after", kind.what, ratio, settleTime)
		}
	}
}

func times(one, other spread) float64 { return float64(one.p99) / float64(other.p99) }

// capacity is how many logins a second there are when as many come as can be taken, a
// person at a time for each of names.
func (l *ledger) capacity(names []string) float64 {
	l.Helper()
	var all sync.WaitGroup
	var done atomic.Int64
	began, during := time.Now(), pick(2*time.Second, 5*time.Second)
	for _, name := range names {
		all.Go(func() {
			for time.Since(began) < during {
				if l.client.logIn(name).ok() {
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

// yardstick is what as many requests as the flood has do to the latencies if none of
// them is a login: the share of the machine that the clients take.
func (l *ledger) yardstick(readers []*person, rate float64, during time.Duration) latencies {
	l.Helper()
	s := l.storm(rate, "", notFound)
	defer s.end()
	time.Sleep(200 * time.Millisecond)
	return l.latencies(readers, during)
}

// flood is a storm of guesses, half of them with a forged device cookie.
type flood struct{ plain, forged *storm }

func (l *ledger) flood(rate float64, victims []string) flood {
	return flood{l.storm(rate/2, "", guesses(victims)), l.storm(rate/2, l.forgedDevice(), guesses(victims))}
}

func (f flood) hashed() int64 { return f.plain.hashed.Load() + f.forged.hashed.Load() }

func (f flood) end() {
	f.plain.end()
	f.forged.end()
}

// device is one that somebody has signed in on before.
type device struct {
	*client
	name string
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

// successes are logins with the right password.
type successes struct{ came, tries int }

func (s successes) String() string { return fmt.Sprintf("%d of %d signed in", s.came, s.tries) }

// signIn has people sign in a few times a second until the function that it returns is
// called: on known devices, and as a stranger.
func (l *ledger) signIn(devices []*device, stranger string) (end func() (known, strangers successes)) {
	var known, strangers successes
	var mu sync.Mutex
	var all sync.WaitGroup
	stopped := make(chan struct{})
	again := func(counted *successes, every time.Duration, logIn func() answer) {
		for {
			select {
			case <-stopped:
				return
			case <-time.After(every):
			}
			a := logIn()
			l.expect("a login", a, http.StatusCreated)
			mu.Lock()
			counted.tries++
			if a.ok() {
				counted.came++
			}
			mu.Unlock()
		}
	}
	for _, d := range devices {
		all.Go(func() { again(&known, 1200*time.Millisecond, func() answer { return d.logIn(d.name) }) })
	}
	all.Go(func() { again(&strangers, 300*time.Millisecond, func() answer { return l.client.logIn(stranger) }) })
	return func() (successes, successes) {
		close(stopped)
		all.Wait()
		return known, strangers
	}
}

// watchMemory looks at the process's memory again and again. The function that it
// returns ends that and tells what it was at first, at most and in the end.
func watchMemory(s *server) (end func() (first, most, last int)) {
	first := s.residentBytes()
	most := first
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			most = max(most, s.residentBytes())
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() (int, int, int) {
		close(stop)
		<-done
		return first, most, s.residentBytes()
	}
}
