// Package engine is the interface between sqlstore, which has the statements, and the
// packages that open a database, which have the driver. It is internal so that it can
// change without changing the exported functions of sqlstore/sqlite and sqlstore/postgres.
package engine

import (
	"context"
	"database/sql"
	"time"
)

// Database is an open database.
type Database struct {
	Dialect Dialect

	// Write runs statements that write, Read those that only read. They may be the same.
	Write, Read Pool

	// Lossy is Write for what need not survive a power cut: challenges and limits. Its commits
	// are durable once Write has committed something later. Nil means Write.
	Lossy Pool

	// Adopt makes a Tx of the caller's transaction in this database.
	Adopt func(*sql.Tx) Tx

	// Close closes everything that the opener opened. The caller's own pool stays
	// open.
	Close func() error

	// Now returns the server's time and the local time at that moment. If it is nil, the
	// store uses this process's clock.
	Now func(context.Context) (server, local time.Time, err error)

	// Retry reports whether the transaction was rolled back for a reason that will be
	// gone when it is run again.
	Retry func(error) bool

	// Transient reports whether the database is at fault and not the statement.
	Transient func(error) bool

	// Explain adds advice for the operator to an error of a migration.
	Explain func(error) error
}

// Queryer runs statements. Their placeholders are $1, $2 and so on. Arguments and targets
// are those of database/sql, including time.Time, *time.Time and uuid.UUID.
type Queryer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) Row
}

// Pool runs each statement on a connection of its choice.
type Pool interface {
	Queryer
	PingContext(context.Context) error

	// Begin starts a transaction that may write. The caller ends it with Commit or
	// Rollback.
	Begin(context.Context) (Tx, error)
}

// Tx is a transaction.
type Tx interface {
	Queryer
	Commit() error

	// Rollback does nothing after the end of the transaction.
	Rollback() error
}

// Rows is implemented by sql.Rows.
type Rows interface {
	Next() bool
	Scan(targets ...any) error
	Err() error
	Close() error
}

// Row is implemented by sql.Row. Scan is called once.
type Row interface {
	Scan(targets ...any) error
}
