package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
)

// The values of PRAGMA synchronous. With NORMAL a commit does not wait for the disk: a power cut
// may lose it, and a crash of the process does not. The next commit with FULL makes it durable,
// because both write to the same log (https://sqlite.org/pragma.html#pragma_synchronous).
const (
	full   = "FULL"
	normal = "NORMAL"
)

// writer is an engine.Pool of the one connection of a store that writes, with one of the two values of
// PRAGMA synchronous.
type writer struct {
	connection  *connection
	synchronous string
}

// connection is a connection that is kept, so that its statements stay compiled, those in
// transactions too. All fields below turn belong to its holder.
type connection struct {
	db   *sql.DB
	turn turn

	conn        *sql.Conn // nil before the first use and after a failure
	synchronous string

	// statements has nil for a text that was run once: a migration is not run again.
	statements map[string]*sql.Stmt
}

func newConnection(db *sql.DB) *connection { return &connection{db: db, turn: make(turn, 1)} }

// take waits for the turn, and opens the connection if necessary.
func (w writer) take(ctx context.Context) error {
	if err := w.connection.turn.take(ctx); err != nil {
		return err
	}
	if err := w.connection.ready(ctx, w.synchronous); err != nil {
		w.connection.drop()
		w.connection.turn.give()
		return err
	}
	return nil
}

func (c *connection) ready(ctx context.Context, synchronous string) (err error) {
	if c.conn == nil {
		if c.conn, err = c.db.Conn(ctx); err != nil {
			c.conn = nil
			return err
		}
		c.synchronous, c.statements = full, map[string]*sql.Stmt{} // as the data source name says
	}
	if c.synchronous == synchronous {
		return nil
	}
	c.synchronous = synchronous
	// SQLite carries this out when it compiles it, so it is never kept.
	_, err = c.conn.ExecContext(ctx, "PRAGMA synchronous = "+synchronous)
	return err
}

// give ends the turn after a statement that may have failed.
func (c *connection) give(err error) {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		c.drop()
	}
	c.turn.give()
}

// drop closes the connection, and with it a transaction that could not be ended.
func (c *connection) drop() {
	if c.conn == nil {
		return
	}
	for _, s := range c.statements {
		if s != nil {
			_ = s.Close() // of a connection that is closed next
		}
	}
	_ = c.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = c.conn.Close()
	c.conn, c.statements = nil, nil
}

// close waits for the statement or transaction that is under way.
func (c *connection) close() error {
	c.turn <- struct{}{}
	defer c.turn.give()
	c.drop()
	return nil
}

// statement returns the statement of a text, compiled once from its second use on.
func (c *connection) statement(ctx context.Context, query string) (statement, error) {
	kept, again := c.statements[query]
	if kept != nil {
		return kept, nil
	}
	if !again {
		if len(c.statements) < maxPrepared {
			c.statements[query] = nil
		}
		return unprepared{c.conn, query}, nil
	}
	made, err := c.conn.PrepareContext(ctx, numbered.Replace(query))
	if err != nil {
		return nil, err
	}
	c.statements[query] = made
	return made, nil
}

func (c *connection) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, bound(args)...)
}

func (c *connection) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, bound(args)...)
}

func (c *connection) scan(ctx context.Context, query string, args, targets []any) error {
	s, err := c.statement(ctx, query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, bound(args)...).Scan(targets...)
}

func (w writer) PingContext(ctx context.Context) error {
	if err := w.take(ctx); err != nil {
		return err
	}
	err := w.connection.conn.PingContext(ctx)
	w.connection.give(err)
	return err
}

func (w writer) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := w.take(ctx); err != nil {
		return nil, err
	}
	result, err := w.connection.exec(ctx, query, args)
	w.connection.give(err)
	return result, err
}

func (w writer) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	if err := w.take(ctx); err != nil {
		return nil, err
	}
	found, err := w.connection.query(ctx, query, args)
	if err != nil {
		w.connection.give(err)
		return nil, err
	}
	return &rows{Rows: found, end: func() { w.connection.give(nil) }}, nil
}

func (w writer) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	return row{func(targets []any) error {
		if err := w.take(ctx); err != nil {
			return err
		}
		err := w.connection.scan(ctx, query, args, targets)
		w.connection.give(err)
		return err
	}}
}

// Begin starts a transaction that is the writer from the start, as that of pool does.
func (w writer) Begin(ctx context.Context) (engine.Tx, error) {
	if err := w.take(ctx); err != nil {
		return nil, err
	}
	t := &writerTx{connection: w.connection, ctx: ctx}
	if _, err := w.connection.exec(ctx, "BEGIN IMMEDIATE", nil); err != nil {
		// The deadline may have passed after the transaction had begun.
		_, rollback := w.connection.exec(context.WithoutCancel(ctx), "ROLLBACK", nil)
		_ = rollback // fails if none has begun
		t.end(nil)
		return nil, err
	}
	return t, nil
}

// writerTx is an engine.Tx.
type writerTx struct {
	connection *connection
	ctx        context.Context
	done       bool
}

func (t *writerTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if t.done {
		return nil, sql.ErrTxDone
	}
	return t.connection.exec(ctx, query, args)
}

func (t *writerTx) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	if t.done {
		return nil, sql.ErrTxDone
	}
	found, err := t.connection.query(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return &rows{Rows: found}, nil
}

func (t *writerTx) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	return row{func(targets []any) error {
		if t.done {
			return sql.ErrTxDone
		}
		return t.connection.scan(ctx, query, args, targets)
	}}
}

func (t *writerTx) Commit() error {
	if t.done {
		return sql.ErrTxDone
	}
	if err := t.ctx.Err(); err != nil {
		return errors.Join(err, t.Rollback())
	}
	// No deadline interrupts the commit, so that its outcome is known.
	if _, err := t.connection.exec(context.WithoutCancel(t.ctx), "COMMIT", nil); err != nil {
		return errors.Join(err, t.Rollback())
	}
	t.end(nil)
	return nil
}

func (t *writerTx) Rollback() error {
	if t.done {
		return nil
	}
	_, err := t.connection.exec(context.WithoutCancel(t.ctx), "ROLLBACK", nil)
	t.end(err)
	return nil
}

// end ends the turn. It drops the connection if the transaction could not be ended: SQLite itself rolls
// back after some errors, and then a ROLLBACK fails.
func (t *writerTx) end(failed error) {
	t.done = true
	if failed != nil {
		t.connection.drop()
	}
	t.connection.turn.give()
}
