package sqlstore

import (
	"database/sql"

	"github.com/pressly/goose/v3"
)

// dialect is all in which the two databases differ.
type dialect struct {
	name      string
	goose     goose.Dialect
	rowLock   string // ends a SELECT that locks its rows to the end of the transaction
	skip      string // the same for rows that nobody else has locked, leaving out the others
	retry     func(error) bool
	transient func(error) bool

	// The column types that migrations name.
	UUID, Blob, Time string
}

var postgresDialect = dialect{
	name: "postgres", goose: goose.DialectPostgres,
	rowLock: " FOR UPDATE", skip: " FOR UPDATE SKIP LOCKED", retry: postgresRetry, transient: postgresTransient,
	UUID: "uuid", Blob: "bytea", Time: "timestamptz",
}

// SQLite has one writer at a time, and a writing transaction is that writer from
// its first statement on: there is nothing left for a row lock to do.
var sqliteDialect = dialect{
	name: "sqlite", goose: goose.DialectSQLite3,
	rowLock: "", retry: func(error) bool { return false }, transient: sqliteTransient,
	UUID: "TEXT", Blob: "BLOB", Time: "TIMESTAMP",
}

// databases is an open database: for SQLite one connection that writes beside
// several that read, for PostgreSQL the same pool twice.
type databases struct {
	write, read *sql.DB
	close       func() error
}
