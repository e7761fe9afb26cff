package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stepkey/stepkey/storage"
)

// Timeout is the default of Options.Timeout.
const Timeout = 2 * time.Second

// maxAttempts bounds how often a transaction is run that the database rolled
// back for a deadlock.
const maxAttempts = 3

// Options change how a Store is opened.
type Options struct {
	// Clock replaces the store's clock. The default is the PostgreSQL server's
	// time, and time.Now for SQLite.
	Clock func() time.Time

	// Timeout bounds every operation, the wait for a connection included. The
	// deadline of the caller's context applies as well if it is earlier. The
	// default is [Timeout]; a negative value is refused.
	Timeout time.Duration

	// Schema keeps Stepkey's tables apart from those of others in the database. PostgreSQL
	// has them in a schema of this name. SQLite has no schemas: there it is what the names of
	// tables begin with, before an underscore. The default is "stepkey". [Open] creates it,
	// and moves tables into it that an earlier version kept without.
	Schema string

	// KeepEvents is how long events are kept. The default is [KeepEvents]; a negative value
	// keeps them without end.
	KeepEvents time.Duration
}

// DefaultSchema is where tables are unless Options say otherwise.
const DefaultSchema = "stepkey"

// Store is a storage.Store, a storage.Challenges and a storage.Limiter. It is safe
// for concurrent use.
type Store struct {
	db      databases
	dialect dialect
	layout  layout
	clock   clock
	timeout time.Duration

	keepEvents time.Duration // negative for ever
}

var (
	_ storage.Store      = (*Store)(nil)
	_ storage.Challenges = (*Store)(nil)
	_ storage.Limiter    = (*Store)(nil)
)

// Open opens the database that url names, postgres://… or sqlite:PATH, and
// brings its schema up to date. It fails, and changes nothing, where a newer version
// of Stepkey has been at work. The caller closes the Store.
func Open(ctx context.Context, url string, options Options) (*Store, error) {
	if options.Timeout < 0 {
		return nil, errors.New("sqlstore: Options.Timeout must not be negative")
	}
	options.Timeout = cmp.Or(options.Timeout, Timeout)
	options.Schema = cmp.Or(options.Schema, DefaultSchema)
	s, err := connect(ctx, url, options)
	if err != nil {
		return nil, err
	}
	s.keepEvents = cmp.Or(options.KeepEvents, KeepEvents)
	if err := s.prepare(ctx, options); err != nil {
		return nil, errors.Join(err, s.db.close())
	}
	return s, nil
}

func connect(ctx context.Context, url string, options Options) (*Store, error) {
	if err := checkSchema(options.Schema); err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		s := &Store{dialect: sqliteDialect, layout: sqliteDialect.layoutIn(options.Schema), timeout: options.Timeout}
		var err error
		s.db, err = openSQLite(path, s.layout, s.timeout)
		return s, err
	}
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		s := &Store{dialect: postgresDialect, layout: postgresDialect.layoutIn(options.Schema), timeout: options.Timeout}
		var err error
		s.db, err = openPostgres(ctx, url, s.layout, s.timeout)
		return s, s.translate(err)
	}
	return nil, errors.New("sqlstore: DATABASE_URL is neither postgres://… nor sqlite:PATH")
}

func (s *Store) prepare(ctx context.Context, options Options) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if options.Clock != nil {
		s.clock = fixedClock(options.Clock)
		return nil
	}
	if s.dialect.name == sqliteDialect.name {
		s.clock = fixedClock(time.Now)
		return nil
	}
	follower, err := followServer(ctx, s.db, s.timeout)
	if err != nil {
		return s.translate(err)
	}
	s.clock = follower
	return nil
}

// Close ends all connections.
func (s *Store) Close() error {
	s.clock.stop()
	return s.db.close()
}

// Now is the time by which the store decides. It costs no round trip.
func (s *Store) Now() time.Time { return s.clock.now() }

// Ping implements storage.Store.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return s.translate(s.db.read.PingContext(ctx))
}

// InTx implements storage.Store.
func (s *Store) InTx(ctx context.Context, fn func(storage.Tx) error) error {
	return s.inTx(ctx, func(t *tx) error { return fn(t) })
}

func (s *Store) inTx(ctx context.Context, fn func(*tx) error) error {
	var err error
	for range maxAttempts {
		if err = s.inTxOnce(ctx, fn); err == nil || !s.dialect.retry(err) {
			break
		}
	}
	return s.translate(err)
}

func (s *Store) inTxOnce(ctx context.Context, fn func(*tx) error) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	sqlTx, err := s.db.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(&tx{Tx: sqlTx, ctx: ctx, dialect: s.dialect, layout: s.layout}); err != nil {
		return errors.Join(err, ignoreDone(sqlTx.Rollback()))
	}
	return sqlTx.Commit()
}

// bounded returns a context that ends by a deadline, its own or an earlier one of
// ctx, and not because the client has gone: a half-known outcome helps nobody.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	end := time.Now().Add(s.timeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end)
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// translate makes the project's kinds of errors of the database's.
func (s *Store) translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return storage.ErrNotFound
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, sql.ErrConnDone), s.dialect.transient(err):
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	default:
		return err
	}
}

// tx implements storage.Tx. Its methods leave translating errors to InTx.
type tx struct {
	*sql.Tx
	ctx     context.Context // the transaction's own
	dialect dialect
	layout  layout
}

// A statement ends with its transaction and not with the caller's context, which does
// when the client goes.

func (t *tx) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return t.Tx.ExecContext(t.ctx, t.layout.complete(query), args...)
}

func (t *tx) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.Tx.QueryContext(t.ctx, t.layout.complete(query), args...)
}

func (t *tx) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	return t.Tx.QueryRowContext(t.ctx, t.layout.complete(query), args...)
}

// queryer is what a database and a transaction have in common.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// changed runs a statement and reports whether it changed a row.
func changed(ctx context.Context, q queryer, statement string, args ...any) (bool, error) {
	result, err := q.ExecContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}
