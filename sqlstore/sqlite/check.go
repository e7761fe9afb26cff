package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stepkey/stepkey/storage"
)

// check refuses a pool without the settings in the package comment.
func check(ctx context.Context, db *sql.DB, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := checkPool(ctx, db)
	switch {
	case err == nil:
		return nil
	case transient(err) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("sqlite: %w: %w", storage.ErrUnavailable, err)
	default:
		return fmt.Errorf("sqlite: %w", err)
	}
}

func checkPool(ctx context.Context, db *sql.DB) (err error) {
	conn, err := connect(ctx, db)
	if err != nil {
		return fmt.Errorf("open SQLite: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := errors.Join(checkSettings(ctx, conn), checkDriver(ctx, conn)); err != nil {
		return err
	}
	if db.Stats().MaxOpenConnections == 1 {
		return nil
	}
	// A second connection shows whether settings apply to the whole pool or a PRAGMA set
	// them on one connection only.
	second, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("open SQLite: %w", err)
	}
	defer func() { err = errors.Join(err, second.Close()) }()
	return checkSettings(ctx, second)
}

// connect retries while another process has the file locked. SQLite does not wait for
// busy_timeout when a connection switches a file to WAL that another one writes to, as when
// two processes open a new file at once.
func connect(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	for {
		conn, err := db.Conn(ctx)
		if !locked(err) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func checkSettings(ctx context.Context, conn *sql.Conn) error {
	var problems []error
	for _, setting := range []struct {
		pragma string
		fits   func(string) bool
		want   string
	}{
		{"journal_mode", func(v string) bool { return strings.EqualFold(v, "wal") || strings.EqualFold(v, "memory") }, "WAL"},
		{"foreign_keys", func(v string) bool { return v == "1" }, "1"},
		{"synchronous", func(v string) bool { return v == "2" || v == "3" }, "2 (FULL)"},
		{"busy_timeout", func(v string) bool { return v != "0" }, "more than 0"},
	} {
		var value string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+setting.pragma).Scan(&value); err != nil {
			return fmt.Errorf("read PRAGMA %s: %w", setting.pragma, err)
		}
		if !setting.fits(value) {
			problems = append(problems, fmt.Errorf("a connection of the pool has %s %s and needs %s: "+
				"set it for all connections, in the data source name", setting.pragma, value, setting.want))
		}
	}
	return errors.Join(problems...)
}

// checkDriver refuses a driver that mixes up arguments or times. It leaves nothing in the
// database.
func checkDriver(ctx context.Context, conn *sql.Conn) (err error) {
	var two, one int
	if err := conn.QueryRowContext(ctx, numbered.Replace("SELECT $2, $1"), 1, 2).Scan(&two, &one); err != nil {
		return fmt.Errorf("try the driver: %w", err)
	}
	if two != 2 || one != 1 {
		return errors.New("the driver does not bind arguments by their numbers")
	}
	if _, err := conn.ExecContext(ctx, "SAVEPOINT stepkey_check"); err != nil {
		return fmt.Errorf("try the driver: %w", err)
	}
	defer func() {
		_, undo := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK TO stepkey_check")
		_, end := conn.ExecContext(context.WithoutCancel(ctx), "RELEASE stepkey_check")
		err = errors.Join(err, undo, end)
	}()
	if _, err := conn.ExecContext(ctx, "CREATE TEMP TABLE stepkey_check (at TIMESTAMP)"); err != nil {
		return fmt.Errorf("try the driver: %w", err)
	}
	// The store also stores the zero time. Drivers that guess the unit of a time guess
	// another one for it.
	for _, want := range []time.Time{time.Date(2030, 5, 17, 9, 30, 0, 123456000, time.UTC), {}} {
		if _, err := conn.ExecContext(ctx, "INSERT INTO temp.stepkey_check (at) VALUES (?1)", bound([]any{want})...); err != nil {
			return fmt.Errorf("try the driver: %w", err)
		}
		var got time.Time
		err := conn.QueryRowContext(ctx, "SELECT at FROM temp.stepkey_check ORDER BY rowid DESC").Scan(readable([]any{&got})...)
		if err != nil {
			return fmt.Errorf("try the driver: %w", err)
		}
		if !got.Equal(want) {
			return fmt.Errorf("the driver does not read a time as it was written: %s became %s; "+
				"the package comment of sqlstore/sqlite says which drivers work, and with which settings", want, got)
		}
	}
	return nil
}
