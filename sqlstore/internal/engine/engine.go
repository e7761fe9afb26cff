// Package engine is the seam between sqlstore, which has the statements, and the packages
// that open a database, which have the driver. It is internal so that the seam may change,
// for example to a pgx pool without database/sql on top, while the exported functions of
// sqlstore/sqlite and sqlstore/postgres stay as they are.
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

	// Adopt makes a Tx of a transaction of the caller's in this database.
	Adopt func(*sql.Tx) Tx

	// Close ends what the opener opened. A pool of the caller's stays open.
	Close func() error

	// Now asks the server for its time, and returns it with the local time at which it was
	// true. Where it is nil, the time of this process is the time of the store.
	Now func(context.Context) (server, local time.Time, err error)

	// Retry reports whether the server rolled back for a reason that is gone when the
	// transaction is run again.
	Retry func(error) bool

	// Transient reports whether the database is at fault and not the statement.
	Transient func(error) bool

	// Explain adds to an error of a migration what an operator can do about it.
	Explain func(error) error
}

// Queryer runs statements. Their placeholders are $1, $2 and so on. Arguments and targets
// are what database/sql takes, with time.Time, *time.Time and uuid.UUID among them.
type Queryer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) Row
}

// Pool runs each statement on a connection of its choice.
type Pool interface {
	Queryer
	PingContext(context.Context) error

	// Begin starts a transaction that may write. It ends with Commit or Rollback, one of
	// which the caller calls.
	Begin(context.Context) (Tx, error)
}

// Tx is a transaction.
type Tx interface {
	Queryer
	Commit() error

	// Rollback after the end of the transaction does nothing.
	Rollback() error
}

// Rows is a sql.Rows, or does the same.
type Rows interface {
	Next() bool
	Scan(targets ...any) error
	Err() error
	Close() error
}

// Row is a sql.Row, or does the same. Scan is called once.
type Row interface {
	Scan(targets ...any) error
}
