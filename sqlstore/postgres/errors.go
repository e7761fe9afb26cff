package postgres

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// readOnly is the code of a refusal to write in a read-only transaction.
const readOnly = "25006"

// keepConnection reports false for connections that are useless: those that the
// server ends, and those to a server that became read-only in a failover. The next
// connection may lead to the new primary.
func keepConnection(_ *pgconn.PgConn, err *pgconn.PgError) bool {
	return err.Code != readOnly && !strings.EqualFold(err.Severity, "FATAL")
}

// explainRights adds advice if the role lacks the rights for a migration.
func explainRights(err error) error {
	const insufficientPrivilege = "42501"
	if code(err) == insufficientPrivilege {
		return fmt.Errorf("%w: the role of the database URL needs CREATE on the database, or must own the schema of "+
			"Options.Schema and the tables in it; docs/operations.md says how", err)
	}
	return err
}

// retry reports whether the server rolled back for a reason that will be gone
// when the transaction is run again: a deadlock or a failed serialization.
func retry(err error) bool {
	c := code(err)
	return c == "40P01" || c == "40001"
}

// transient reports whether the database, and not the statement, is at
// fault: unreachable, shutting down, out of connections, space or time.
func transient(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	if errors.As(err, &network) || errors.As(err, &connect) || pgconn.SafeToRetry(err) || connectionLost(err) {
		return true
	}
	switch c := code(err); {
	case strings.HasPrefix(c, "08"), strings.HasPrefix(c, "53"), strings.HasPrefix(c, "57P"):
		return true
	default:
		return c == "57014" || c == "55P03" || c == readOnly || c == "25P03" || retry(err)
	}
}

// connectionLost reports whether the connection ended in the middle of a statement,
// which may or may not have taken effect.
func connectionLost(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn)
}

// code returns the SQLSTATE of an error, of pgx or of another driver.
func code(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}
