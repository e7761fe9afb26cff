package sqlstore

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
)

// Recording collects the statements that stores send.
type Recording struct {
	mu         sync.Mutex
	statements map[string][]any // with the arguments of the first time
}

// Watch records what s sends from now on. Nobody else uses s yet.
func (r *Recording) Watch(s *Store) {
	s.write.Pool = recordedPool{recorded{s.write.Pool, r}, s.write.Pool}
	s.read.Pool = recordedPool{recorded{s.read.Pool, r}, s.read.Pool}
	s.lossy.Pool = recordedPool{recorded{s.lossy.Pool, r}, s.lossy.Pool}
}

// Statements returns the statements in the order of their texts.
func (r *Recording) Statements() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.statements))
}

// Args returns the arguments that a statement was first sent with.
func (r *Recording) Args(statement string) []any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.statements[statement]
}

func (r *Recording) note(statement string, args []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.statements == nil {
		r.statements = make(map[string][]any)
	}
	if _, known := r.statements[statement]; !known {
		r.statements[statement] = slices.Clone(args)
	}
}

// Sent reports whether a text with table names in braces, as in the source of this package, is part of
// a statement that s sent.
func (r *Recording) Sent(s *Store, text string) bool {
	text = s.layout.complete(text)
	return slices.ContainsFunc(r.Statements(), func(statement string) bool { return strings.Contains(statement, text) })
}

// recorded is an engine.Queryer whose statements are recorded.
type recorded struct {
	engine.Queryer
	to *Recording
}

func (q recorded) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	q.to.note(query, args)
	return q.Queryer.ExecContext(ctx, query, args...)
}

func (q recorded) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	q.to.note(query, args)
	return q.Queryer.QueryContext(ctx, query, args...)
}

func (q recorded) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	q.to.note(query, args)
	return q.Queryer.QueryRowContext(ctx, query, args...)
}

type recordedPool struct {
	recorded
	pool engine.Pool
}

func (p recordedPool) PingContext(ctx context.Context) error { return p.pool.PingContext(ctx) }

func (p recordedPool) Begin(ctx context.Context) (engine.Tx, error) {
	t, err := p.pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return recordedTx{recorded{t, p.to}, t}, nil
}

type recordedTx struct {
	recorded
	tx engine.Tx
}

func (t recordedTx) Commit() error   { return t.tx.Commit() }
func (t recordedTx) Rollback() error { return t.tx.Rollback() }
