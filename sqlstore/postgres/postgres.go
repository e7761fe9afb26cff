package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/sqlstore/internal/engine"
	"github.com/stepkey/stepkey/storage"
)

// Options are the options of every SQL store.
type Options = sqlstore.Options

// maxConnections bounds the pool of one instance, unless the URL says otherwise
// (pool_max_conns).
const maxConnections = 16

// Open opens the database at url, postgres://… or postgresql://…, and migrates its
// schema. It fails, and changes nothing, if a newer version of Stepkey has migrated the
// database. The caller must close the Store.
func Open(ctx context.Context, url string, options Options) (*sqlstore.Store, error) {
	return sqlstore.New(ctx, options, func(ctx context.Context, timeout time.Duration) (engine.Database, error) {
		connections, err := connect(ctx, url, timeout)
		if err != nil {
			if transient(err) || errors.Is(err, context.DeadlineExceeded) {
				return engine.Database{}, fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
			}
			return engine.Database{}, err
		}
		db := database(newPool(connections, timeout))
		db.Close = func() error {
			connections.Close()
			return nil
		}
		return db, nil
	})
}

// New opens a store on the caller's pool and migrates its schema. The pool stays open
// when the Store is closed. The package comment describes the pool's settings.
func New(ctx context.Context, connections *pgxpool.Pool, options Options) (*sqlstore.Store, error) {
	return sqlstore.New(ctx, options, func(_ context.Context, timeout time.Duration) (engine.Database, error) {
		return database(newPool(connections, timeout)), nil
	})
}

// NewDB is like [New] for a pool of database/sql. A transaction takes one more round trip
// than with New, for its time limits. The driver must be pgx's or another one whose errors
// have a method SQLState.
func NewDB(ctx context.Context, db *sql.DB, options Options) (*sqlstore.Store, error) {
	return sqlstore.New(ctx, options, func(_ context.Context, timeout time.Duration) (engine.Database, error) {
		return database(sqlPool{db, bounds(timeout)}), nil
	})
}

func database(p engine.Pool) engine.Database {
	return engine.Database{
		Dialect:   engine.Postgres,
		Write:     p,
		Read:      p,
		Adopt:     adopt,
		Close:     func() error { return nil },
		Now:       func(ctx context.Context) (server, local time.Time, err error) { return now(ctx, p) },
		Retry:     retry,
		Transient: transient,
		Explain:   explainRights,
	}
}

// now reads the server's time. The result is taken as the time at the middle of the
// round trip.
func now(ctx context.Context, p engine.Pool) (server, local time.Time, err error) {
	asked := time.Now()
	err = p.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&server)
	return server, asked.Add(time.Since(asked) / 2), err
}

func connect(ctx context.Context, url string, timeout time.Duration) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's own error may quote the URL, and with it the password.
		return nil, errors.New("postgres: the URL is not a PostgreSQL URL: " +
			"write it like postgres://user:password@host:5432/name")
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = maxConnections
	}
	config.ConnConfig.ConnectTimeout = timeout
	config.ConnConfig.RuntimeParams["application_name"] = "stepkey"
	config.ConnConfig.OnPgError = keepConnection
	connections, err := pgxpool.NewWithConfig(ctx, config)
	if err == nil && !strings.Contains(url, "default_query_exec_mode") {
		connections, err = fitQueryMode(ctx, connections, timeout)
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: open PostgreSQL: %w", err)
	}
	return connections, nil
}

// fitQueryMode prepares statements by name only on connections that keep them. Behind
// a pooler such as PgBouncer the next statement may reach another server process, which
// does not know the name. Then pgx caches the types of a statement and sends its text
// each time, also in one round trip: fitQueryMode closes the pool and returns one that does so.
func fitQueryMode(ctx context.Context, connections *pgxpool.Pool, timeout time.Duration) (*pgxpool.Pool, error) {
	pooled, err := behindPooler(ctx, connections, timeout)
	if err == nil && !pooled {
		return connections, nil
	}
	connections.Close()
	if err != nil {
		return nil, explainStartup(err)
	}
	config := connections.Config()
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	return pgxpool.NewWithConfig(ctx, config)
}

// behindPooler compares process ids: behind a pooler, the id announced for a connection is not
// that of the process that answers.
func behindPooler(ctx context.Context, connections *pgxpool.Pool, timeout time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := connections.Acquire(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	var process uint32
	err = conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&process)
	return process != conn.Conn().PgConn().PID(), err
}

// explainStartup adds advice if PgBouncer refuses a parameter of the URL.
func explainStartup(err error) error {
	if code(err) == "08P01" && strings.Contains(err.Error(), "unsupported startup parameter") {
		return fmt.Errorf("%w: remove that parameter from the database URL, "+
			"or name it in ignore_startup_parameters of PgBouncer", err)
	}
	return err
}
