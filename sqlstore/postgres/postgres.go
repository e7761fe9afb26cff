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
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/sqlstore/internal/engine"
	"github.com/stepkey/stepkey/storage"
)

// Options are those of every SQL store.
type Options = sqlstore.Options

// maxConnections bounds the pool of one instance, unless the URL says otherwise
// (pool_max_conns).
const maxConnections = 16

// Open opens the database that url names, postgres://… or postgresql://…, and brings its
// schema up to date. It fails, and changes nothing, where a newer version of Stepkey has
// been at work. The caller closes the Store.
func Open(ctx context.Context, url string, options Options) (*sqlstore.Store, error) {
	return sqlstore.New(ctx, options, func(ctx context.Context, timeout time.Duration) (engine.Database, error) {
		connections, err := connect(ctx, url, timeout)
		if err != nil {
			if transient(err) || errors.Is(err, context.DeadlineExceeded) {
				return engine.Database{}, fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
			}
			return engine.Database{}, err
		}
		db := onPool(connections, timeout)
		closeDB := db.Close
		db.Close = func() error {
			// Closing the sql.DB leaves the pool open.
			defer connections.Close()
			return closeDB()
		}
		return db, nil
	})
}

// New opens a store on the caller's pool and brings its schema up to date. The pool stays
// open when the Store is closed. The package comment says what the pool should be set to.
func New(ctx context.Context, connections *pgxpool.Pool, options Options) (*sqlstore.Store, error) {
	return sqlstore.New(ctx, options, func(_ context.Context, timeout time.Duration) (engine.Database, error) {
		return onPool(connections, timeout), nil
	})
}

// NewDB is like [New] for a pool of database/sql. A transaction takes one more round trip
// than with New, for its bounds. The driver is that of pgx, or another one whose errors have
// a method SQLState.
func NewDB(ctx context.Context, db *sql.DB, options Options) (*sqlstore.Store, error) {
	return sqlstore.New(ctx, options, func(_ context.Context, timeout time.Duration) (engine.Database, error) {
		return database(pool{db, bounds(timeout)}, func() error { return nil }), nil
	})
}

// onPool has database/sql on top of the pool. The native interface of pgx would save that;
// nothing exported knows of it.
func onPool(connections *pgxpool.Pool, timeout time.Duration) engine.Database {
	db := sql.OpenDB(connector{stdlib.GetPoolConnector(connections), "BEGIN; " + bounds(timeout)})
	db.SetMaxIdleConns(0) // the pool keeps them
	return database(pool{db, ""}, db.Close)
}

func database(p pool, closeDB func() error) engine.Database {
	return engine.Database{
		Dialect:   engine.Postgres,
		Write:     p,
		Read:      p,
		Adopt:     func(t *sql.Tx) engine.Tx { return tx{t} },
		Close:     closeDB,
		Now:       p.now,
		Retry:     retry,
		Transient: transient,
		Explain:   explainRights,
	}
}

func connect(ctx context.Context, url string, timeout time.Duration) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's own text may quote the URL, and with it the password.
		return nil, errors.New("postgres: the URL is not a PostgreSQL URL: " +
			"write it like postgres://user:password@host:5432/name")
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = maxConnections
	}
	config.ConnConfig.ConnectTimeout = timeout
	config.ConnConfig.RuntimeParams["application_name"] = "stepkey"
	config.ConnConfig.OnPgError = keepConnection
	if !strings.Contains(url, "default_query_exec_mode") {
		if err := chooseQueryMode(ctx, config.ConnConfig, timeout); err != nil {
			return nil, fmt.Errorf("postgres: open PostgreSQL: %w", err)
		}
	}
	connections, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgres: open PostgreSQL: %w", err)
	}
	return connections, nil
}

// chooseQueryMode has statements prepared by name only on connections that keep them.
// Behind a pooler such as PgBouncer the next statement may reach another server process,
// which does not know the name. Then pgx remembers the types of a statement and sends its
// text each time, also in one round trip. Poolers stay invisible but for this: the number
// of the process that the connection was told of is not that of the process that answers.
func chooseQueryMode(ctx context.Context, config *pgx.ConnConfig, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return explainStartup(err)
	}
	defer conn.Close(ctx)
	var process uint32
	err = conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&process)
	if err == nil && process != conn.PgConn().PID() {
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return err
}

// explainStartup adds what to do where PgBouncer refuses a parameter of the URL.
func explainStartup(err error) error {
	if code(err) == "08P01" && strings.Contains(err.Error(), "unsupported startup parameter") {
		return fmt.Errorf("%w: remove that parameter from the database URL, "+
			"or name it in ignore_startup_parameters of PgBouncer", err)
	}
	return err
}
