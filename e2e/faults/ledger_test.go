package faults_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// crowdSize is how many users there are before the fault, and how many more may
// sign up during it.
func crowdSize() (before, during int) {
	if *long {
		return 3, 30
	}
	return 2, 5
}

var personNumber atomic.Int64

func newName() string { return fmt.Sprintf("person-%d", personNumber.Add(1)) }

// person is what one user has been told by the service.
type person struct {
	name   string
	device *authenticator.Authenticator // nil until a passkey was acknowledged
	unsaid *authenticator.Authenticator // one whose registration was not answered

	password, full string // access tokens
	current        string // refresh token in use
	resting        string // refresh token of a session that nobody touches meanwhile
	spare          string // refresh token of a session that is tried during a fault, and whose fate is then unknown

	// unsure is when an answer to a refresh with the current token was first lost.
	unsure time.Time

	// signedIn is when the sessions began whose tokens are resting and current, if the person has a passkey. They have not
	// verified it in these.
	signedIn time.Time
}

// ledger is what the service acknowledged, and the traffic that makes it do so.
type ledger struct {
	*trial
	client *client
	people []*person

	// mayBreak allows that connections are refused or cut: instances are killed.
	mayBreak bool

	// limited says that the service counts tries: a session is good for a few
	// ceremonies only.
	limited bool

	// forgets says that outstanding challenges may be lost: a ceremony that was under
	// way is refused with 400 and begins anew.
	forgets bool

	mu        sync.Mutex
	newcomers []*person
	responses []spent
	refreshed int
	endedLate int

	complaints atomic.Int64
	stopped    chan struct{}
	workers    sync.WaitGroup
}

// spent is a ceremony's response that was sent.
type spent struct {
	token, path string
	response    []byte
}

// newLedger signs people up, each with a passkey and sessions.
func newLedger(t *trial, c *client) *ledger {
	t.Helper()
	l := &ledger{trial: t, client: c, stopped: make(chan struct{})}
	before, _ := crowdSize()
	for range before {
		p := l.enrolled()
		kept := l.granted("login", c.logInKept(p.name))
		p.current = kept.member("refreshToken")
		p.resting = l.granted("login", c.logInKept(p.name)).member("refreshToken")
		p.spare = l.granted("login", c.logInKept(p.name)).member("refreshToken")
		// A step-up changes its session's refresh token, so it has a session of its own.
		p.password = l.granted("login", c.insist(func() answer { return c.logIn(p.name) })).member("accessToken")
		p.full = l.stepUp(p, l.granted("login", c.logInKept(p.name)).member("accessToken")).member("accessToken")
		if p.full == "" {
			t.Fatal("no step-up before the fault")
		}
		p.signedIn = time.Now()
		l.people = append(l.people, p)
	}
	c.tally()
	return l
}

// enrolled signs somebody up, in and a passkey on.
func (l *ledger) enrolled() *person {
	l.Helper()
	p := &person{name: newName()}
	want(l, "sign-up", l.client.insist(func() answer { return l.client.signUp(p.name) }), http.StatusCreated)
	p.password = l.granted("login", l.client.logInKept(p.name)).member("accessToken")
	if !l.register(p) {
		l.Fatal("no passkey could be added before the fault")
	}
	return p
}

// reader is a new person with a session that can be refreshed.
func (l *ledger) reader() *person {
	l.Helper()
	p := &person{name: newName()}
	want(l, "sign-up", l.client.insist(func() answer { return l.client.signUp(p.name) }), http.StatusCreated)
	a := l.granted("login", l.client.logInKept(p.name))
	p.password, p.current = a.member("accessToken"), a.member("refreshToken")
	return p
}

func (c *client) logInKept(name string) answer {
	return c.insist(func() answer { return c.do("POST", "/auth/login", "", keptCredentials(name)) })
}

func (l *ledger) granted(what string, a answer) answer { return want(l, what, a, http.StatusCreated) }

// run starts the traffic, which ends with the test at the latest.
func (l *ledger) run() {
	l.Cleanup(l.stop)
	l.worker(10*time.Millisecond, l.readGuarded)
	l.worker(10*time.Millisecond, l.readForged)
	for _, p := range l.people {
		l.worker(20*time.Millisecond, func() { l.refresh(p) })
	}
	l.worker(20*time.Millisecond, l.stepUpAndReplay)
	l.worker(100*time.Millisecond, l.newcomer)
}

func (l *ledger) worker(pause time.Duration, step func()) {
	l.workers.Go(func() {
		for {
			select {
			case <-l.stopped:
				return
			case <-time.After(pause * pick[time.Duration](3, 1)):
				step()
			}
		}
	})
}

// expect is want for traffic: everything may be refused for the time being.
func (l *ledger) expect(what string, a answer, statuses ...int) {
	statuses = append(statuses, http.StatusServiceUnavailable)
	if l.mayBreak {
		statuses = append(statuses, 0)
	}
	if slices.Contains(statuses, a.status) || l.complaints.Add(1) < 10 {
		want(l, what, a, statuses...)
	}
}

