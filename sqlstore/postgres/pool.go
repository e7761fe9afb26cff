package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
)

// bounds returns statements that bound a transaction's time on the server, so that a
// transaction of a dead or frozen instance does not keep its locks. PgBouncer refuses such
// settings as startup parameters, and leaks session settings to other clients.
func bounds(timeout time.Duration) string {
	return fmt.Sprintf("SET LOCAL statement_timeout = %[1]d; SET LOCAL idle_in_transaction_session_timeout = %[1]d",
		max(1, timeout.Milliseconds())) // 0 would be no bound
}

// pool is an engine.Pool on a pgxpool.Pool.
type pool struct {
	connections *pgxpool.Pool
	begin       pgx.TxOptions
}

func newPool(connections *pgxpool.Pool, timeout time.Duration) pool {
	// The bounds are in the same message as BEGIN, and take no round trip of their own.
	return pool{connections, pgx.TxOptions{BeginQuery: "BEGIN; " + bounds(timeout)}}
}

// lease is a connection of the pool until release. The deadline of the context that it was
// leased for is the connection's, which costs less than pgx's own way of following a context:
// a timer and a function for each statement. Cancelling the context does nothing.
type lease struct {
	conn *pgxpool.Conn
	ctx  context.Context // for pgx: it is never done
}

func (p pool) lease(ctx context.Context) (*lease, error) {
	conn, err := p.connections.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	l := &lease{conn, context.WithoutCancel(ctx)}
	deadline, _ := ctx.Deadline() // without one it is the zero time, which is none to a connection, too
	if err := l.until(deadline); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func (l *lease) until(deadline time.Time) error {
	return l.conn.Conn().PgConn().Conn().SetDeadline(deadline)
}

// release gives the connection back, unless that has been done. The pool does not keep one that is
// broken, as it is after its deadline; pgx closes it and has set a deadline for that.
func (l *lease) release() {
	if l.conn == nil {
		return
	}
	if !l.conn.Conn().IsClosed() {
		_ = l.until(time.Time{}) // a broken connection is found out by its next statement
	}
	l.conn.Release()
	l.conn = nil
}

func (p pool) PingContext(ctx context.Context) error { return p.connections.Ping(ctx) }

func (p pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	l, err := p.lease(ctx)
	if err != nil {
		return nil, err
	}
	defer l.release()
	return run(l.conn.Exec(l.ctx, query, encodable(args)...))
}

func (p pool) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	l, err := p.lease(ctx)
	if err != nil {
		return nil, err
	}
	found, err := l.conn.Query(l.ctx, query, encodable(args)...)
	if err != nil {
		l.release()
		return nil, err
	}
	return rows{found, l.release}, nil
}

func (p pool) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	l, err := p.lease(ctx)
	if err != nil {
		return failed{err}
	}
	return row{l.conn.QueryRow(l.ctx, query, encodable(args)...), l.release}
}

func (p pool) Begin(ctx context.Context) (engine.Tx, error) {
	l, err := p.lease(ctx)
	if err != nil {
		return nil, err
	}
	begun, err := l.conn.Conn().BeginTx(l.ctx, p.begin)
	if err != nil {
		l.release()
		return nil, err
	}
	return tx{begun, l}, nil
}

// tx is an engine.Tx on a pgx.Tx.
type tx struct {
	tx    pgx.Tx
	lease *lease
}

func (t tx) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return run(t.tx.Exec(t.lease.ctx, query, encodable(args)...))
}

func (t tx) QueryContext(_ context.Context, query string, args ...any) (engine.Rows, error) {
	found, err := t.tx.Query(t.lease.ctx, query, encodable(args)...)
	if err != nil {
		return nil, err
	}
	return rows{found, stay}, nil
}

func (t tx) QueryRowContext(_ context.Context, query string, args ...any) engine.Row {
	return row{t.tx.QueryRow(t.lease.ctx, query, encodable(args)...), stay}
}

func (t tx) Commit() error {
	defer t.lease.release()
	return t.tx.Commit(t.lease.ctx)
}

// Rollback ends the transaction also if ROLLBACK fails, as after the deadline: pgx then closes the
// connection.
func (t tx) Rollback() error {
	defer t.lease.release()
	_ = t.tx.Rollback(t.lease.ctx)
	return nil
}

// stay is the release of rows in a transaction, which keeps its connection.
func stay() {}

func run(done pgconn.CommandTag, err error) (sql.Result, error) {
	return driver.RowsAffected(done.RowsAffected()), err
}

// rows is an engine.Rows.
type rows struct {
	pgx.Rows
	release func()
}

func (r rows) Scan(targets ...any) error { return r.Rows.Scan(decodable(targets)...) }

func (r rows) Close() error {
	r.Rows.Close()
	r.release()
	return r.Rows.Err()
}

// row is an engine.Row.
type row struct {
	pgx.Row
	release func()
}

func (r row) Scan(targets ...any) error {
	defer r.release()
	return r.Row.Scan(decodable(targets)...)
}

// failed is the engine.Row of a query that was not made.
type failed struct{ err error }

func (f failed) Scan(...any) error { return f.err }
