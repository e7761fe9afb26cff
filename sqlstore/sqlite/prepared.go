package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// maxPrepared bounds how many statements a connection keeps. The store has about 200 texts.
const maxPrepared = 256

// prepared holds statements that are run outside of transactions. SQLite compiles a text each time that
// it is run, which for the question of every guarded request takes three times as long as the answer.
type prepared struct {
	db *sql.DB

	mu         sync.RWMutex
	statements map[string]*sql.Stmt // by text; nil once closed
}

func prepare(db *sql.DB) *prepared {
	return &prepared{db: db, statements: make(map[string]*sql.Stmt)}
}

// statement is implemented by sql.Stmt.
type statement interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, args ...any) *sql.Row
}

// statement returns the statement of a text, prepared if there is room for it.
func (p *prepared) statement(ctx context.Context, query string) (statement, error) {
	p.mu.RLock()
	held, full := p.statements[query], p.statements == nil || len(p.statements) >= maxPrepared
	p.mu.RUnlock()
	if held != nil {
		return held, nil
	}
	if full {
		return unprepared{p.db, query}, nil
	}
	made, err := p.db.PrepareContext(ctx, numbered.Replace(query))
	if err != nil {
		return nil, err
	}
	return p.hold(query, made)
}

// hold keeps a statement, unless another call was faster or the store was closed meanwhile.
func (p *prepared) hold(query string, made *sql.Stmt) (statement, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if held := p.statements[query]; held != nil {
		return held, made.Close()
	}
	if p.statements == nil {
		return unprepared{p.db, query}, made.Close()
	}
	p.statements[query] = made
	return made, nil
}

// close ends the statements. The pool may be the caller's, which stays open.
func (p *prepared) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var failed error
	for _, statement := range p.statements {
		failed = errors.Join(failed, statement.Close())
	}
	p.statements = nil
	return failed
}

// unprepared is a statement that is compiled when it is run.
type unprepared struct {
	db    queryer
	query string
}

// queryer is implemented by sql.DB and sql.Conn.
type queryer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (u unprepared) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	return u.db.ExecContext(ctx, numbered.Replace(u.query), args...)
}

func (u unprepared) QueryContext(ctx context.Context, args ...any) (*sql.Rows, error) {
	return u.db.QueryContext(ctx, numbered.Replace(u.query), args...)
}

func (u unprepared) QueryRowContext(ctx context.Context, args ...any) *sql.Row {
	return u.db.QueryRowContext(ctx, numbered.Replace(u.query), args...)
}
