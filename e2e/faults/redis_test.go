package faults_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// onRedis is a service with challenges and counts in a Redis of its own, with traffic.
type onRedis struct {
	*ledger
	redis  *redistest.Server
	proxy  *proxy
	server *server
	dsn    string
}

func startOnRedis(t *trial, options redistest.Options) *onRedis {
	t.Helper()
	redis := redistest.New(t, options)
	p := newProxy(t, "unix", strings.TrimPrefix(redis.URL(), "unix://"))
	dsn := pgtest.NewDatabase(t)
	s := start(t, append([]string{
		"DATABASE_URL=" + dsn, "REDIS_URL=redis://" + p.listener.Addr().String(),
	}, limitsOn...)...)
	c := newClient(t, s)
	c.address = anyAddress
	l := newLedger(t, c)
	l.limited = true
	return &onRedis{l, redis, p, s, dsn}
}

// secret is the one that the service has generated.
func (o *onRedis) secret() string {
	o.Helper()
	text, err := os.ReadFile(filepath.Join(o.server.dir, "secret"))
	if err != nil {
		o.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// redisDo sends a command to Redis and returns the first line of its answer.
func redisDo(t testing.TB, s *redistest.Server, command string) string {
	t.Helper()
	conn, err := net.Dial("unix", strings.TrimPrefix(s.URL(), "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
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
	besideOthers(t)
	r := try(t, row{
		7, "Redis is slow, then silent", "a proxy before Redis delays everything by 1 s, then passes nothing on",
		"a decision is given up after 250 ms: 503, as when Redis is down",
	})
	o := startOnRedis(r, redistest.Options{})
	o.run()
	for _, fault := range []struct {
		name string
		make func()
	}{{"delayed by 1 s", func() { o.proxy.slow(time.Second) }}, {"silent", o.proxy.hold}} {
		fault.make()
		o.without()
		time.Sleep(pick(time.Second, 8*time.Second))
		text, _, _ := o.client.tally()
		r.observe("%s: %s", fault.name, text)
		o.proxy.heal()
		o.recovered()
	}
	o.settle()
}

func TestF08RedisFull(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		8, "Redis is full, or evicts",
		"maxmemory below what is used, with noeviction and then with allkeys-lru",
		"full: 503; a challenge that was evicted is expired (400) and never accepted; the start warns of an evicting policy; no key is without an expiry",
	})
	o := startOnRedis(r, redistest.Options{Settings: []string{"--maxmemory-policy", "noeviction"}})
	o.forgets = true
	c, p := o.client, o.people[0]
	if evil := o.server.said(); strings.Contains(evil, "WARN") {
		t.Errorf("a warning about a policy that is right: %s", tail(evil))
	}
	o.run()
	redisDo(t, o.redis, "CONFIG SET maxmemory 1")
	time.Sleep(pick(time.Second, 5*time.Second))
	want(t, "login with a full Redis", c.logIn(p.name), http.StatusServiceUnavailable)
	want(t, "options with a full Redis", c.do("POST", "/passkeys/authenticate/options", p.password, nil), http.StatusServiceUnavailable)
	text, _, _ := c.tally()
	r.observe("full: %s", text)
	redisDo(t, o.redis, "CONFIG SET maxmemory 0")
	o.recovered()

	session := o.granted("login", c.insist(func() answer { return c.logIn(p.name) })).member("accessToken")
	options := want(t, "options", c.do("POST", "/passkeys/authenticate/options", session, nil), http.StatusOK)
	response, err := p.device.Get(c.origin, options.body)
	if err != nil {
		t.Fatal(err)
	}
	redisDo(t, o.redis, "CONFIG SET maxmemory-policy allkeys-lru")
	redisDo(t, o.redis, "CONFIG SET maxmemory 1")
	for until := time.Now().Add(patience); redisDo(t, o.redis, "DBSIZE") != ":0"; time.Sleep(10 * time.Millisecond) {
		_ = c.logIn(p.name) // a write has Redis make room
		if time.Now().After(until) {
			t.Fatal("nothing is evicted")
		}
	}
	redisDo(t, o.redis, "CONFIG SET maxmemory 0")
	gone := want(t, "a challenge that was evicted", c.insist(func() answer {
		return c.do("POST", "/passkeys/authenticate/verify", session, response)
	}), http.StatusBadRequest)
	r.observe("evicted challenge: %d %s", gone.status, gone.member("code"))
	o.recovered()
	keys, forever := redisDo(t, o.redis, "DBSIZE"), redisDo(t, o.redis,
		`EVAL "local n = 0 for _, k in ipairs(redis.call('KEYS', '*')) do if redis.call('PTTL', k) < 0 then n = n + 1 end end return n" 0`)
	if forever != ":0" {
		t.Errorf("%s keys without an expiry", forever)
	}
	r.observe("%s keys, %s without an expiry", keys[1:], forever[1:])
	redisDo(t, o.redis, "CONFIG SET maxmemory 100mb")
	warned := start(t, "DATABASE_URL="+o.dsn, "STEPKEY_SECRET="+o.secret(), "REDIS_URL=redis://"+o.proxy.listener.Addr().String())
	if !strings.Contains(warned.said(), "allkeys-lru") {
		t.Errorf("no warning about an evicting policy: %s", tail(warned.said()))
	}
	o.settle()
}

func TestF09RedisRestored(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		9, "Redis comes back with an old snapshot",
		"a snapshot is made while a challenge is outstanding; the challenge is used and a session ended; Redis is killed and restarted on the snapshot",
		"the challenge is not accepted again; the session stays ended",
	})
	o := startOnRedis(r, redistest.Options{})
	c, p := o.client, o.people[0]
	o.forgets = true
	session := o.granted("login", c.logIn(p.name)).member("accessToken")
	ended := o.granted("login", c.logIn(p.name)).member("accessToken")
	options := want(t, "options", c.do("POST", "/passkeys/authenticate/options", session, nil), http.StatusOK)
	response, err := p.device.Get(c.origin, options.body)
	if err != nil {
		t.Fatal(err)
	}
	redisDo(t, o.redis, "SAVE")
	verify := func() answer { return c.do("POST", "/passkeys/authenticate/verify", session, response) }
	o.granted("the passkey", verify())
	want(t, "logout", c.do("POST", "/auth/logout", ended, nil), http.StatusOK)
	o.run()
	time.Sleep(pick(500*time.Millisecond, 3*time.Second))
	if err := o.redis.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := o.redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := redisDo(t, o.redis, "EXISTS "+o.challengesOf(session)); n != ":1" {
		t.Errorf("the snapshot does not hold the challenge (%s): the row proves nothing", n)
	}
	replayed := want(t, "the challenge from the snapshot", c.insist(verify), http.StatusBadRequest)
	r.observe("used challenge from the snapshot: %d %s", replayed.status, replayed.member("code"))
	want(t, "the ended session", c.profile(ended), http.StatusUnauthorized)
	o.recovered()
	o.settle()
}

