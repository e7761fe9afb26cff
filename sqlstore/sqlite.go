package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

func openSQLite(path string, layout layout, timeout time.Duration) (databases, error) {
	// SQLite gives its other files the mode of the first: nobody else may read
	// password hashes, whatever the umask says.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return databases{}, fmt.Errorf("sqlstore: open SQLite: %w", err)
	}
	if err := file.Close(); err != nil {
		return databases{}, fmt.Errorf("sqlstore: open SQLite: %w", err)
	}
	write, err := sql.Open("sqlite", sqliteURL(path, timeout))
	if err != nil {
		return databases{}, fmt.Errorf("sqlstore: open SQLite: %w", err)
	}
	read, err := sql.Open("sqlite", sqliteURL(path, timeout))
	if err != nil {
		return databases{}, errors.Join(fmt.Errorf("sqlstore: open SQLite: %w", err), write.Close())
	}
	// SQLite lets one connection write. A second one would only wait, and be told
	// "database is locked" in the end.
	write.SetMaxOpenConns(1)
	read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	return databases{write: pool{write, layout}, read: pool{read, layout}, close: func() error {
		return errors.Join(read.Close(), write.Close())
	}}, nil
}

func sqliteURL(path string, timeout time.Duration) string {
	settings := url.Values{
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", timeout.Milliseconds()),
			"journal_mode(WAL)",
			"foreign_keys(1)",
			// FULL: what was acknowledged survives a power cut. NORMAL may lose the
			// last commits, and with them a challenge's being used up.
			"synchronous(FULL)",
		},
		"_txlock":              {"immediate"},
		"_time_integer_format": {"unix_micro"},
		"_inttotime":           {"1"},
	}
	return (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: settings.Encode()}).String()
}

// sqliteTransient reports whether the file, and not the statement, is at fault:
// locked by somebody else, on a full disk, unreadable.
func sqliteTransient(err error) bool {
	var fault *sqlite.Error
	if !errors.As(err, &fault) {
		return false
	}
	switch fault.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return true
	default:
		return false
	}
}
