package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
)

// turn is held by the current writer, so that the writers of one store wait in line. SQLite
// itself would make them retry in a loop. A nil turn is always free.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	if t == nil {
		return nil
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() {
	if t != nil {
		<-t
	}
}

// pool is an engine.Pool on a sql.DB.
type pool struct {
	db         *sql.DB
	turn       turn
	statements *prepared
}

func (p pool) PingContext(ctx context.Context) error { return p.db.PingContext(ctx) }

func (p pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := p.turn.take(ctx); err != nil {
		return nil, err
	}
	defer p.turn.give()
	statement, err := p.statements.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return statement.ExecContext(ctx, bound(args)...)
}

func (p pool) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	if err := p.turn.take(ctx); err != nil {
		return nil, err
	}
	r, err := p.query(ctx, query, args)
	if err != nil {
		p.turn.give()
		return nil, err
	}
	return &rows{Rows: r, end: p.turn.give}, nil
}

func (p pool) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	statement, err := p.statements.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return statement.QueryContext(ctx, bound(args)...)
}

func (p pool) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	return row{func(targets []any) error {
		if err := p.turn.take(ctx); err != nil {
			return err
		}
		defer p.turn.give()
		statement, err := p.statements.statement(ctx, query)
		if err != nil {
			return err
		}
		return statement.QueryRowContext(ctx, bound(args)...).Scan(targets...)
	}}
}

// Begin starts a transaction that is the writer from the start. A transaction that started
// to write only later would fail if another had written since. database/sql has no option
// for this, so we run the statements ourselves.
func (p pool) Begin(ctx context.Context) (engine.Tx, error) {
	if err := p.turn.take(ctx); err != nil {
		return nil, err
	}
	conn, err := p.db.Conn(ctx)
	if err != nil {
		p.turn.give()
		return nil, err
	}
	t := &tx{conn: conn, ctx: ctx, turn: p.turn}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		// The deadline may have passed after the transaction had begun.
		_, rollback := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		_ = rollback // fails if none has begun
		return nil, errors.Join(err, t.end(nil))
	}
	return t, nil
}

// tx is an engine.Tx.
type tx struct {
	conn *sql.Conn
	ctx  context.Context
	turn turn
	done bool
}

func (t *tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.conn.ExecContext(ctx, numbered.Replace(query), bound(args)...)
}

func (t *tx) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	r, err := t.conn.QueryContext(ctx, numbered.Replace(query), bound(args)...)
	if err != nil {
		return nil, err
	}
	return &rows{Rows: r}, nil
}

func (t *tx) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	found := t.conn.QueryRowContext(ctx, numbered.Replace(query), bound(args)...)
	return row{func(targets []any) error { return found.Scan(targets...) }}
}

func (t *tx) Commit() error {
	if err := t.ctx.Err(); err != nil {
		return errors.Join(err, t.Rollback())
	}
	// No deadline interrupts the commit, so that its outcome is known.
	if _, err := t.conn.ExecContext(context.WithoutCancel(t.ctx), "COMMIT"); err != nil {
		return errors.Join(err, t.Rollback())
	}
	return t.end(nil)
}

func (t *tx) Rollback() error {
	if t.done {
		return nil
	}
	_, err := t.conn.ExecContext(context.WithoutCancel(t.ctx), "ROLLBACK")
	return t.end(err)
}

// end returns the connection to the pool, or closes it if the transaction could not be
// ended: SQLite itself rolls back after some errors, and then a ROLLBACK fails.
func (t *tx) end(failed error) error {
	t.done = true
	defer t.turn.give()
	if failed != nil {
		_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
		return nil
	}
	return t.conn.Close()
}

// adopted is an engine.Tx on the caller's transaction.
type adopted struct{ *sql.Tx }

func (t adopted) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.Tx.ExecContext(ctx, numbered.Replace(query), bound(args)...)
}

func (t adopted) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	r, err := t.Tx.QueryContext(ctx, numbered.Replace(query), bound(args)...)
	if err != nil {
		return nil, err
	}
	return &rows{Rows: r}, nil
}

func (t adopted) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	found := t.Tx.QueryRowContext(ctx, numbered.Replace(query), bound(args)...)
	return row{func(targets []any) error { return found.Scan(targets...) }}
}

// rows is a sql.Rows that reads times.
type rows struct {
	*sql.Rows
	end func() // nil once called
}

func (r *rows) Scan(targets ...any) error { return r.Rows.Scan(readable(targets)...) }

func (r *rows) Close() error {
	if r.end != nil {
		defer r.end()
		r.end = nil
	}
	return r.Rows.Close()
}

// row is a sql.Row that reads times, as the function that scans it.
type row struct{ scan func(targets []any) error }

func (r row) Scan(targets ...any) error { return r.scan(readable(targets)) }
