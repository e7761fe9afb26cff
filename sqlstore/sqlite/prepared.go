package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// maxPrepared bounds what prepared holds. The store asks for fewer texts.
const maxPrepared = 64

// prepared holds the statements of questions that have one row for an answer. SQLite compiles a
// text each time that it is run, which for the question of every guarded request takes three
// times as long as the answer.
type prepared struct {
	db *sql.DB

	mu         sync.RWMutex
	statements map[string]*sql.Stmt // by text; nil once closed
}

func prepare(db *sql.DB) *prepared {
	return &prepared{db: db, statements: make(map[string]*sql.Stmt)}
}

// row runs the question, prepared if there is room for it.
func (p *prepared) row(ctx context.Context, query string, args []any, targets []any) error {
	statement, err := p.statement(ctx, query)
	if err != nil {
		return err
	}
	if statement == nil {
		return p.db.QueryRowContext(ctx, numbered.Replace(query), args...).Scan(targets...)
	}
	return statement.QueryRowContext(ctx, args...).Scan(targets...)
}

// statement returns nil for a text that is not held and finds no room.
func (p *prepared) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.RLock()
	statement, full := p.statements[query], p.statements == nil || len(p.statements) >= maxPrepared
	p.mu.RUnlock()
	if statement != nil || full {
		return statement, nil
	}
	made, err := p.db.PrepareContext(ctx, numbered.Replace(query))
	if err != nil {
		return nil, err
	}
	return p.hold(query, made)
}

// hold keeps a statement, unless another call was faster or the store was closed meanwhile.
func (p *prepared) hold(query string, made *sql.Stmt) (*sql.Stmt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if held := p.statements[query]; held != nil || p.statements == nil {
		return held, made.Close()
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
