package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
	"github.com/stepkey/stepkey/storage"
)

// Timeout is the default of Options.Timeout.
const Timeout = 2 * time.Second

// maxAttempts bounds how often a transaction is run if the database rolls it
// back for a deadlock.
const maxAttempts = 3

// Options configure a Store.
type Options struct {
	// Clock replaces the store's clock. The default is the PostgreSQL server's
	// time, and time.Now for SQLite.
	Clock func() time.Time

	// Timeout bounds every operation, the wait for a connection included. The
	// deadline of the caller's context applies as well if it is earlier. The
	// default is [Timeout]; a negative value is refused.
	Timeout time.Duration

	// Schema keeps Stepkey's tables separate from other tables in the database. In PostgreSQL it is
	// the schema of the tables. SQLite has no schemas: there, table names begin with it and an
	// underscore. The default is "stepkey". Opening a store creates the schema, and moves tables of
	// earlier versions into it.
	Schema string

	// KeepEvents is how long events are kept. The default is [KeepEvents]; a negative value
	// keeps them forever.
	KeepEvents time.Duration
}

// DefaultSchema is the default of Options.Schema.
const DefaultSchema = "stepkey"

// Store is a storage.Store, a storage.Challenges and a storage.Limiter. It is safe
// for concurrent use.
type Store struct {
	db      engine.Database
	write   pool // for statements that write
	read    pool // for statements that only read
	lossy   pool // for challenges and limits
	dialect engine.Dialect
	layout  layout
	clock   clock
	timeout time.Duration

	keepEvents time.Duration // negative means forever
}

var (
	_ storage.Store             = (*Store)(nil)
	_ storage.AccountChallenges = (*Store)(nil)
	_ storage.Limiter           = (*Store)(nil)
)

// New makes a Store of the database that open returns, and migrates its schema. It is for
// the packages that open a database: sqlstore/sqlite and sqlstore/postgres.
func New(
	ctx context.Context, options Options,
	open func(ctx context.Context, timeout time.Duration) (engine.Database, error),
) (*Store, error) {
	if options.Timeout < 0 {
		return nil, errors.New("sqlstore: Options.Timeout must not be negative")
	}
	schema := cmp.Or(options.Schema, DefaultSchema)
	if err := checkSchema(schema); err != nil {
		return nil, err
	}
	timeout := cmp.Or(options.Timeout, Timeout)
	db, err := open(ctx, timeout)
	if err != nil {
		return nil, err
	}
	layout := layoutIn(schema, db.Dialect)
	s := &Store{
		db: db, write: pool{db.Write, layout}, read: pool{db.Read, layout}, lossy: pool{cmp.Or(db.Lossy, db.Write), layout},
		dialect: db.Dialect, layout: layout,
		timeout: timeout, keepEvents: cmp.Or(options.KeepEvents, KeepEvents),
	}
	if err := s.prepare(ctx, options); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context, options Options) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if options.Clock != nil {
		s.clock = fixedClock(options.Clock)
		return nil
	}
	if s.db.Now == nil {
		s.clock = fixedClock(time.Now)
		return nil
	}
	follower, err := followServer(ctx, s.db.Now, s.timeout)
	if err != nil {
		return s.translate(err)
	}
	s.clock = follower
	return nil
}

// Close closes everything that the Store opened. A pool passed by the caller
// stays open.
func (s *Store) Close() error {
	s.clock.stop()
	return s.db.Close()
}

// Now returns the store's time. It needs no round trip.
func (s *Store) Now() time.Time { return s.clock.now() }

// Ping implements storage.Store.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return s.translate(s.read.PingContext(ctx))
}

// InTx implements storage.Store.
func (s *Store) InTx(ctx context.Context, fn func(storage.Tx) error) error {
	return s.inTx(ctx, func(t *tx) error { return fn(t) })
}

