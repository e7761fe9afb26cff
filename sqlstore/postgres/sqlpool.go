package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
)

// sqlPool is an engine.Pool on the caller's sql.DB.
type sqlPool struct {
	db     *sql.DB
	bounds string // run after a transaction has begun
}

func (p sqlPool) PingContext(ctx context.Context) error { return p.db.PingContext(ctx) }

func (p sqlPool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return p.db.ExecContext(ctx, query, args...)
}

func (p sqlPool) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	return asRows(p.db.QueryContext(ctx, query, args...))
}

func (p sqlPool) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	return p.db.QueryRowContext(ctx, query, args...)
}

func (p sqlPool) Begin(ctx context.Context) (engine.Tx, error) {
	begun, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	t := sqlTx{begun}
	if _, err := begun.ExecContext(ctx, p.bounds); err != nil {
		return nil, errors.Join(err, t.Rollback())
	}
	return t, nil
}

// sqlTx is an engine.Tx on a sql.Tx.
type sqlTx struct{ tx *sql.Tx }

func adopt(t *sql.Tx) engine.Tx { return sqlTx{t} }

func (t sqlTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.tx.ExecContext(ctx, query, args...)
}

func (t sqlTx) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	return asRows(t.tx.QueryContext(ctx, query, args...))
}

func (t sqlTx) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	return t.tx.QueryRowContext(ctx, query, args...)
}

// Commit finds that database/sql has rolled back if the transaction's deadline has passed.
func (t sqlTx) Commit() error {
	err := t.tx.Commit()
	if errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// Rollback ends the transaction also if ROLLBACK fails: the driver then closes the connection.
func (t sqlTx) Rollback() error {
	_ = t.tx.Rollback()
	return nil
}

// asRows keeps a nil *sql.Rows from becoming an interface that is not nil.
func asRows(rows *sql.Rows, err error) (engine.Rows, error) {
	if err != nil {
		return nil, err
	}
	return rows, nil
}
