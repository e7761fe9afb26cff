package faults_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/internal/redistest"
)

// anyAddress is one of many networks: who comes from there is nobody's neighbour.
func anyAddress() string {
	return fmt.Sprintf("2001:db8:%x:%x::1", rand.IntN(1<<16), rand.IntN(1<<16))
}

// limitsOn are the settings of a service that counts tries and believes the tests
// where they come from.
var limitsOn = []string{"STEPKEY_LIMITS=on", "STEPKEY_TRUSTED_PROXIES=127.0.0.0/8,::1/128"}

// onRedis is two instances with challenges and counts in one Redis of the row's own,
// with traffic.
type onRedis struct {
	*ledger
	redis    *redistest.Server
	proxy    *proxy
	dsn      string
	secret   string
	through  string // REDIS_URL
	instance *server
	more     []string // settings
}

func startOnRedis(t *trial, options redistest.Options, more ...string) *onRedis {
	t.Helper()
	redis := redistest.New(t, options)
	p := newProxy(t, "unix", strings.TrimPrefix(redis.URL(), "unix://"))
	dsn := pgtest.NewDatabase(t)
	o := &onRedis{redis: redis, proxy: p, dsn: dsn, secret: newSecret(), through: "redis://" + p.listener.Addr().String(), more: more}
	a := start(t, o.settings()...)
	b := start(t, append(o.settings(), "RP_ORIGIN="+a.url)...)
	o.instance = a
	c := newClient(t, a, b)
	c.address = anyAddress
	o.ledger = newLedger(t, c)
	o.limited = true
	return o
}

func (o *onRedis) settings() []string {
	return slices.Concat([]string{"DATABASE_URL=" + o.dsn, "STEPKEY_SECRET=" + o.secret, "REDIS_URL=" + o.through}, limitsOn, o.more)
}

// redisDo sends a command to Redis and returns the first line of its answer.
func redisDo(t testing.TB, s *redistest.Server, command string) string {
	t.Helper()
	conn, err := net.Dial("unix", strings.TrimPrefix(s.URL(), "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience.Long))
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(line, "-") {
		t.Fatalf("%s: %s", command, line)
	}
	return strings.TrimSpace(line)
}

// redisNumber is the number that a command answers with.
func redisNumber(t testing.TB, s *redistest.Server, command string) int {
	t.Helper()
	answer := redisDo(t, s, command)
	n, err := strconv.Atoi(strings.TrimPrefix(answer, ":"))
	if err != nil {
		t.Fatalf("%s: %s is no number", command, answer)
	}
	return n
}

// without checks what works without Redis, and what says that it does not.
func (o *onRedis) without() {
	o.Helper()
	c, p := o.client.beside(), o.people[0]
	want(o, "/readyz", c.do("GET", "/readyz", "", nil), http.StatusOK)
	want(o, "a guarded route", c.profile(p.password), http.StatusOK)
	want(o, "a guarded route", c.do("GET", "/users/histories", p.full, nil), http.StatusOK)
	longest := o.unavailable(map[string]func() answer{
		"login":   func() answer { return c.logIn(p.name) },
		"options": func() answer { return c.do("POST", "/passkeys/authenticate/options", p.password, nil) },
		"sign-up": func() answer { return c.signUp(newName()) },
	})
	fresh := want(o, "refresh without Redis", c.refresh(p.resting), http.StatusOK)
	p.resting = fresh.member("refreshToken")
	o.observe("without it: refresh, guarded routes and readyz 200; login, sign-up and ceremonies 503 within %s", round(longest))
}

func TestF06RedisDown(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		6, "Redis is down", "Redis is killed under load and started again, empty",
		"503 with Retry-After for logins, sign-ups and ceremonies: nothing is allowed for want of a count; sessions refresh and guarded routes go on",
	})
	o := startOnRedis(r, redistest.Options{})
	o.forgets = true
	o.run()
	if err := o.redis.Kill(); err != nil {
		t.Fatal(err)
	}
	o.without()
	time.Sleep(pick(2*time.Second, 10*time.Second))
	text, _, _ := o.client.tally()
	r.observe("meanwhile: %s", text)
	if err := o.redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.recovered()
	o.settle()
}

func TestF07RedisSlow(t *testing.T) {
	r := try(t, row{
		7, "Redis is slow, then silent", "a proxy before Redis delays everything by 1 s, then passes nothing on",
		"a decision is given up after 250 ms: 503, as when Redis is down",
	})
	o := startOnRedis(r, redistest.Options{}, deadlines...)
	o.run()
	for _, fault := range []struct {
		name string
		make func()
	}{{"delayed by 1 s", func() { o.proxy.slow(time.Second) }}, {"silent", o.proxy.hold}} {
		fault.make()
		o.without()
		o.givesUpInTime()
		time.Sleep(pick(time.Second, 8*time.Second))
		text, _, _ := o.client.tally()
		r.observe("%s: %s", fault.name, text)
		o.proxy.heal()
		o.recovered()
	}
	o.settle()
}