// Within runs fn in the caller's transaction, which must be in the store's database. The
// caller commits it or rolls it back; if fn returns an error, it must be rolled back. An
// application uses Within to change its own tables and Stepkey's together.
func (s *Store) Within(ctx context.Context, transaction *sql.Tx, fn func(storage.Tx) error) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return s.translate(fn(&tx{Tx: s.db.Adopt(transaction), ctx: ctx, dialect: s.dialect, layout: s.layout}))
}

func (s *Store) inTx(ctx context.Context, fn func(*tx) error) error {
	return s.inTxOn(ctx, s.write, fn)
}

func (s *Store) inTxOn(ctx context.Context, p pool, fn func(*tx) error) error {
	return s.translate(s.retried(ctx, func(ctx context.Context) error { return s.inTxOnce(ctx, p, fn) }))
}

// retried runs a transaction, or a statement that locks several rows, and runs it again if the
// database rolled it back for a deadlock. Each attempt is bounded.
func (s *Store) retried(ctx context.Context, run func(context.Context) error) (err error) {
	for range maxAttempts {
		if err = s.attempt(ctx, run); err == nil || !s.db.Retry(err) {
			break
		}
	}
	return err
}

func (s *Store) attempt(ctx context.Context, run func(context.Context) error) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return run(ctx)
}

func (s *Store) inTxOnce(ctx context.Context, p pool, fn func(*tx) error) error {
	t, err := s.begin(ctx, p)
	if err != nil {
		return err
	}
	done := false
	defer func() {
		if !done { // fn panicked: nothing else would end the transaction
			_ = t.Rollback()
		}
	}()
	err = fn(t)
	done = true
	if err != nil {
		return errors.Join(err, t.Rollback())
	}
	return t.Commit()
}

// bounded returns a context that ends at a deadline, its own or an earlier one of
// ctx, but not when ctx is cancelled because the client has gone: then nobody
// would know the outcome.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	end := time.Now().Add(s.timeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end)
}

// translate turns the database's errors into the kinds of package storage.
func (s *Store) translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return storage.ErrNotFound
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, sql.ErrConnDone), s.db.Transient(err):
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	default:
		return err
	}
}

// pool is an engine.Pool for statements with table names in braces; see
// layout.complete.
type pool struct {
	engine.Pool
	layout layout
}

func (p pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return p.Pool.ExecContext(ctx, p.layout.complete(query), args...)
}

func (p pool) QueryContext(ctx context.Context, query string, args ...any) (engine.Rows, error) {
	return p.Pool.QueryContext(ctx, p.layout.complete(query), args...)
}

func (p pool) QueryRowContext(ctx context.Context, query string, args ...any) engine.Row {
	return p.Pool.QueryRowContext(ctx, p.layout.complete(query), args...)
}

// begin starts a transaction, which ends with ctx.
func (s *Store) begin(ctx context.Context, p pool) (*tx, error) {
	t, err := p.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &tx{Tx: t, ctx: ctx, dialect: s.dialect, layout: s.layout}, nil
}

// tx implements storage.Tx. InTx translates the errors of its methods.
type tx struct {
	engine.Tx
	ctx     context.Context // the transaction's own
	dialect engine.Dialect
	layout  layout
}

// A statement uses the transaction's context and not the caller's, which is cancelled
// when the client goes.

func (t *tx) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return t.Tx.ExecContext(t.ctx, t.layout.complete(query), args...)
}

func (t *tx) QueryContext(_ context.Context, query string, args ...any) (engine.Rows, error) {
	return t.Tx.QueryContext(t.ctx, t.layout.complete(query), args...)
}

func (t *tx) QueryRowContext(_ context.Context, query string, args ...any) engine.Row {
	return t.Tx.QueryRowContext(t.ctx, t.layout.complete(query), args...)
}

// changed runs a statement and reports whether it changed a row.
func changed(ctx context.Context, q engine.Queryer, statement string, args ...any) (bool, error) {
	result, err := q.ExecContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}
