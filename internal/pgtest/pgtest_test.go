package pgtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// run executes statements on the database at dsn.
func run(dsn string, statements ...string) error {
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	for _, statement := range statements {
		if _, err := conn.Exec(context.Background(), statement); err != nil {
			return err
		}
	}
	return nil
}

// one returns the single value a query gives, as text.
func one(t *testing.T, dsn, query string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var value string
	if err := conn.QueryRow(t.Context(), query).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestNewDatabaseIsEmptyAndAlone(t *testing.T) {
	a, b := NewDatabase(t), NewDatabase(t)
	if err := run(a, "CREATE TABLE note (body text)"); err != nil {
		t.Fatal(err)
	}
	if err := run(b, "CREATE TABLE note (body text)"); err != nil {
		t.Errorf("the second database has what was made in the first: %v", err)
	}
}

func TestNewDatabaseIsDroppedThoughConnected(t *testing.T) {
	var dsn string
	t.Run("use", func(t *testing.T) {
		dsn = NewDatabase(t)
		if _, err := pgx.Connect(t.Context(), dsn); err != nil { // left open
			t.Fatal(err)
		}
	})
	name := strings.TrimPrefix(mustConfig(t, dsn).Database, "/")
	if n := one(t, NewDatabase(t), "SELECT count(*)::text FROM pg_database WHERE datname = '"+name+"'"); n != "0" {
		t.Errorf("%s is still there after its test", name)
	}
}

func mustConfig(t *testing.T, dsn string) *pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestCloneCopiesWhatPrepareMadeAndNothingElse(t *testing.T) {
	var prepared atomic.Int32
	prepare := func(dsn string) error {
		prepared.Add(1)
		return run(dsn, "CREATE TABLE note (body text)", "INSERT INTO note VALUES ('from the template')")
	}

	var wg sync.WaitGroup
	dsns := make([]string, 4)
	for i := range dsns {
		dsns[i] = Clone(t, "notes", prepare)
		wg.Go(func() {
			if err := run(dsns[i], fmt.Sprintf("INSERT INTO note VALUES ('own %d')", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()

	if n := prepared.Load(); n != 1 {
		t.Errorf("prepare ran %d times, want 1", n)
	}
	for i, dsn := range dsns {
		got := one(t, dsn, "SELECT string_agg(body, ',' ORDER BY body) FROM note")
		if want := fmt.Sprintf("from the template,own %d", i); got != want {
			t.Errorf("clone %d holds %q, want %q", i, got, want)
		}
	}
}

func TestCloneInParallel(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			dsn := Clone(t, "parallel", func(dsn string) error { return run(dsn, "CREATE TABLE note (body text)") })
			if n := one(t, dsn, "SELECT count(*)::text FROM note"); n != "0" {
				t.Errorf("%s rows, want 0", n)
			}
		})
	}
}

func TestCloneKeysAreSeparate(t *testing.T) {
	a := Clone(t, "table a", func(dsn string) error { return run(dsn, "CREATE TABLE a (x int)") })
	b := Clone(t, "table b", func(dsn string) error { return run(dsn, "CREATE TABLE b (x int)") })
	for dsn, want := range map[string]string{a: "a", b: "b"} {
		if got := one(t, dsn, "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'"); got != want {
			t.Errorf("tables %q, want %q", got, want)
		}
	}
}

func TestCloneFailsWithThePreparation(t *testing.T) {
	broken := func(string) error { return errors.New("no such migration") }
	for range 2 { // the second finds the template of the first, unfinished
		got := outcomeOf(t, func(tb testing.TB) { Clone(tb, "broken", broken) })
		if got.how != "fatal" || !strings.Contains(got.why, "no such migration") {
			t.Errorf("Clone: %s %q, want fatal with the error of prepare", got.how, got.why)
		}
	}
}

func TestMissingPostgreSQLSkipsButFailsInCI(t *testing.T) {
	tests := []struct {
		name string
		err  error
		ci   string
		want string
	}{
		{"missing at home", fmt.Errorf("start: %w", ErrNotInstalled), "", "skip"},
		{"missing in CI", fmt.Errorf("start: %w", ErrNotInstalled), "true", "fatal"},
		{"broken at home", errors.New("disk full"), "", "fatal"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := outcomeOf(t, func(tb testing.TB) { refuse(tb, test.err, test.ci) })
			if got.how != test.want || got.why != test.err.Error() {
				t.Errorf("%s %q, want %s %q", got.how, got.why, test.want, test.err)
			}
		})
	}
}

func TestMainIsRequired(t *testing.T) {
	got := outcomeOf(t, func(tb testing.TB) { new(process).start(tb) })
	if got.how != "fatal" || !strings.Contains(got.why, "TestMain") {
		t.Errorf("without Main: %s %q, want fatal naming TestMain", got.how, got.why)
	}
}

// outcome is how a test ended early, and what it said.
type outcome struct {
	testing.TB
	how, why string
}

func (o *outcome) Helper() {}
func (o *outcome) Skip(args ...any) {
	o.how, o.why = "skip", fmt.Sprint(args...)
	runtime.Goexit()
}

func (o *outcome) Fatal(args ...any) {
	o.how, o.why = "fatal", fmt.Sprint(args...)
	runtime.Goexit()
}
func (o *outcome) Fatalf(format string, args ...any) { o.Fatal(fmt.Sprintf(format, args...)) }

// outcomeOf runs f in the place of a test of its own.
func outcomeOf(t *testing.T, f func(testing.TB)) *outcome {
	o := &outcome{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(o)
	}()
	<-done
	return o
}