// givesUpInTime checks that a decision does not wait for Redis, which answers after two
// seconds at the earliest. On a busy machine one answer may take any time, so the
// quickest of several counts.
func (o *onRedis) givesUpInTime() {
	o.Helper()
	c, p := o.client.beside(), o.people[1]
	quickest := patience.Long
	for range 5 {
		a := c.do("POST", "/passkeys/authenticate/options", p.password, nil)
		if want(o, "options", a, http.StatusServiceUnavailable); a.member("code") == "unavailable" {
			quickest = min(quickest, a.took)
		}
	}
	if quickest > time.Second {
		o.Errorf("a decision takes %s at least, want 250 ms and little more", quickest)
	}
	o.observe("one decision is given up after %s", round(quickest))
}

func TestF08RedisFull(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		8, "Redis is full, or evicts",
		"maxmemory below what is used, with noeviction and then with allkeys-lru",
		"full: 503, and nothing is dropped; a challenge that was evicted is expired (400) and never accepted; the start warns of an evicting policy; no key is without an expiry",
	})
	o := startOnRedis(r, redistest.Options{Settings: []string{"--maxmemory", "100mb", "--maxmemory-policy", "noeviction"}})
	o.forgets = true
	c, p := o.client, o.people[0]
	if strings.Contains(o.instance.said(), "WARN") {
		t.Errorf("a warning about a policy that is right: %s", tail(o.instance.said()))
	}
	o.run()
	before := o.outstanding(p)
	redisDo(t, o.redis, "CONFIG SET maxmemory 1")
	o.isFull()
	o.granted("a challenge of before, with a full Redis", before.answered(o))
	redisDo(t, o.redis, "CONFIG SET maxmemory 100mb")
	o.recovered()

	evicted := o.outstanding(p)
	redisDo(t, o.redis, "CONFIG SET maxmemory-policy allkeys-lru")
	warned := start(t, o.settings()...)
	if !strings.Contains(warned.said(), "allkeys-lru") {
		t.Errorf("no warning about an evicting policy: %s", tail(warned.said()))
	}
	redisDo(t, o.redis, "CONFIG SET maxmemory 1")
	for until := time.Now().Add(patience.Long); redisNumber(t, o.redis, "EXISTS "+o.challengesOf(evicted.token)) > 0; time.Sleep(10 * time.Millisecond) {
		_ = c.logIn(p.name) // a write has Redis make room
		if time.Now().After(until) {
			t.Fatal("nothing is evicted")
		}
	}
	redisDo(t, o.redis, "CONFIG SET maxmemory 0")
	gone := want(t, "a challenge that was evicted", evicted.answered(o), http.StatusBadRequest)
	r.observe("evicted challenge: %d %s", gone.status, gone.member("code"))
	o.recovered()
	o.outstanding(p)
	o.everyKeyExpires()
	o.settle()
}

// isFull checks that nothing new gets in and nothing old is dropped.
func (o *onRedis) isFull() {
	o.Helper()
	c, p := o.client, o.people[0]
	c.tally()
	time.Sleep(pick(time.Second, 5*time.Second))
	want(o, "login with a full Redis", c.logIn(p.name), http.StatusServiceUnavailable)
	want(o, "options with a full Redis", c.do("POST", "/passkeys/authenticate/options", p.password, nil), http.StatusServiceUnavailable)
	text, _, _ := c.tally()
	evicted := redisNumber(o, o.redis, `EVAL "return tonumber(redis.call('INFO', 'stats'):match('evicted_keys:(%d+)'))" 0`)
	if evicted != 0 {
		o.Errorf("%d keys were evicted", evicted)
	}
	o.observe("full: %s; %d keys dropped", text, evicted)
}

// everyKeyExpires checks that nothing stays in Redis for good.
func (o *onRedis) everyKeyExpires() {
	o.Helper()
	keys := redisNumber(o, o.redis, "DBSIZE")
	forever := redisNumber(o, o.redis,
		`EVAL "local n = 0 for _, k in ipairs(redis.call('KEYS', '*')) do if redis.call('PTTL', k) < 0 then n = n + 1 end end return n" 0`)
	if keys == 0 || forever != 0 {
		o.Errorf("%d keys, %d without an expiry; want some and none", keys, forever)
	}
	o.observe("%d keys, %d without an expiry", keys, forever)
}

