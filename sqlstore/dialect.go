package sqlstore

import (
	"context"
	"database/sql"
)

// dialect is all in which the two databases differ.
type dialect struct {
	name      string
	rowLock   string // ends a SELECT that locks its rows to the end of the transaction
	skip      string // the same for rows that nobody else has locked, leaving out the others
	retry     func(error) bool
	transient func(error) bool

	layoutIn func(schema string) layout

	migrationLock string // taken by a migration, to the end of its transaction
	createSchema  string // %s is the schema
	moveTable     string // the %s are a table and the schema, or the name, that it moves to

	// Queries of the catalogue. schemaOf names the schema that a statement finds the table
	// $1 in; tables lists those of the schema $1, columns those of its table $2.
	schemaOf, tables, columns string

	// The column types that migrations name.
	UUID, Blob, Time string

	// ByteOrder, after a column, has its text compared byte by byte.
	ByteOrder string
}

var postgresDialect = dialect{
	name:    "postgres",
	rowLock: " FOR UPDATE", skip: " FOR UPDATE SKIP LOCKED", retry: postgresRetry, transient: postgresTransient,
	layoutIn: postgresLayout,

	// The lock ends with the transaction: PgBouncer may give the next one another session. An
	// instance waits for as long as another one takes, hence no timeout.
	migrationLock: `SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(5283917406213)`,
	createSchema:  `CREATE SCHEMA %s`,
	moveTable:     `ALTER TABLE %s SET SCHEMA %s`,
	schemaOf: `SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = to_regclass($1)`,
	tables: `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1`,
	columns: `SELECT a.attname FROM pg_attribute a
		JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped`,
	UUID: "uuid", Blob: "bytea", Time: "timestamptz",
	ByteOrder: ` COLLATE "C"`,
}

// SQLite has one writer at a time, and a writing transaction is that writer from
// its first statement on: there is nothing left for a row lock to do.
var sqliteDialect = dialect{
	name:    "sqlite",
	rowLock: "", retry: func(error) bool { return false }, transient: sqliteTransient,
	layoutIn: sqliteLayout,

	moveTable: `ALTER TABLE %s RENAME TO %s`,
	schemaOf:  `SELECT schema FROM pragma_table_list WHERE schema = 'main' AND name = $1`,
	tables:    `SELECT name FROM pragma_table_list WHERE schema = $1`,
	columns:   `SELECT name FROM pragma_table_info($2, $1)`,
	UUID:      "TEXT", Blob: "BLOB", Time: "TIMESTAMP",
}

// databases is an open database: for SQLite one connection that writes beside
// several that read, for PostgreSQL the same pool twice.
type databases struct {
	write, read pool
	close       func() error
}

// pool is a sql.DB whose statements name tables as layout.complete wants them.
type pool struct {
	*sql.DB
	layout layout
}

func (p pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return p.DB.ExecContext(ctx, p.layout.complete(query), args...)
}

func (p pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.DB.QueryContext(ctx, p.layout.complete(query), args...)
}

func (p pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return p.DB.QueryRowContext(ctx, p.layout.complete(query), args...)
}
