package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

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
	// The server gives up as well, so that a statement does not outlive whoever
	// waited for it.
	milliseconds := strconv.FormatInt(timeout.Milliseconds(), 10)
	config.ConnConfig.RuntimeParams["statement_timeout"] = milliseconds
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds
	config.ConnConfig.RuntimeParams["application_name"] = "stepkey"
	config.ConnConfig.OnPgError = keepConnection
	connections, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return databases{}, fmt.Errorf("sqlstore: open PostgreSQL: %w", err)
	}
	db := stdlib.OpenDBFromPool(connections)
	return databases{write: pool{db, layout}, read: pool{db, layout}, close: func() error {
		// Closing the sql.DB leaves the pool open.
		defer connections.Close()
		return db.Close()
	}}, nil
}

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