func TestF09RedisRestored(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		9, "Redis comes back with an old snapshot",
		"a snapshot is made while a challenge is outstanding; the challenge is used, a session ended and an account guessed at a hundred times; Redis is killed and restarted on the snapshot",
		"the challenge is not accepted again; the session stays ended; the account's hundred stay used up",
	})
	o := startOnRedis(r, redistest.Options{})
	c, p := o.client, o.people[0]
	o.forgets = true
	victim := o.enrolled()
	used := o.outstanding(p)
	ended := o.granted("login", c.logInKept(p.name)).member("accessToken")
	redisDo(t, o.redis, "SAVE")
	o.granted("the passkey", used.answered(o))
	want(t, "logout", c.do("POST", "/auth/logout", ended, nil), http.StatusOK)
	o.useUp(victim)
	o.run()
	time.Sleep(pick(500*time.Millisecond, 3*time.Second))
	if err := o.redis.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := o.redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if redisNumber(t, o.redis, "EXISTS "+o.challengesOf(used.token)) != 1 {
		t.Error("the snapshot does not hold the challenge: the row proves nothing")
	}
	replayed := want(t, "the challenge from the snapshot", used.answered(o), http.StatusBadRequest)
	r.observe("used challenge from the snapshot: %d %s", replayed.status, replayed.member("code"))
	want(t, "the ended session", c.profile(ended), http.StatusUnauthorized)
	o.isUsedUp(victim)
	o.recovered()
	o.settle()
}

// ceremony is a step-up that needs only to be answered.
type ceremony struct {
	token    string
	response []byte
}

// outstanding begins a step-up in a session of its own.
func (o *onRedis) outstanding(p *person) ceremony {
	o.Helper()
	session := o.granted("login", o.client.logInKept(p.name)).member("accessToken")
	options := want(o, "options", o.client.insist(func() answer {
		return o.client.do("POST", "/passkeys/authenticate/options", session, nil)
	}), http.StatusOK)
	response, err := p.device.Get(o.client.origin, options.body)
	if err != nil {
		o.Fatal(err)
	}
	return ceremony{session, response}
}

func (c ceremony) answered(o *onRedis) answer {
	return o.client.insist(func() answer {
		return o.client.do("POST", "/passkeys/authenticate/verify", c.token, c.response)
	})
}

// challengesOf is the key that Redis has a session's challenges under.
func (o *onRedis) challengesOf(token string) string {
	o.Helper()
	var claims struct{ SID string }
	readToken(o, token, 1, &claims)
	return "stepkey:challenges:" + claims.SID
}

func (o *onRedis) guess(p *person) answer {
	return o.client.insist(func() answer {
		return o.client.do("POST", "/auth/login", "", map[string]any{"username": p.name, "password": "wrong " + newName()})
	})
}

// useUp has somebody guess at an account as often as may be. The waits in between,
// which take days, are left out.
func (o *onRedis) useUp(p *person) {
	o.Helper()
	for range 10 {
		want(o, "a guess", o.guess(p), http.StatusUnauthorized)
	}
	execute(o, o.dsn, `UPDATE login_attempts SET failures = 99, blocked_until = 0 WHERE failures = 10`)
	want(o, "the hundredth guess", o.guess(p), http.StatusUnauthorized)
	o.isUsedUp(p)
}

// isUsedUp checks that not even the right password opens the account to a stranger.
func (o *onRedis) isUsedUp(p *person) {
	o.Helper()
	execute(o, o.dsn, `UPDATE login_attempts SET blocked_until = 0 WHERE failures = 100`)
	a := want(o, "the right password after a hundred guesses",
		o.client.insist(func() answer { return o.client.logIn(p.name) }), http.StatusTooManyRequests)
	if after := a.header.Get("Retry-After"); after != "3600" {
		o.Errorf("Retry-After %q, want an hour: it is not the hundred that refuse", after)
	}
}

func TestF10RedisFlushed(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		10, "Redis is flushed in the middle of an attack",
		"an account is guessed at from many addresses until it has to wait; FLUSHALL again and again while guessing goes on",
		"no guess gets further than before: failures at an account are kept in the database; logins of others go on; a ceremony that was under way begins anew",
	})
	o := startOnRedis(r, redistest.Options{})
	c := o.client
	o.forgets = true
	exhausted, victim := o.enrolled(), o.enrolled()
	o.useUp(exhausted)
	lost := o.outstanding(o.people[0])
	o.run()
	before, after, tries := 0, 0, pick(40, 120)
	for i := range tries {
		if i == tries/2 {
			before, after = after, 0
		}
		if i >= tries/2 && i%5 == 0 {
			redisDo(t, o.redis, "FLUSHALL")
		}
		if want(t, "a guess", o.guess(victim), http.StatusUnauthorized, http.StatusTooManyRequests).status == http.StatusUnauthorized {
			after++
		}
	}
	r.observe("%d guesses: %d were compared before the first FLUSHALL, %d after it", tries, before, after)
	// The wait of half a minute may end once meanwhile.
	if before < 10 || before > 11 || after > 2 {
		t.Errorf("%d and %d guesses were compared, want 10 and then none", before, after)
	}
	want(t, "the right password while the account waits", c.insist(func() answer { return c.logIn(victim.name) }),
		http.StatusTooManyRequests)
	o.isUsedUp(exhausted)
	gone := want(t, "a challenge that was flushed", lost.answered(o), http.StatusBadRequest)
	r.observe("a challenge that was flushed: %d %s", gone.status, gone.member("code"))
	o.recovered()
	text, _, _ := c.tally()
	r.observe("all together: %s", text)
	o.settle()
}
