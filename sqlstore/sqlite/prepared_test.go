package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	_ "modernc.org/sqlite"
)

func TestPreparedQuestions(t *testing.T) {
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
	want := func(id int, want string) {
		t.Helper()
		var got string
		if err := p.row(t.Context(), question, []any{0, id}, []any{&got}); err != nil || got != want {
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
		if err := p.row(t.Context(), fmt.Sprintf(`SELECT %d`, i), nil, []any{&got}); err != nil || got != i {
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