func (l *ledger) anybody() *person { return l.people[int(personNumber.Add(1))%len(l.people)] }

func (l *ledger) readGuarded() {
	p := l.anybody()
	l.expect("a guarded route", l.client.profile(p.password), http.StatusOK)
	l.expect("a guarded route", l.client.do("GET", "/users/histories", p.full, nil), http.StatusOK)
}

// readForged tries tokens that were never worth anything, and ones that are worth
// too little.
func (l *ledger) readForged() {
	p := l.anybody()
	forged := p.full[:len(p.full)-4] + flip(p.full[len(p.full)-4:])
	l.expect("a forged token", l.client.profile(forged), http.StatusUnauthorized)
	l.expect("a forged token", l.client.do("GET", "/users/histories", forged, nil), http.StatusUnauthorized)
	l.expect("too low a level", l.client.do("GET", "/users/histories", p.password, nil), http.StatusForbidden)
	l.expect("a forged refresh token", l.client.refresh(p.resting[:len(p.resting)-4]+flip(p.resting[len(p.resting)-4:])), http.StatusUnauthorized)
}

// flip changes each letter to another one of its alphabet.
func flip(text string) string {
	return strings.Map(func(r rune) rune {
		if r == 'A' {
			return 'B'
		}
		return 'A'
	}, text)
}

// grace is for how long a refresh token can be sent again whose answer was lost.
const grace = 10 * time.Second

// refresh moves a session on. Where the answer was lost it sends the same token
// again, as a client does.
func (l *ledger) refresh(p *person) {
	if p.current == "" {
		return
	}
	a := l.client.refresh(p.current)
	switch {
	case a.ok():
		p.current, p.unsure = a.member("refreshToken"), time.Time{}
		l.mu.Lock()
		l.refreshed++
		l.mu.Unlock()
	case a.unknown():
		if p.unsure.IsZero() {
			p.unsure = time.Now()
		}
		l.expect("a refresh", a)
	case l.limited && a.status == http.StatusTooManyRequests:
		// Nothing was changed. The same token is good for the next try.
	case a.status == http.StatusUnauthorized && !p.unsure.IsZero() && time.Since(p.unsure) > grace-time.Second:
		// The answer to a refresh was lost and the fault outlived the grace: by the
		// rules for reused tokens the session is over.
		l.mu.Lock()
		l.endedLate++
		l.mu.Unlock()
		p.current = ""
	default:
		l.expect("a refresh", a)
		p.current = ""
	}
}

// refreshInTurn refreshes a session, after a wait if its traffic has used up its limit. That lets one through every
// two seconds.
func (l *ledger) refreshInTurn(token string) answer {
	for range 5 {
		if a := l.client.refresh(token); a.status != http.StatusTooManyRequests {
			return a
		}
		time.Sleep(time.Second)
	}
	return l.client.refresh(token)
}

// stepUp runs a ceremony.
func (l *ledger) stepUp(p *person, token string) answer {
	options := l.client.do("POST", "/passkeys/authenticate/options", token, nil)
	if !options.ok() {
		l.expect("options for a passkey", options)
		return answer{}
	}
	response, err := p.device.Get(l.client.origin, options.body)
	if err != nil {
		l.Errorf("the device: %v", err)
		return answer{}
	}
	const path = "/passkeys/authenticate/verify"
	a := l.client.do("POST", path, token, response)
	if a.status == http.StatusCreated {
		l.replay(spent{token, path, response})
	}
	return a
}

// replay sends a response that was accepted once more, and remembers it.
func (l *ledger) replay(s spent) {
	l.expect("a challenge that was used", l.client.do("POST", s.path, s.token, s.response), http.StatusBadRequest)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.responses = append(l.responses, s); len(l.responses) > 50 {
		l.responses = l.responses[1:]
	}
}

func (l *ledger) stepUpAndReplay() {
	p := l.anybody()
	session := p.password
	if l.limited {
		a := l.client.logIn(p.name)
		l.expect("a login", a, http.StatusCreated)
		if session = a.member("accessToken"); !a.ok() {
			return
		}
	}
	if a := l.stepUp(p, session); a.status != 0 {
		// A challenge is used up by a try that failed half-way.
		l.expect("a passkey", a, l.unlessForgotten(http.StatusCreated)...)
	}
}

func (l *ledger) unlessForgotten(status int) []int {
	if l.forgets {
		return []int{status, http.StatusBadRequest}
	}
	return []int{status}
}

