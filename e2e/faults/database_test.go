package faults_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
)

// ownDatabase is a PostgreSQL server of the row's own, which it may break. It keeps
// what it has committed, as it has to for anything else to.
func ownDatabase(t *trial) (*pgtest.Server, string) {
	t.Helper()
	server, err := pgtest.Start(context.Background(), pgtest.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	dsn, err := server.CreateDatabase(context.Background(), "stepkey")
	if err != nil {
		t.Fatal(err)
	}
	return server, dsn
}

// without checks what works without a database, and what says that it does not.
func (l *ledger) without(c *client) {
	l.Helper()
	p := l.people[0]
	want(l, "/livez", c.do("GET", "/livez", "", nil), http.StatusOK)
	want(l, "the public keys", c.do("GET", "/.well-known/jwks.json", "", nil), http.StatusOK)
	want(l, "a guarded route", c.profile(p.password), http.StatusOK)
	want(l, "a guarded route", c.do("GET", "/users/histories", p.full, nil), http.StatusOK)
	longest := l.unavailable(map[string]func() answer{
		"/readyz":     func() answer { return c.do("GET", "/readyz", "", nil) },
		"login":       func() answer { return c.logIn(p.name) },
		"refresh":     func() answer { return c.refresh(p.spare) },
		"options":     func() answer { return c.do("POST", "/passkeys/authenticate/options", p.password, nil) },
		"new passkey": func() answer { return c.do("POST", "/passkeys/register/options", p.full, nil) },
		"sign-up":     func() answer { return c.signUp(newName()) },
	})
	l.observe("without it: livez, keys and guarded routes 200; readyz, login, sign-up, refresh and ceremonies 503 within %s", round(longest))
}

// unavailable makes requests at once, all of which have to be answered with 503, and
// returns how long the longest took.
func (l *ledger) unavailable(requests map[string]func() answer) time.Duration {
	l.Helper()
	var all sync.WaitGroup
	var longest atomic.Int64
	for what, request := range requests {
		all.Go(func() {
			a := want(l, what+" during the fault", request(), http.StatusServiceUnavailable)
			for old := longest.Load(); int64(a.took) > old && !longest.CompareAndSwap(old, int64(a.took)); old = longest.Load() {
			}
		})
	}
	all.Wait()
	return time.Duration(longest.Load())
}

func TestF01DatabaseDown(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		1, "The database is down", "PostgreSQL is killed under load, and started again",
		"503 with Retry-After for what needs it, /readyz too; guarded routes, keys and /livez go on for 30 s, then guards answer 503; recovery by itself",
	})
	server, dsn := ownDatabase(r)
	c := newClient(t, start(t, "DATABASE_URL="+dsn))
	l := newLedger(r, c)
	l.run()
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	l.without(c.beside())
	time.Sleep(pick(time.Second, 5*time.Second))
	if *long {
		l.blind(c, killed)
	}
	text, _, _ := c.tally()
	r.observe("meanwhile: %s", text)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.recovered()
	l.settle()
}

// blind waits until guards let nobody through any more.
func (l *ledger) blind(c *client, since time.Time) {
	l.Helper()
	for c.profile(l.people[0].password).ok() {
		if time.Since(since) > 45*time.Second {
			l.Fatalf("guards trust an old list after %s", time.Since(since))
		}
		time.Sleep(200 * time.Millisecond)
	}
	want(l, "a guarded route that knows too little", c.profile(l.people[0].password), http.StatusServiceUnavailable)
	l.observe("guards fail closed (503) after %s", round(time.Since(since)))
}

func TestF02DatabaseSlow(t *testing.T) {
	r := try(t, row{
		2, "The database is slow, then silent",
		"a proxy before PostgreSQL delays everything by 5 s, then passes nothing on",
		"each statement is given up after 2 s and a request after 5 s: 503; guarded routes are not held up; memory and open files stay flat",
	})
	_, dsn := ownDatabase(r)
	p, through := databaseProxy(t, dsn)
	s := start(t, append(deadlines, "DATABASE_URL="+through)...)
	c := newClient(t, s)
	l := newLedger(r, c)
	l.run()
	memory, files := s.residentBytes(), s.openFiles()
	for _, fault := range []struct {
		name string
		make func()
	}{{"delayed by 5 s", func() { p.slow(5 * time.Second) }}, {"silent", p.hold}} {
		fault.make()
		beside := c.beside()
		l.without(beside)
		l.crowd(c)
		l.guardedRoutesAreQuick(c)
		time.Sleep(pick(0, 8*time.Second))
		text, _, _ := c.tally()
		r.observe("%s: %s", fault.name, text)
		p.heal()
		l.recovered()
	}
	r.observe("memory %s before and %s after, open files %d and %d", mib(memory), mib(s.residentBytes()), files, s.openFiles())
	if grown := s.residentBytes() - memory; grown > 100<<20 {
		t.Errorf("memory has grown by %s", mib(grown))
	}
	l.settle()
}

