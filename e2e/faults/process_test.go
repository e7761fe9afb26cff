package faults_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
)

// bcryptHash is that of testPassword, at the cost that the original takes.
const bcryptHash = `$2a$12$vFhSDInnNBAythHkZIEsh.8nhBLRaAc9NdSW4i8TRqcR0pkhTdtsu`

func TestF13InstanceKilled(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		13, "An instance is killed in the middle of requests",
		"one of two instances is killed (SIGKILL) at random moments during sign-up, refresh, registration, step-up and the remaking of old password hashes, and started again",
		"a refresh whose answer was lost works when sent again; a passkey is stored in full or not at all; a challenge is used at most once; old and new hashes match",
	})
	dsn := pgtest.NewDatabase(t)
	a, victim := startTwo(t, dsn)
	c := newClient(t, a, victim)
	l := newLedger(r, c)
	l.mayBreak = true
	l.run()
	other := newClient(t, a)
	imported := l.people[0].name
	rounds := pick(4, 20)
	for range rounds {
		execute(t, dsn, `UPDATE users SET password_hash = '`+bcryptHash+`' WHERE canonical_name = '`+imported+`'`)
		var logins sync.WaitGroup
		for range 2 {
			logins.Go(func() { l.expect("login while it is killed", c.logIn(imported), http.StatusCreated) })
		}
		time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
		victim.kill(t)
		logins.Wait()
		l.granted("login with a hash of either kind", other.insist(func() answer { return other.logIn(imported) }))
		victim.start(t)
	}
	text, _, _ := c.tally()
	r.observe("%d kills: %s", rounds, text)
	if c := number(t, dsn, `SELECT count(*) FROM passkeys WHERE length(public_key) < 32 OR length(credential_id) < 16`); c > 0 {
		t.Errorf("%d passkeys are not stored in full", c)
	}
	l.settle()
}

// balancer passes requests on to instances in turn, as a proxy in front does: it asks
// /readyz now and then, sends nothing to an instance that is not ready, and tries the next one
// where it gets no connection.
type balancer struct {
	url string

	mu    sync.Mutex
	ready []*url.URL
	turn  int
}

func newBalancer(t testing.TB, instances ...*server) (*balancer, *server) {
	t.Helper()
	b := &balancer{}
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(transport.CloseIdleConnections)
	front := &http.Server{Handler: &httputil.ReverseProxy{
		Rewrite:      func(*httputil.ProxyRequest) {},
		Transport:    &retrying{b, transport},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}}
	listener := listen(t)
	b.url = "http://" + listener.Addr().String()
	go func() { _ = front.Serve(listener) }()
	stop := make(chan struct{})
	var checks sync.WaitGroup
	b.check(instances)
	checks.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(checkEvery):
				b.check(instances)
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		checks.Wait()
		_ = front.Close()
	})
	return b, &server{url: b.url}
}

const checkEvery = 100 * time.Millisecond

func (b *balancer) check(instances []*server) {
	var ready []*url.URL
	for _, s := range instances {
		response, err := http.Get(s.url + "/readyz")
		if err != nil {
			continue
		}
		response.Body.Close()
		if u, err := url.Parse(s.url); err == nil && response.StatusCode == http.StatusOK {
			ready = append(ready, u)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = ready
}

func (b *balancer) pick() *url.URL {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) == 0 {
		return &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	}
	b.turn++
	return b.ready[b.turn%len(b.ready)]
}

// retrying sends a request to an instance, and to the next one if no connection comes
// about. A request that was sent is never sent again.
type retrying struct {
	balancer  *balancer
	transport http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (r *retrying) RoundTrip(request *http.Request) (response *http.Response, err error) {
	for range 4 {
		target := r.balancer.pick()
		request.URL.Scheme, request.URL.Host = target.Scheme, target.Host
		response, err = r.transport.RoundTrip(request)
		if err == nil || !strings.Contains(err.Error(), "connection refused") {
			return response, err
		}
	}
	return response, err
}

func TestF14RollingRestart(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		14, "Instances are restarted one after the other under load",
		"SIGTERM with STEPKEY_SHUTDOWN_DELAY=1s to each of two instances in turn, behind a round robin that asks /readyz every 100 ms and never sends a request twice",
		"the instance says that it is not ready, goes on for the delay, finishes what is under way within 20 s and exits with 0; nobody gets a 5xx",
	})
	a, b := startTwo(t, pgtest.NewDatabase(t), "STEPKEY_SHUTDOWN_DELAY=1s")
	_, front := newBalancer(t, a, b)
	c := newClient(t, front)
	c.origin = a.url
	l := newLedger(r, c)
	l.run()
	var longest time.Duration
	for range pick(1, 5) {
		for _, s := range []*server{a, b} {
			time.Sleep(300 * time.Millisecond)
			unready := watchReadiness(s)
			longest = max(longest, s.stop(t))
			if !<-unready {
				t.Error("the instance stopped without saying at /readyz that it would")
			}
			s.start(t)
			time.Sleep(3 * checkEvery)
		}
	}
	l.stop()
	for outcome, n := range c.outcomes() {
		// Too many logins for a busy machine are another matter.
		if (strings.HasPrefix(outcome, "5") && outcome != "503 overloaded") || outcome == "no connection" {
			t.Errorf("%s × %d during a rolling restart", outcome, n)
		}
	}
	text, _, _ := c.tally()
	r.observe("%d restarts, longest stop %s: %s", pick(2, 10), round(longest), text)
	l.settle()
}

