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

func (p pool) PingContext(ctx context.Context) error { return p.connections.Ping(ctx) }

func (p pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return run(p.connections.Exec(ctx, query, encodable(args)...))
}

func (p pool) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	return asked(p.connections.Query(ctx, query, encodable(args)...))
}

func (p pool) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	return row{p.connections.QueryRow(ctx, query, encodable(args)...)}
}

func (p pool) Begin(ctx context.Context) (engine.Tx, error) {
	begun, err := p.connections.BeginTx(ctx, p.begin)
	if err != nil {
		return nil, err
	}
	return tx{begun, ctx}, nil
}

// tx is an engine.Tx on a pgx.Tx.
type tx struct {
	tx  pgx.Tx
	ctx context.Context
}

func (t tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return run(t.tx.Exec(ctx, query, encodable(args)...))
}

func (t tx) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	return asked(t.tx.Query(ctx, query, encodable(args)...))
}

func (t tx) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	return row{t.tx.QueryRow(ctx, query, encodable(args)...)}
}

func (t tx) Commit() error { return t.tx.Commit(t.ctx) }

// Rollback ends the transaction also if ROLLBACK fails, as after the deadline: pgx then closes the
// connection.
func (t tx) Rollback() error {
	_ = t.tx.Rollback(t.ctx)
	return nil
}

func run(done pgconn.CommandTag, err error) (sql.Result, error) {
	return driver.RowsAffected(done.RowsAffected()), err
}

func asked(found pgx.Rows, err error) (engine.Rows, error) {
	if err != nil {
		return nil, err
	}
	return rows{found}, nil
}

// rows is an engine.Rows.
type rows struct{ pgx.Rows }

func (r rows) Scan(targets ...any) error { return r.Rows.Scan(decodable(targets)...) }

func (r rows) Close() error {
	r.Rows.Close()
	return r.Rows.Err()
}

// row is an engine.Row.
type row struct{ pgx.Row }

func (r row) Scan(targets ...any) error { return r.Row.Scan(decodable(targets)...) }