// crowd has many requests wait for the database at once. They are of several sessions, so that none meets its limit.
func (l *ledger) crowd(c *client) {
	l.Helper()
	var all sync.WaitGroup
	for i := range pick(100, 300) {
		p := l.people[i%len(l.people)]
		all.Go(func() {
			want(l, "one of a crowd", c.do("POST", "/passkeys/authenticate/options", p.password, nil), http.StatusServiceUnavailable)
		})
	}
	all.Wait()
}

// guardedRoutesAreQuick reads a guarded route a hundred times, which no fault of the
// database may hold up.
func (l *ledger) guardedRoutesAreQuick(c *client) {
	l.Helper()
	other := c.beside()
	for range 100 {
		want(l, "a guarded route", other.profile(l.people[0].password), http.StatusOK)
	}
	_, _, longest := other.tally()
	l.observe("100 guarded requests meanwhile: 200, longest %s", round(longest))
	if longest > 2*time.Second {
		l.Errorf("a guarded route took %s: it waits for the database", longest)
	}
}

// execute runs statements as the database's superuser.
func execute(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn+"&search_path=stepkey")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range statements {
		if _, err := conn.Exec(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// number is the one number that a query gives.
func number(t testing.TB, dsn, query string) int {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn+"&search_path=stepkey")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var n int
	if err := conn.QueryRow(context.Background(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestF03DatabaseReadOnly(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		3, "The primary has become read-only, as after a fail-over",
		"default_transaction_read_only is switched on and all connections are cut; then off again while the service holds read-only connections",
		"503 for what writes, guarded routes go on and readyz stays 200; the service lets go of connections to a read-only server by itself",
	})
	postgres, dsn := ownDatabase(r)
	p, through := databaseProxy(t, dsn)
	c := newClient(t, start(t, "DATABASE_URL="+through))
	l := newLedger(r, c)
	l.run()
	execute(t, postgres.DSN("postgres"), `ALTER DATABASE stepkey SET default_transaction_read_only = on`)
	p.cut()
	other := c.beside()
	l.unavailable(map[string]func() answer{
		"login":   func() answer { return other.logIn(l.people[0].name) },
		"refresh": func() answer { return other.refresh(l.people[0].resting) },
		"options": func() answer {
			return other.do("POST", "/passkeys/authenticate/options", l.people[0].password, nil)
		},
	})
	// All instances share the primary: none would be left to serve guarded routes.
	want(l, "/readyz", other.do("GET", "/readyz", "", nil), http.StatusOK)
	l.guardedRoutesAreQuick(c)
	time.Sleep(pick(time.Second, 8*time.Second))
	text, _, _ := c.tally()
	r.observe("meanwhile: %s", text)
	// Existing connections stay read-only; new ones do not.
	execute(t, postgres.DSN("postgres"), `ALTER DATABASE stepkey RESET default_transaction_read_only`)
	l.recovered()
	l.settle()
}

func TestF04ConnectionsExhausted(t *testing.T) {
	r := try(t, row{
		4, "The database has no connection left",
		"the service's connections are cut and every new one is refused with 53300 (the role's connection limit)",
		"503 within 2 s, no 500, no storm of new connections; recovery when there is room again",
	})
	_, dsn := ownDatabase(r)
	execute(t, dsn, `CREATE ROLE narrow LOGIN`, `GRANT ALL ON DATABASE stepkey TO narrow`, `GRANT ALL ON SCHEMA public TO narrow`)
	p, through := databaseProxy(t, dsn)
	c := newClient(t, start(t, append(deadlines, "DATABASE_URL="+asRole(t, through, "narrow"))...))
	l := newLedger(r, c)
	l.run()
	execute(t, dsn, `ALTER ROLE narrow CONNECTION LIMIT 0`)
	p.cut()
	before, began := p.accepted.Load(), time.Now()
	other := c.beside()
	l.unavailable(map[string]func() answer{
		"login":   func() answer { return other.logIn(l.people[0].name) },
		"refresh": func() answer { return other.refresh(l.people[0].resting) },
		"readyz":  func() answer { return other.do("GET", "/readyz", "", nil) },
	})
	time.Sleep(pick(2*time.Second, 8*time.Second))
	text, _, _ := c.tally()
	r.observe("meanwhile: %s", text)
	tries := float64(p.accepted.Load()-before) / time.Since(began).Seconds()
	r.observe("%.0f tries to connect per second", tries)
	execute(t, dsn, `ALTER ROLE narrow CONNECTION LIMIT -1`)
	l.recovered()
	l.settle()
}

func TestF05Deadlocks(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		5, "Deadlocks and failed serialization",
		"locks of the test cross those of requests to two instances, for one user; beside it both serve that user in parallel",
		"the transaction that the database rolls back is run again, at most 3 times: no 500",
	})
	dsn := pgtest.NewDatabase(t)
	a, b := startTwo(t, dsn)
	c := newClient(t, a, b)
	l := newLedger(r, c)
	l.run()
	before, repeated := number(t, dsn, deadlocks), 0
	for range pick(2, 8) {
		if cross(l, dsn, l.enrolled()) {
			repeated++
		}
	}
	if repeated == 0 {
		t.Error("no transaction that was rolled back for a deadlock was run again with success")
	}
	p := l.people[0]
	var all sync.WaitGroup
	var done atomic.Int64
	for range 8 {
		all.Go(func() {
			for range pick(5, 40) {
				a := c.do("POST", "/auth/login", "", keptCredentials(p.name))
				l.expect("login", a, http.StatusCreated)
				if a.ok() {
					l.expect("passkey", l.stepUp(p, a.member("accessToken")), http.StatusCreated)
					l.expect("logout", c.do("POST", "/auth/logout", a.member("accessToken"), nil), http.StatusOK)
					done.Add(1)
				}
			}
		})
	}
	all.Wait()
	text, _, _ := c.tally()
	r.observe("%d deadlocks, after which %d requests still succeeded; %d logins, step-ups and logouts of one user on two instances at once; %s",
		number(t, dsn, deadlocks)-before, repeated, done.Load(), text)
	l.settle()
}