// watchReadiness reports whether /readyz answers 503 before there is no answer.
func watchReadiness(s *server) <-chan bool {
	result := make(chan bool, 1)
	go func() {
		for until := time.Now().Add(patience.Long); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
			response, err := http.Get(s.url + "/readyz")
			if err != nil {
				break
			}
			response.Body.Close()
			if response.StatusCode == http.StatusServiceUnavailable {
				result <- true
				return
			}
		}
		result <- false
	}()
	return result
}

func TestF16MigrateTogether(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		16, "Instances start at once on an empty database",
		"three processes with one secret, several times",
		"one migrates while the others wait; all get ready, with one and the same signing key",
	})
	migrations, err := filepath.Glob("../../sqlstore/migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	rounds := pick(1, 3)
	for range rounds {
		dsn, secret := pgtest.NewDatabase(t), newSecret()
		var instances [3]*server
		for i := range instances {
			instances[i] = prepare(t, "DATABASE_URL="+dsn, "STEPKEY_SECRET="+secret)
		}
		for _, s := range instances {
			s.launch(t)
		}
		keys := map[string]bool{}
		for _, s := range instances {
			s.awaitReady(t)
			c := newClient(t, s)
			keys[string(want(t, "keys", c.do("GET", "/.well-known/jwks.json", "", nil), http.StatusOK).body)] = true
			want(t, "sign-up", c.insist(func() answer { return c.signUp(newName()) }), http.StatusCreated)
		}
		if n := number(t, dsn, `SELECT count(*) FROM signing_keys`); n != 1 || len(keys) != 1 {
			t.Errorf("%d signing keys, %d different sets of them", n, len(keys))
		}
		if n := number(t, dsn, `SELECT count(*) FROM schema_versions`); n != len(migrations) {
			t.Errorf("%d versions of the schema are recorded, and there are %d migrations", n, len(migrations))
		}
		for _, s := range instances {
			s.stop(t)
		}
	}
	r.observe("%d times three instances: all ready, one signing key, no migration twice", rounds)
}

func TestF18WrongSecret(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		18, "The root secret is another one, or missing",
		"an instance is started on the database of another STEPKEY_SECRET, on PostgreSQL and on SQLite, with a malformed one, and without any in a new folder",
		"the start is refused with the reason; no new signing key appears; the right instance goes on",
	})
	for _, database := range []string{"PostgreSQL", "SQLite"} {
		setting := "DATABASE_URL=sqlite:" + t.TempDir() + "/stepkey.db"
		if database == "PostgreSQL" {
			setting = "DATABASE_URL=" + pgtest.NewDatabase(t)
		}
		right := start(t, setting, "STEPKEY_SECRET="+newSecret())
		c := newClient(t, right)
		before := c.do("GET", "/.well-known/jwks.json", "", nil).body
		for what, wrong := range map[string][]string{
			"another secret": {setting, "STEPKEY_SECRET=" + newSecret()},
			"no secret":      {setting},
			"half a secret":  {setting, "STEPKEY_SECRET=c2hvcnQ="},
		} {
			s := prepare(t, wrong...)
			s.launch(t)
			select {
			case <-s.exited:
			case <-time.After(patience.Long):
				t.Errorf("%s with %s: it runs", database, what)
				s.kill(t)
			}
			said := s.said()
			if s.ended == nil || !strings.Contains(said, "STEPKEY_SECRET") {
				t.Errorf("%s with %s: %v, %q; want a refusal that names STEPKEY_SECRET", database, what, s.ended, said)
			}
			if what == "another secret" {
				r.observe("%s: %s", database, strings.TrimSpace(said))
			}
		}
		if after := c.do("GET", "/.well-known/jwks.json", "", nil).body; string(after) != string(before) {
			t.Error("the signing keys have changed")
		}
		want(t, "the right instance", c.insist(func() answer { return c.signUp(newName()) }), http.StatusCreated)
	}
}
