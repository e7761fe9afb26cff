package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

// bulk is the database of a service that does not run.
type bulk interface {
	read(ctx context.Context, table string) (templateTable, error)

	// add adds n rows. The slice that row returns is used until row is called again.
	add(ctx context.Context, table templateTable, n int, row func(i int) []any) error

	// finish brings statistics up to date.
	finish(ctx context.Context) error

	// size returns the number of rows of a table, and the bytes of it and of its indexes.
	size(ctx context.Context, table string) (tableSize, error)

	close() error
}

// tableSize is how large a table is.
type tableSize struct{ rows, table, indexes int64 }

// openBulk opens the database at a DATABASE_URL.
func openBulk(ctx context.Context, url string) (bulk, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return openBulkSQLite(ctx, path)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	// A server of package pgtest would make a checkpoint every 64 MB.
	for _, statement := range []string{`ALTER SYSTEM SET max_wal_size = '4GB'`, `SELECT pg_reload_conf()`} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return nil, errors.Join(err, conn.Close(ctx))
		}
	}
	return bulkPostgres{conn}, nil
}

type bulkPostgres struct{ conn *pgx.Conn }

func (b bulkPostgres) read(ctx context.Context, table string) (templateTable, error) {
	t := templateTable{name: table}
	rows, err := b.conn.Query(ctx, `SELECT * FROM stepkey.`+table)
	if err != nil {
		return t, err
	}
	defer rows.Close()
	for _, field := range rows.FieldDescriptions() {
		t.columns = append(t.columns, field.Name)
	}
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return t, err
		}
		t.rows = append(t.rows, values)
	}
	return t, rows.Err()
}

func (b bulkPostgres) add(ctx context.Context, table templateTable, n int, row func(i int) []any) error {
	_, err := b.conn.CopyFrom(ctx, pgx.Identifier{"stepkey", table.name}, table.columns,
		pgx.CopyFromSlice(n, func(i int) ([]any, error) { return row(i), nil }))
	return err
}

func (b bulkPostgres) finish(ctx context.Context) error {
	for _, statement := range []string{`VACUUM ANALYZE`, `CHECKPOINT`} {
		if _, err := b.conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (b bulkPostgres) size(ctx context.Context, table string) (s tableSize, err error) {
	err = b.conn.QueryRow(ctx, fmt.Sprintf(`SELECT count(*), pg_table_size('stepkey.%[1]s'), pg_indexes_size('stepkey.%[1]s') FROM stepkey.%[1]s`, table)).
		Scan(&s.rows, &s.table, &s.indexes)
	return s, err
}

func (b bulkPostgres) close() error { return b.conn.Close(context.Background()) }

type bulkSQLite struct {
	db   *sql.DB
	path string
}

// openBulkSQLite opens a file that nobody else has open, in a way that is fast and survives no crash.
func openBulkSQLite(ctx context.Context, path string) (bulk, error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	for _, setting := range []string{`journal_mode = MEMORY`, `synchronous = OFF`, `cache_size = -2000000`, `temp_store = MEMORY`} {
		if _, err := db.ExecContext(ctx, `PRAGMA `+setting); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return bulkSQLite{db, path}, nil
}

func (b bulkSQLite) read(ctx context.Context, table string) (templateTable, error) {
	t := templateTable{name: table}
	names, err := b.db.QueryContext(ctx, `SELECT name FROM pragma_table_info($1)`, "stepkey_"+table)
	if err != nil {
		return t, err
	}
	defer names.Close()
	for names.Next() {
		var name string
		if err := names.Scan(&name); err != nil {
			return t, err
		}
		t.columns = append(t.columns, name)
	}
	if err := names.Err(); err != nil {
		return t, err
	}
	// An expression has no type that the driver would convert to.
	rows, err := b.db.QueryContext(ctx, `SELECT +"`+strings.Join(t.columns, `", +"`)+`" FROM stepkey_`+table)
	if err != nil {
		return t, err
	}
	defer rows.Close()
	for rows.Next() {
		row, targets := make([]any, len(t.columns)), make([]any, len(t.columns))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return t, err
		}
		t.rows = append(t.rows, row)
	}
	return t, rows.Err()
}

const (
	rowsInStatement   = 50
	rowsInTransaction = 100_000
)

func (b bulkSQLite) add(ctx context.Context, table templateTable, n int, row func(i int) []any) error {
	for from := 0; from < n; from += rowsInTransaction {
		if err := b.addSome(ctx, table, from, min(n, from+rowsInTransaction), row); err != nil {
			return err
		}
	}
	return nil
}

// addSome adds the rows of from up to end in one transaction.
func (b bulkSQLite) addSome(ctx context.Context, table templateTable, from, end int, row func(i int) []any) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	one := `(?` + strings.Repeat(`, ?`, len(table.columns)-1) + `)`
	insert := `INSERT INTO stepkey_` + table.name + ` ("` + strings.Join(table.columns, `", "`) + `") VALUES ` + one
	several, err := tx.PrepareContext(ctx, insert+strings.Repeat(`, `+one, rowsInStatement-1))
	if err != nil {
		return err
	}
	defer several.Close()
	var args []any
	for i := from; i < end; i++ {
		args = append(args, row(i)...)
		if len(args) < rowsInStatement*len(table.columns) {
			continue
		}
		if _, err := several.ExecContext(ctx, args...); err != nil {
			return err
		}
		args = args[:0]
	}
	for ; len(args) > 0; args = args[len(table.columns):] {
		if _, err := tx.ExecContext(ctx, insert, args[:len(table.columns)]...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// finish does not ANALYZE, because the service does not either. The file returns to the journal that the
// service uses.
func (b bulkSQLite) finish(ctx context.Context) error {
	if _, err := b.db.ExecContext(ctx, `PRAGMA journal_mode = WAL`); err != nil {
		return err
	}
	return syncFile(b.path)
}

// syncFile waits until all of a file is on the disk. The first commit of the service would wait for it otherwise, and
// be given up.
func syncFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

func (b bulkSQLite) size(ctx context.Context, table string) (s tableSize, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT count(*) FROM stepkey_`+table).Scan(&s.rows)
	if err != nil {
		return s, err
	}
	err = b.db.QueryRowContext(ctx, `
		SELECT COALESCE(sum(CASE WHEN m.type = 'table' THEN p.pgsize END), 0), COALESCE(sum(CASE WHEN m.type = 'index' THEN p.pgsize END), 0)
		FROM sqlite_master m JOIN dbstat p ON p.name = m.name AND p.aggregate = TRUE WHERE m.tbl_name = $1`, "stepkey_"+table).
		Scan(&s.table, &s.indexes)
	return s, err
}

func (b bulkSQLite) close() error { return b.db.Close() }
