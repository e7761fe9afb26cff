package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	_ "modernc.org/sqlite"
)

func TestPrepared(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "a.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)`)
	exec(`INSERT INTO note VALUES (1, 'one'), (2, 'two')`)
	p := prepare(db)
	const question = `SELECT body FROM note WHERE id = $2 AND $1 = 0`
	ask := func(query string, target any, args ...any) error {
		statement, err := p.statement(t.Context(), query)
		if err != nil {
			return err
		}
		return statement.QueryRowContext(t.Context(), args...).Scan(target)
	}
	want := func(id int, want string) {
		t.Helper()
		var got string
		if err := ask(question, &got, 0, id); err != nil || got != want {
			t.Errorf("note %d: %q, %v; want %q", id, got, err, want)
		}
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() { want(1+i%2, []string{"one", "two"}[i%2]) })
	}
	all.Wait()
	if len(p.statements) != 1 {
		t.Errorf("%d statements are held for one text", len(p.statements))
	}

	// The application's own migrations change tables below a prepared statement.
	exec(`DROP TABLE note`)
	exec(`CREATE TABLE note (added TEXT, body TEXT, id INTEGER PRIMARY KEY)`)
	exec(`INSERT INTO note VALUES ('', 'another one', 1)`)
	want(1, "another one")

	for i := range 2 * maxPrepared {
		var got int
		if err := ask(fmt.Sprintf(`SELECT %d`, i), &got); err != nil || got != i {
			t.Fatalf("SELECT %d: %d, %v", i, got, err)
		}
	}
	if len(p.statements) != maxPrepared {
		t.Errorf("%d statements are held, want %d", len(p.statements), maxPrepared)
	}

	held := p.statements[question]
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	if err := held.QueryRowContext(t.Context(), 0, 1).Scan(new(string)); err == nil {
		t.Error("a statement is open after close")
	}
	want(1, "another one") // on the caller's pool, which is open
	if len(p.statements) != 0 {
		t.Error("a statement was prepared after close")
	}
}

// Every statement outside of a transaction is prepared, and those of transactions are not.
func TestPoolPrepares(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE note (id INTEGER)`); err != nil {
		t.Fatal(err)
	}
	p := pool{db, make(turn, 1), prepare(db)}
	for range 2 {
		if _, err := p.ExecContext(t.Context(), `INSERT INTO note VALUES ($1)`, 7); err != nil {
			t.Fatal(err)
		}
		var id int
		if err := p.QueryRowContext(t.Context(), `DELETE FROM note WHERE id = $1 RETURNING id`, 7).Scan(&id); err != nil || id != 7 {
			t.Fatalf("deleted %d, %v; want 7", id, err)
		}
		rows, err := p.QueryContext(t.Context(), `SELECT id FROM note`)
		if err != nil {
			t.Fatal(err)
		}
		if rows.Next() {
			t.Error("a note is left")
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		tx, err := p.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), `DELETE FROM note`); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if n := len(p.statements.statements); n != 3 {
			t.Errorf("%d statements are held, want 3", n)
		}
	}
}
