package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

func newWriter(t *testing.T) writer {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(filepath.Join(t.TempDir(), "a.db"), patience.Long))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	w := writer{newConnection(db), full}
	t.Cleanup(func() {
		if err := errors.Join(w.connection.close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	mustExec(t, w, `CREATE TABLE note (id INTEGER)`)
	return w
}

func mustExec(t *testing.T, w writer, statement string, args ...any) {
	t.Helper()
	if _, err := w.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Only what is written with NORMAL may be lost in a power cut, however the two take turns.
func TestWriterWaitsForTheDisk(t *testing.T) {
	w := newWriter(t)
	inEffect := func() (level string) {
		t.Helper()
		if err := w.connection.conn.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&level); err != nil {
			t.Fatal(err)
		}
		return level
	}
	for _, level := range []struct{ synchronous, want string }{{full, "2"}, {normal, "1"}, {normal, "1"}, {full, "2"}, {normal, "1"}, {full, "2"}} {
		mustExec(t, writer{w.connection, level.synchronous}, `INSERT INTO note VALUES (1)`)
		if got := inEffect(); got != level.want {
			t.Errorf("after a statement with %s: %s, want %s", level.synchronous, got, level.want)
		}
		tx, err := writer{w.connection, level.synchronous}.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := inEffect(); got != level.want {
			t.Errorf("in a transaction with %s: %s, want %s", level.synchronous, got, level.want)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

// A statement is compiled once from its second use on, in transactions too.
func TestWriterKeepsStatements(t *testing.T) {
	w := newWriter(t)
	kept := func() (n int) {
		for _, s := range w.connection.statements {
			if s != nil {
				n++
			}
		}
		return n
	}
	for i := range 3 {
		tx, err := w.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), `INSERT INTO note VALUES ($1)`, i); err != nil {
			t.Fatal(err)
		}
		var last int
		if err := tx.QueryRowContext(t.Context(), `SELECT max(id) FROM note`).Scan(&last); err != nil || last != i {
			t.Fatalf("in the transaction: %d, %v, want %d", last, err, i)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		found, err := w.QueryContext(t.Context(), `SELECT id FROM note ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for found.Next() {
			n++
		}
		if err := found.Close(); err != nil || n != i+1 {
			t.Fatalf("%d notes, %v, want %d", n, err, i+1)
		}
		if want := []int{0, 5, 5}[i]; kept() != want { // BEGIN IMMEDIATE and COMMIT among them
			t.Errorf("%d statements are kept after %d rounds, want %d", kept(), i+1, want)
		}
	}
	for i := range 3 * maxPrepared {
		mustExec(t, w, `INSERT INTO note VALUES (`+time.Duration(i / 2).String()[:1]+`) -- `+time.Duration(i/2).String())
	}
	if n := len(w.connection.statements); n > maxPrepared {
		t.Errorf("%d statements are known, want at most %d", n, maxPrepared)
	}
}

// A connection that failed, or whose transaction could not be ended, is replaced.
func TestWriterReplacesItsConnection(t *testing.T) {
	w := newWriter(t)
	mustExec(t, w, `INSERT INTO note VALUES (1)`)
	_ = w.connection.conn.Raw(func(any) error { return driver.ErrBadConn })
	if _, err := w.ExecContext(t.Context(), `INSERT INTO note VALUES (1)`); err == nil {
		t.Error("a broken connection was used")
	}
	mustExec(t, w, `INSERT INTO note VALUES (1)`)

	before := w.connection.conn
	tx, err := w.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err == nil {
		t.Error("a transaction that SQLite had rolled back was committed")
	}
	if w.connection.conn == before {
		t.Error("the connection of a transaction that could not be ended is kept")
	}
	if _, err := tx.ExecContext(t.Context(), `INSERT INTO note VALUES (2)`); !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("a statement after the end: %v, want ErrTxDone", err)
	}
	if err := tx.QueryRowContext(t.Context(), `SELECT 1`).Scan(new(int)); !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("a query after the end: %v, want ErrTxDone", err)
	}
	mustExec(t, writer{w.connection, normal}, `INSERT INTO note VALUES (1)`)
	var twos, all int
	if err := w.QueryRowContext(t.Context(), `SELECT count(*) FILTER (WHERE id = 2), count(*) FROM note`).Scan(&twos, &all); err != nil || twos != 0 || all != 3 {
		t.Errorf("%d of %d notes are of after the end, %v; want 0 of 3", twos, all, err)
	}
}

// Closing waits for the transaction that is under way.
func TestWriterCloses(t *testing.T) {
	w := newWriter(t)
	tx, err := w.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- w.connection.close() }()
	select {
	case <-closed:
		t.Fatal("closed while a transaction is under way")
	case <-time.After(50 * time.Millisecond):
	}
	if _, err := tx.ExecContext(context.WithoutCancel(t.Context()), `INSERT INTO note VALUES (1)`); err != nil {
		t.Error(err)
	}
	if err := errors.Join(tx.Commit(), <-closed); err != nil {
		t.Error(err)
	}
}
