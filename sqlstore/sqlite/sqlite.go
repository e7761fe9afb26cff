package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/sqlstore/internal/engine"
)

// Options are the options of every SQL store.
type Options = sqlstore.Options

// Open opens the database in the file at path, which it creates if necessary, and migrates
// its schema. It uses the driver that is registered with database/sql as "sqlite" or, if
// there is none, as "sqlite3". It fails, and changes nothing, if a newer version of Stepkey
// has migrated the database. The caller must close the Store.
func Open(ctx context.Context, path string, options Options) (*sqlstore.Store, error) {
	return sqlstore.New(ctx, options, func(ctx context.Context, timeout time.Duration) (engine.Database, error) {
		driver, err := registeredDriver()
		if err != nil {
			return engine.Database{}, err
		}
		if err := createFile(path); err != nil {
			return engine.Database{}, fmt.Errorf("sqlite: open SQLite: %w", err)
		}
		write, err := sql.Open(driver, dsn(path, timeout))
		if err != nil {
			return engine.Database{}, fmt.Errorf("sqlite: open SQLite: %w", err)
		}
		read, err := sql.Open(driver, dsn(path, timeout))
		if err != nil {
			return engine.Database{}, errors.Join(fmt.Errorf("sqlite: open SQLite: %w", err), write.Close())
		}
		// SQLite lets one connection write. A second one would only wait.
		write.SetMaxOpenConns(1)
		read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
		closeBoth := func() error { return errors.Join(read.Close(), write.Close()) }
		if err := check(ctx, write, timeout); err != nil {
			return engine.Database{}, errors.Join(err, closeBoth())
		}
		writes, reads := newConnection(write), prepare(read)
		db := database(writer{writes, full}, pool{read, nil, reads})
		db.Lossy = writer{writes, normal}
		db.Close = func() error { return errors.Join(writes.close(), reads.close(), closeBoth()) }
		return db, nil
	})
}

// New opens a store on the caller's pool and migrates its schema. The pool stays open when
// the Store is closed. New refuses a pool whose connections lack the settings in the
// package comment, and then changes nothing.
//
// The store writes on one connection of the pool at a time, in transactions that begin as
// writers, so that it and the application wait for each other for at most busy_timeout.
func New(ctx context.Context, db *sql.DB, options Options) (*sqlstore.Store, error) {
	return sqlstore.New(ctx, options, func(ctx context.Context, timeout time.Duration) (engine.Database, error) {
		if err := check(ctx, db, timeout); err != nil {
			return engine.Database{}, err
		}
		statements := prepare(db)
		own := database(pool{db, make(turn, 1), statements}, pool{db, nil, statements})
		own.Close = statements.close
		return own, nil
	})
}

func database(write, read engine.Pool) engine.Database {
	return engine.Database{
		Dialect:   engine.SQLite,
		Write:     write,
		Read:      read,
		Adopt:     func(t *sql.Tx) engine.Tx { return adopted{t} },
		Retry:     func(error) bool { return false },
		Transient: transient,
		Explain:   func(err error) error { return err },
	}
}

// createFile creates the file unless it exists. SQLite gives its other files the same
// mode. Other users of the machine must not be able to read password hashes, whatever the
// umask.
func createFile(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// registeredDriver returns the name of the driver that Open uses.
func registeredDriver() (string, error) {
	registered := sql.Drivers()
	for _, name := range []string{"sqlite", "sqlite3"} {
		if slices.Contains(registered, name) {
			return name, nil
		}
	}
	return "", errors.New(`sqlite: no driver for SQLite is registered: import one, such as _ "modernc.org/sqlite"`)
}

// dsn returns a data source name with settings for each connection. Go's drivers support
// one of two spellings of settings and ignore the other.
func dsn(path string, timeout time.Duration) string {
	busy := fmt.Sprint(max(1, timeout.Milliseconds()))
	settings := url.Values{
		"_pragma": {
			"busy_timeout(" + busy + ")",
			"journal_mode(WAL)",
			"foreign_keys(1)",
			"synchronous(FULL)",
		},
		"_busy_timeout": {busy},
		"_journal_mode": {"WAL"},
		"_foreign_keys": {"1"},
		"_synchronous":  {"FULL"},
		// github.com/ncruces/go-sqlite3 would guess the unit of a time.
		"_timefmt": {"unixepoch_micro"},
	}
	return (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: settings.Encode()}).String()
}
