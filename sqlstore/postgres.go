package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// maxConnections bounds the pool of one instance, unless the URL says otherwise
// (pool_max_conns).
const maxConnections = 16

func openPostgres(ctx context.Context, url string, layout layout, timeout time.Duration) (databases, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's own text may quote the URL, and with it the password.
		return databases{}, errors.New("sqlstore: DATABASE_URL is not a PostgreSQL URL: " +
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
			return databases{}, fmt.Errorf("sqlstore: open PostgreSQL: %w", err)
		}
	}
	connections, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return databases{}, fmt.Errorf("sqlstore: open PostgreSQL: %w", err)
	}
	db := sql.OpenDB(connector{stdlib.GetPoolConnector(connections), beginWithin(timeout)})
	db.SetMaxIdleConns(0) // the pool keeps them
	return databases{write: pool{db, layout}, read: pool{db, layout}, close: func() error {
		// Closing the sql.DB leaves the pool open.
		defer connections.Close()
		return db.Close()
	}}, nil
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
	if postgresCode(err) == "08P01" && strings.Contains(err.Error(), "unsupported startup parameter") {
		return fmt.Errorf("%w: remove that parameter from DATABASE_URL, "+
			"or name it in ignore_startup_parameters of PgBouncer", err)
	}
	return err
}

// beginWithin begins a transaction and bounds what the server does for it, so that one of an
// instance that is gone or frozen does not keep its locks. PgBouncer refuses such bounds as
// parameters of the start-up, and hands those of a session to others. One message carries
// all of it, so there is no further round trip.
func beginWithin(timeout time.Duration) string {
	return fmt.Sprintf("BEGIN; SET LOCAL statement_timeout = %[1]d; SET LOCAL idle_in_transaction_session_timeout = %[1]d",
		max(1, timeout.Milliseconds())) // 0 would be no bound
}

// connector makes connections whose transactions start with the statement begin.
type connector struct {
	driver.Connector
	begin string
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return connection{conn.(*stdlib.Conn), c.begin}, nil
}

type connection struct {
	*stdlib.Conn
	begin string
}

func (c connection) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	if c.Conn.Conn().IsClosed() {
		return nil, driver.ErrBadConn
	}
	tx, err := c.Conn.Conn().BeginTx(ctx, pgx.TxOptions{BeginQuery: c.begin})
	if err != nil {
		return nil, err
	}
	return transaction{ctx, tx}, nil
}

// transaction is a pgx.Tx as database/sql knows transactions.
type transaction struct {
	ctx context.Context
	tx  pgx.Tx
}

func (t transaction) Commit() error   { return t.tx.Commit(t.ctx) }
func (t transaction) Rollback() error { return t.tx.Rollback(t.ctx) }

// readOnly is the code of a refusal to write in a read-only transaction.
const readOnly = "25006"

// keepConnection lets go of connections that are of no more use: those that the
// server ends, and those to a server that has become read-only in a fail-over. The
// next one may lead to the new primary.
func keepConnection(_ *pgconn.PgConn, err *pgconn.PgError) bool {
	return err.Code != readOnly && !strings.EqualFold(err.Severity, "FATAL")
}

// postgresNow asks the server for its time. The answer belongs to the middle of
// the time that asking took.
func postgresNow(ctx context.Context, db databases) (serverTime, at time.Time, err error) {
	asked := time.Now()
	err = db.read.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&serverTime)
	return serverTime, asked.Add(time.Since(asked) / 2), err
}

// postgresRetry reports whether the server rolled back for a reason that is gone
// when the transaction is run again: a deadlock or a failed serialization.
func postgresRetry(err error) bool {
	code := postgresCode(err)
	return code == "40P01" || code == "40001"
}

// postgresTransient reports whether the database, and not the statement, is at
// fault: unreachable, shutting down, out of connections, space or time.
func postgresTransient(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	if errors.As(err, &network) || errors.As(err, &connect) || pgconn.SafeToRetry(err) || connectionLost(err) {
		return true
	}
	switch code := postgresCode(err); {
	case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "53"), strings.HasPrefix(code, "57P"):
		return true
	default:
		return code == "57014" || code == "55P03" || code == readOnly || code == "25P03" || postgresRetry(err)
	}
}

// connectionLost reports whether the connection ended in the middle of a statement.
// What became of the statement is unknown.
func connectionLost(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn)
}

func postgresCode(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return ""
}