// register adds a passkey and reports whether that was acknowledged. If the answer
// was lost, the device has one that may or may not be known.
func (l *ledger) register(p *person) bool {
	options := l.client.do("POST", "/passkeys/register/options", p.password, nil)
	if !options.ok() {
		l.expect("options for a new passkey", options)
		return false
	}
	device := authenticator.New(authenticator.Config{Algorithms: []int64{authenticator.ES256}})
	response, err := device.Create(l.client.origin, options.body)
	if err != nil {
		l.Errorf("the device: %v", err)
		return false
	}
	const path = "/passkeys/register/verify"
	a := l.client.do("POST", path, p.password, response)
	l.expect("a new passkey", a, l.unlessForgotten(http.StatusCreated)...)
	if !a.ok() {
		p.unsaid = device
		p.resting = "" // the first passkey raises its session: whether its refresh token was replaced is not known
		return false
	}
	p.device = device
	if p.resting != "" {
		p.resting = a.member("refreshToken")
	}
	l.replay(spent{p.password, path, response})
	return true
}

// newcomer signs somebody up, who signs in and adds a passkey. When there are enough
// of them it signs in somebody who was there before.
func (l *ledger) newcomer() {
	l.mu.Lock()
	_, most := crowdSize()
	enough := len(l.newcomers) >= most
	l.mu.Unlock()
	if enough {
		l.expect("a login", l.client.logIn(l.anybody().name), http.StatusCreated)
		return
	}
	p := &person{name: newName()}
	if a := l.client.signUp(p.name); !a.ok() {
		l.expect("a sign-up", a)
		return
	}
	l.mu.Lock()
	l.newcomers = append(l.newcomers, p)
	l.mu.Unlock()
	a := l.client.do("POST", "/auth/login", "", keptCredentials(p.name))
	l.expect("a login", a, http.StatusCreated)
	if a.ok() {
		p.password, p.resting = a.member("accessToken"), a.member("refreshToken")
		l.register(p)
	}
}

// stop ends the traffic.
func (l *ledger) stop() {
	select {
	case <-l.stopped:
	default:
		close(l.stopped)
	}
	l.workers.Wait()
}

// settle ends the traffic and holds the service to what it acknowledged.
func (l *ledger) settle() {
	l.Helper()
	l.stop()
	c, passkeys, sessions, overdue := l.client, 0, 0, 0
	everybody := append(append([]*person{}, l.people...), l.newcomers...)
	for _, p := range everybody {
		a := l.granted("login of "+p.name, c.logInKept(p.name))
		if p.device != nil {
			passkeys++
			full := l.granted("passkey of "+p.name, l.stepUp(p, a.member("accessToken"))).member("accessToken")
			want(l, "what the passkey opens", c.do("GET", "/users/histories", full, nil), http.StatusOK)
		}
		if p.device == nil && p.unsaid != nil {
			l.allOrNothing(p, a.member("accessToken"))
		}
		for _, token := range []string{p.resting, p.current} {
			if token == "" {
				continue
			}
			if token == p.current && !p.unsure.IsZero() && time.Since(p.unsure) > grace-time.Second {
				l.refresh(p) // the rules of reuse may have ended it
				continue
			}
			if !p.signedIn.IsZero() && time.Since(p.signedIn) > stepkey.NoStepUpLifetime {
				want(l, "refresh by "+p.name+" for too long without a passkey", c.refresh(token), http.StatusUnauthorized)
				overdue++
				continue
			}
			sessions++
			fresh := want(l, "refresh by "+p.name, c.insist(func() answer { return l.refreshInTurn(token) }), http.StatusOK)
			want(l, "a guarded route after it", c.profile(fresh.member("accessToken")), http.StatusOK)
		}
	}
	for _, s := range l.responses {
		want(l, "a challenge that was used before", c.do("POST", s.path, s.token, s.response),
			http.StatusBadRequest, http.StatusUnauthorized) // 401 where the session is over
	}
	l.observe("kept: %d accounts, %d passkeys, %d sessions (%d refreshes); %d used challenges refused again",
		len(everybody), passkeys, sessions, l.refreshed, len(l.responses))
	if overdue > 0 {
		l.observe("%d sessions had gone on for longer than %s with the password alone, and were refused", overdue, stepkey.NoStepUpLifetime)
	}
	if l.endedLate > 0 {
		l.observe("%d sessions ended because the answer to a refresh was lost for longer than the grace of %s", l.endedLate, grace)
	}
}

// allOrNothing tries a passkey whose registration was not answered: it works, or there
// is none.
func (l *ledger) allOrNothing(p *person, token string) {
	l.Helper()
	if options := l.client.do("POST", "/passkeys/authenticate/options", token, nil); options.status == http.StatusBadRequest {
		return
	}
	p.device = p.unsaid
	l.granted("a passkey that was stored and not acknowledged", l.stepUp(p, token))
	l.observe("a passkey whose registration was not answered is there and works")
}

// recovered waits until people can sign in again and reports how long that took.
func (l *ledger) recovered() time.Duration {
	l.Helper()
	began := time.Now()
	for until := began.Add(patience.Long); ; time.Sleep(20 * time.Millisecond) {
		ready := l.client.do("GET", "/readyz", "", nil)
		if ready.ok() && l.client.logIn(l.people[0].name).ok() {
			took := time.Since(began)
			l.observe("recovered by itself after %s", round(took))
			return took
		}
		if time.Now().After(until) {
			l.Fatalf("no recovery within %s", patience.Long)
		}
	}
}