// challengesOf is the key that Redis has a session's challenges under.
func (o *onRedis) challengesOf(token string) string {
	o.Helper()
	var claims struct{ SID string }
	readToken(o, token, 1, &claims)
	return "stepkey:challenges:" + claims.SID
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
	victim := o.enrolled()
	o.run()
	guess := func() answer {
		return c.do("POST", "/auth/login", "", map[string]any{"username": victim.name, "password": "wrong " + newName()})
	}
	before, after, tries := 0, 0, pick(40, 120)
	for i := range tries {
		if i == tries/2 {
			before, after = after, 0
		}
		if i > tries/2 && i%5 == 0 {
			redisDo(t, o.redis, "FLUSHALL")
		}
		a := c.insist(guess)
		want(t, "a guess", a, http.StatusUnauthorized, http.StatusTooManyRequests)
		if a.status == http.StatusUnauthorized {
			after++
		}
	}
	r.observe("%d guesses: %d were compared before the first FLUSHALL, %d after it", tries, before, after)
	// The wait of half a minute may end once meanwhile.
	if before > 11 || after > 2 {
		t.Errorf("%d and %d guesses were compared, want 10 and then none", before, after)
	}
	want(t, "the right password while the account waits", c.insist(func() answer { return c.logIn(victim.name) }),
		http.StatusTooManyRequests)
	o.recovered()
	text, _, _ := c.tally()
	r.observe("all together: %s", text)
	o.settle()
}