const deadlocks = `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`

// cross makes a request and the test wait for each other, so that the database ends
// one of the two: a step-up takes the passkey's row and then the session's. It reports
// whether the request succeeded all the same.
func cross(l *ledger, dsn string, p *person) (succeeded bool) {
	l.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn+"&search_path=stepkey")
	if err != nil {
		l.Fatal(err)
	}
	defer conn.Close(ctx)
	// The one who has waited longest looks for a deadlock first and is the victim.
	if _, err := conn.Exec(ctx, `SET deadlock_timeout = '10s'`); err != nil {
		l.Fatal(err)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		l.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	step := func(statement string) {
		if _, err := tx.Exec(ctx, statement, p.name); err != nil {
			l.Errorf("the test's side of the deadlock: %v", err)
		}
	}
	step(`SELECT 1 FROM sessions WHERE user_id = (SELECT id FROM users WHERE canonical_name = $1) FOR UPDATE`)
	answered := make(chan answer)
	go func() { answered <- l.stepUp(p, p.password) }()
	time.Sleep(300 * time.Millisecond) // the request has the passkey's row and waits for its session
	step(`SELECT 1 FROM passkeys WHERE user_id = (SELECT id FROM users WHERE canonical_name = $1) FOR UPDATE`)
	if err := tx.Commit(ctx); err != nil {
		l.Errorf("the test's side of the deadlock: %v", err)
	}
	a := want(l, "a passkey in a deadlock", <-answered, http.StatusCreated, http.StatusServiceUnavailable)
	return a.ok()
}

func TestF32Partition(t *testing.T) {
	besideOthers(t)
	r := try(t, row{
		32, "One of two instances is cut off from the database",
		"a proxy before B's database passes nothing on; A ends a session",
		"A refuses the session at once, B within 30 s at most, for then it refuses everybody (503)",
	})
	dsn := pgtest.NewDatabase(t)
	p, through := databaseProxy(t, dsn)
	secret := newSecret()
	a := start(t, "DATABASE_URL="+dsn, "STEPKEY_SECRET="+secret)
	b := start(t, append(deadlines, "DATABASE_URL="+through, "STEPKEY_SECRET="+secret, "RP_ORIGIN="+a.url)...)
	c := newClient(t, a)
	onB := c.beside()
	onB.urls = []string{b.url}
	l := newLedger(r, c)
	l.run()
	victim := l.granted("login", c.logInKept(l.people[1].name)).member("accessToken")
	want(l, "B before", onB.profile(victim), http.StatusOK)
	p.hold()
	cutOff := time.Now()
	want(l, "logout on A", c.do("POST", "/auth/logout", victim, nil), http.StatusOK)
	want(l, "A after the logout", c.profile(victim), http.StatusUnauthorized)
	want(l, "login on B", onB.logIn(l.people[0].name), http.StatusServiceUnavailable)
	l.blind(onB, cutOff)
	want(l, "the ended session on B", onB.profile(victim), http.StatusServiceUnavailable)
	text, _, _ := c.tally()
	r.observe("on A meanwhile: %s", text)
	p.heal()
	healed := time.Now()
	for until := healed.Add(patience.Long); !onB.profile(l.people[0].password).ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("B does not recover")
		}
	}
	r.observe("B serves again %s after", round(time.Since(healed)))
	want(l, "the ended session on B", onB.profile(victim), http.StatusUnauthorized)
	l.settle()
}
