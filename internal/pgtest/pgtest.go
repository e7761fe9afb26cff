package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// shared is the one server of this test process. It is the package's only
// variable state: a server takes a second to start, and the tests of a binary
// have nothing in common through which it could be handed to them.
var shared process

// process starts at most one server and hands out databases on it.
type process struct {
	mu        sync.Mutex
	managed   bool // Main runs, so the server will be stopped
	started   bool
	server    *Server
	err       error // why there is no server, the same for every test
	databases int   // names given out
	templates map[string]*template
}

// template is a database prepared once, from which others are copied.
type template struct {
	once sync.Once
	name string
	err  error
}

// Main runs the tests of a binary and then stops the server they shared, if they
// started one. It returns the exit status for os.Exit.
func Main(m *testing.M) int {
	shared.mu.Lock()
	shared.managed = true
	shared.mu.Unlock()

	status := m.Run()

	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil {
		return status
	}
	if err := shared.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(status, 1)
	}
	return status
}

// NewDatabase returns the DSN of a new, empty database, which is dropped when
// the test ends, with whatever connections are still open to it. If the test
// fails, it also logs what the server said meanwhile.
func NewDatabase(tb testing.TB) string {
	tb.Helper()
	return newDatabase(tb, shared.start(tb), "template0")
}

// Clone is like [NewDatabase], but the database is a copy of one that prepare
// filled (with a schema, say). prepare runs once for each key in a test process
// and must close its connections: PostgreSQL does not copy a database in use.
// When it fails, every test that asks for that key fails.
func Clone(tb testing.TB, key string, prepare func(dsn string) error) string {
	tb.Helper()
	server := shared.start(tb)
	t := shared.template(key)
	t.once.Do(func() { t.err = server.prepare(t.name, prepare) })
	if t.err != nil {
		tb.Fatalf("pgtest: preparing %q: %v", key, t.err)
	}
	return newDatabase(tb, server, t.name)
}

// prepare creates the template database name and lets fill fill it.
func (s *Server) prepare(name string, fill func(dsn string) error) error {
	ctx := context.Background()
	dsn, err := s.CreateDatabase(ctx, name)
	if err != nil {
		return err
	}
	if err := fill(dsn); err != nil {
		return err
	}
	// A template that nobody can connect to stays as it is and is never in use.
	return s.exec(ctx, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false")
}

// newDatabase creates a database as a copy of source for the length of a test.
func newDatabase(tb testing.TB, server *Server, source string) string {
	tb.Helper()
	logged := server.logSize()
	name := shared.nextName()
	dsn, err := server.copyDatabase(context.Background(), name, source)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("PostgreSQL's log of the time of this test:\n%s", server.logSince(logged))
		}
		if err := server.exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	return dsn
}

// start returns the shared server, starting it on the first call, or ends the
// test: skipped without PostgreSQL, failed otherwise and always where CI=true.
func (p *process) start(tb testing.TB) *Server {
	tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.managed {
		tb.Fatal("pgtest: this package's tests need: func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }")
	}
	if !p.started {
		p.started = true
		p.server, p.err = Start(context.Background(), Options{})
	}
	if p.err != nil {
		refuse(tb, p.err, os.Getenv("CI"))
	}
	return p.server
}

// refuse ends a test that has no server because of err.
func refuse(tb testing.TB, err error, ci string) {
	tb.Helper()
	if errors.Is(err, ErrNotInstalled) && ci != "true" {
		tb.Skip(err)
	}
	tb.Fatal(err)
}

// template returns the template for key, the same one each time.
func (p *process) template(key string) *template {
	name := p.nextName()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.templates == nil {
		p.templates = make(map[string]*template)
	}
	if p.templates[key] == nil {
		p.templates[key] = &template{name: name}
	}
	return p.templates[key]
}

// nextName returns a database name not given out before.
func (p *process) nextName() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.databases++
	return fmt.Sprintf("test_%d", p.databases)
}
