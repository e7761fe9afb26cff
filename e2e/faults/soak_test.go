package faults_test

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

const (
	// soakMemory is how much more memory a service may take in the last part of its operations than in the
	// first. In the long form that is 50 bytes for each operation.
	soakMemory = 32 << 20

	// soakGoroutines is how many more goroutines a service may have afterwards than a new one.
	soakGoroutines = 8

	soakWorkers = 8
)

func TestF33Soak(t *testing.T) {
	besideOthers(t)
	operations := pick(4_000, 1_000_000)
	r := try(t, row{
		33, "Many operations",
		"people read, refresh, verify passkeys, sign in, guess, send forged tokens and ask for what is not there, as fast as they get answers, while the database is cut off, slow and silent in turn",
		"memory in the end is that of the beginning, within 32 MiB; once all have left, a new process has as many goroutines, within 8",
	})
	_, dsn := ownDatabase(r)
	p, through := databaseProxy(t, dsn)
	settings := append(slices.Clone(limitsOn), "DATABASE_URL="+through, "STEPKEY_SECRET="+newSecret())
	s := start(t, settings...)
	c := newClient(t, s)
	c.address = anyAddress
	l := newLedger(r, c)
	l.mayBreak, l.limited = true, true
	var people []*soaker
	for range pick(soakWorkers, 200) {
		p := &soaker{ledger: l, person: l.enrolled()}
		p.signIn()
		people = append(people, p)
	}

	healed := l.faults(p)
	first, last := l.soak(s, people, operations)
	healed()
	text, total, _ := c.tally()
	r.observe("%d requests: %s", total, text)
	r.observe("memory %s at most in the first third, %s in the last", mib(first), mib(last))
	if last > first+soakMemory {
		t.Errorf("memory has grown from %s to %s", mib(first), mib(last))
	}
	l.recovered()
	l.settle()

	c.http.CloseIdleConnections()
	time.Sleep(time.Second)
	after, fresh := s.goroutines(t), start(t, settings...).goroutines(t)
	r.observe("%d goroutines in the end, %d in a new process", after, fresh)
	if after > fresh+soakGoroutines {
		t.Errorf("%d goroutines are left, a new process has %d", after, fresh)
	}
}

// faults breaks the database for a moment again and again, until the function that it returns is called.
func (l *ledger) faults(p *proxy) (end func()) {
	var all sync.WaitGroup
	stopped := make(chan struct{})
	all.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stopped:
				return
			case <-time.After(pick(time.Second, 10*time.Second)):
			}
			[]func(){p.cut, func() { p.slow(100 * time.Millisecond) }, p.refuse, p.hold}[i%4]()
			time.Sleep(500 * time.Millisecond)
			p.heal()
		}
	})
	return func() {
		close(stopped)
		all.Wait()
	}
}

// soak makes operations and returns how much memory the service took at most in the first third of them and in
// the last.
func (l *ledger) soak(s *server, people []*soaker, operations int) (first, last int) {
	var done atomic.Int64
	var all sync.WaitGroup
	for i := range soakWorkers {
		all.Go(func() {
			for turn := i; done.Add(1) <= int64(operations); turn += soakWorkers {
				people[turn%len(people)].operate()
			}
		})
	}
	ended := make(chan struct{})
	go func() { all.Wait(); close(ended) }()
	for {
		select {
		case <-ended:
			return first, last
		case <-time.After(100 * time.Millisecond):
		}
		switch done.Load() * 3 / int64(operations) {
		case 0:
			first = max(first, s.residentBytes())
		case 2:
			last = max(last, s.residentBytes())
		}
	}
}

// soaker is a person whose operations follow each other, however they end.
type soaker struct {
	*ledger
	*person
	mu sync.Mutex
}

// operate makes one operation. A session that has ended, or whose tokens were lost on the way, is replaced by a new one.
func (p *soaker) operate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.client
	if p.current == "" {
		p.signIn()
		return
	}
	limited := func(statuses ...int) []int { return append(statuses, http.StatusTooManyRequests) }
	switch n := rand.IntN(1000); {
	case n < 700:
		a := c.profile(p.password)
		p.expect("a guarded route", a, limited(http.StatusOK, http.StatusUnauthorized)...)
		if a.status == http.StatusUnauthorized {
			p.current = ""
		}
	case n < 850:
		p.expect("a forged token", c.profile(p.password[:len(p.password)-4]+flip(p.password[len(p.password)-4:])), http.StatusUnauthorized)
	case n < 950:
		p.expect("nothing", notFound(c), http.StatusNotFound)
	case n < 980:
		a := c.refresh(p.current)
		if a.ok() {
			p.password, p.current = a.member("accessToken"), a.member("refreshToken")
		} else if a.status == http.StatusUnauthorized {
			p.current = ""
		}
	case n < 990:
		p.stepUp(p.person, p.password)
		p.current = "" // the session has another refresh token now
	case n < 995:
		p.expect("a guess", guesses([]string{p.name})(c), limited(http.StatusUnauthorized)...)
	default:
		p.current = ""
	}
}

func (p *soaker) signIn() {
	a := p.client.do("POST", "/auth/login", "", keptCredentials(p.name))
	if !a.ok() {
		time.Sleep(100 * time.Millisecond) // or most operations would be refused logins
		return
	}
	p.password, p.current = a.member("accessToken"), a.member("refreshToken")
}

// goroutines ends the process and returns how many goroutines it had.
func (s *server) goroutines(t testing.TB) int {
	t.Helper()
	if err := s.process.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.exited:
	case <-time.After(patience.Long):
		t.Fatalf("%s does not quit", s.url)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := strings.Count(s.log.String(), "\ngoroutine ")
	s.log.Reset() // the test of a panic is whether it says goroutine
	return n
}
