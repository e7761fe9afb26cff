package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
)

// bounds returns statements that bound a transaction's time on the server, so that a
// transaction of a dead or frozen instance does not keep its locks. PgBouncer refuses such
// settings as startup parameters, and leaks session settings to other clients.
func bounds(timeout time.Duration) string {
	return fmt.Sprintf("SET LOCAL statement_timeout = %[1]d; SET LOCAL idle_in_transaction_session_timeout = %[1]d",
		max(1, timeout.Milliseconds())) // 0 would be no bound
}

// connector makes connections that start transactions with the statement begin.
type connector struct {
	driver.Connector
	begin string
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return connection{conn.(*stdlib.Conn), c.begin}, nil
}

type connection struct {
	*stdlib.Conn
	begin string
}

func (c connection) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	if c.Conn.Conn().IsClosed() {
		return nil, driver.ErrBadConn
	}
	tx, err := c.Conn.Conn().BeginTx(ctx, pgx.TxOptions{BeginQuery: c.begin})
	if err != nil {
		return nil, err
	}
	return transaction{ctx, tx}, nil
}

// transaction is a pgx.Tx as a transaction of database/sql/driver.
type transaction struct {
	ctx context.Context
	tx  pgx.Tx
}

func (t transaction) Commit() error   { return t.tx.Commit(t.ctx) }
func (t transaction) Rollback() error { return t.tx.Rollback(t.ctx) }

// pool is an engine.Pool on a sql.DB.
type pool struct {
	db     *sql.DB
	bounds string // run after a transaction has begun; empty if the connections do so themselves
}

func (p pool) PingContext(ctx context.Context) error { return p.db.PingContext(ctx) }

func (p pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return p.db.ExecContext(ctx, query, args...)
}

func (p pool) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	return asRows(p.db.QueryContext(ctx, query, args...))
}

func (p pool) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	return p.db.QueryRowContext(ctx, query, args...)
}

func (p pool) Begin(ctx context.Context) (engine.Tx, error) {
	sqlTx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	t := tx{sqlTx}
	if p.bounds == "" {
		return t, nil
	}
	if _, err := sqlTx.ExecContext(ctx, p.bounds); err != nil {
		return nil, errors.Join(err, t.Rollback())
	}
	return t, nil
}

// now reads the server's time. The result is taken as the time at the middle of the
// round trip.
func (p pool) now(ctx context.Context) (server, local time.Time, err error) {
	asked := time.Now()
	err = p.db.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&server)
	return server, asked.Add(time.Since(asked) / 2), err
}

// tx is an engine.Tx.
type tx struct{ tx *sql.Tx }

func (t tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.tx.ExecContext(ctx, query, args...)
}

func (t tx) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	return asRows(t.tx.QueryContext(ctx, query, args...))
}

func (t tx) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	return t.tx.QueryRowContext(ctx, query, args...)
}

func (t tx) Commit() error { return t.tx.Commit() }

func (t tx) Rollback() error {
	if err := t.tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// asRows keeps a nil *sql.Rows from becoming an interface that is not nil.
func asRows(rows *sql.Rows, err error) (engine.Rows, error) {
	if err != nil {
		return nil, err
	}
	return rows, nil
}
