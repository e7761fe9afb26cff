package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/sqlstore/sqlite"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

// documented is the query of the data source name that the documentation has.
const documented = "?_pragma=busy_timeout(2000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)"

func TestSettingsAreDocumented(t *testing.T) {
	for _, name := range []string{"doc.go", "../../docs/operations.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "file:app.db"+documented+"\n") {
			t.Errorf("%s lacks file:app.db%s", name, documented)
		}
	}
}

// patient is documented with the timeout of tests.
var patient = strings.Replace(documented, "2000", "120000", 1)

func newPool(t *testing.T, query string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+query)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func open(t *testing.T, db *sql.DB, clock func() time.Time) *sqlstore.Store {
	t.Helper()
	store, err := sqlite.New(t.Context(), db, sqlite.Options{Clock: clock, Timeout: patience.Long})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// The store works with any of a pool's settings for times and transactions, and with one connection.
func TestStoreOnPool(t *testing.T) {
	for name, pool := range map[string]func(t *testing.T) *sql.DB{
		"as documented": func(t *testing.T) *sql.DB { return newPool(t, patient) },
		"times as text": func(t *testing.T) *sql.DB { return newPool(t, patient+"&_time_format=sqlite&_txlock=exclusive") },
		"times as microseconds": func(t *testing.T) *sql.DB {
			return newPool(t, patient+"&_time_integer_format=unix_micro&_inttotime=1")
		},
		"one connection": func(t *testing.T) *sql.DB {
			db := newPool(t, patient)
			db.SetMaxOpenConns(1)
			return db
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("store", func(t *testing.T) {
				storetest.TestStore(t, func(t *testing.T) storage.Store { return open(t, pool(t), nil) })
			})
			t.Run("challenges", func(t *testing.T) {
				storetest.TestChallenges(t, func(t *testing.T) (storage.Challenges, storetest.Time) {
					clock := storetest.NewClock()
					return open(t, pool(t), clock.Now), clock.Time()
				})
			})
			t.Run("challenges with accounts", func(t *testing.T) {
				storetest.TestAccountChallenges(t, func(t *testing.T) (storetest.AccountStore, storetest.Time) {
					clock := storetest.NewClock()
					return open(t, pool(t), clock.Now), clock.Time()
				})
			})
			t.Run("limiter", func(t *testing.T) {
				storetest.TestLimiter(t, func(t *testing.T) (one, other storage.Limiter, _ storetest.Time) {
					clock, db := storetest.NewClock(), pool(t)
					return open(t, db, clock.Now), open(t, db, clock.Now), clock.Time()
				})
			})
		})
	}
}

func TestPoolThatDoesNotFit(t *testing.T) {
	for name, test := range map[string]struct{ query, want string }{
		"nothing set":     {"", "journal_mode delete"},
		"no busy_timeout": {strings.Replace(documented, "busy_timeout(2000)", "busy_timeout(0)", 1), "busy_timeout 0"},
		"no WAL":          {strings.Replace(documented, "WAL", "TRUNCATE", 1), "journal_mode truncate"},
		"no foreign keys": {strings.Replace(documented, "foreign_keys(1)", "foreign_keys(0)", 1), "foreign_keys 0"},
		"commits lost":    {strings.Replace(documented, "FULL", "NORMAL", 1), "synchronous 1"},
		"times in seconds": {
			documented + "&_inttotime=1&_time_integer_format=unix", "does not read a time as it was written",
		},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, newPool(t, test.query), test.want)
		})
	}
	t.Run("set for one connection", func(t *testing.T) {
		db := newPool(t, strings.Replace(documented, "&_pragma=foreign_keys(1)", "", 1))
		if _, err := db.ExecContext(t.Context(), "PRAGMA foreign_keys = 1"); err != nil {
			t.Fatal(err)
		}
		refused(t, db, "foreign_keys 0")
	})
}

func refused(t *testing.T, db *sql.DB, want string) {
	t.Helper()
	_, err := sqlite.New(t.Context(), db, sqlite.Options{})
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("New: %v, want it to say %q", err, want)
	}
	var tables int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_master").Scan(&tables); tables != 0 || err != nil {
		t.Errorf("%d tables after a refusal, %v, want none", tables, err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TEMP TABLE stepkey_check (x)"); err != nil {
		t.Errorf("the check has left something behind: %v", err)
	}
}

// Another connection writes to a file that is not in WAL mode yet, as an instance does that
// was started at the same moment.
func TestOpenWaitsForWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stepkey.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		store, err := sqlite.Open(context.Background(), path, sqlite.Options{Timeout: patience.Long})
		if err == nil {
			err = store.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("Open: %v, want it to wait", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("Open: %v", err)
	}
}

func TestCloseLeavesThePoolOpen(t *testing.T) {
	db := newPool(t, patient)
	store, err := sqlite.New(t.Context(), db, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("the pool after Close: %v", err)
	}
	if n := db.Stats().InUse; n != 0 {
		t.Errorf("%d connections in use after Close, want none", n)
	}
}

// An application writes to its own tables meanwhile. Neither is told that the database is
// locked, and no connection is lost.
func TestApplicationWritesToo(t *testing.T) {
	db := newPool(t, patient)
	store := open(t, db, nil)
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE orders (id INTEGER PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	const each = 50
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range each {
				if _, err := db.ExecContext(context.WithoutCancel(t.Context()), "INSERT INTO orders DEFAULT VALUES"); err != nil {
					t.Error(err)
				}
			}
		})
		writers.Go(func() {
			for range each {
				err := store.InTx(t.Context(), func(tx storage.Tx) error {
					_, err := tx.PinSetting(t.Context(), "a", "b")
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	var orders int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM orders").Scan(&orders); orders != 4*each || err != nil {
		t.Errorf("%d orders, %v, want %d", orders, err, 4*each)
	}
	if n := db.Stats().InUse; n != 0 {
		t.Errorf("%d connections in use, want none", n)
	}
}

// A transaction that fails or panics is over: its connection comes back without it, and others write.
func TestTransactionThatFails(t *testing.T) {
	db := newPool(t, patient)
	store := open(t, db, nil)
	failed := errors.New("failed")
	err := store.InTx(t.Context(), func(tx storage.Tx) error {
		_, err := tx.PinSetting(t.Context(), "a", "first")
		return errors.Join(err, failed)
	})
	if !errors.Is(err, failed) {
		t.Errorf("InTx: %v, want the error of the function", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = store.InTx(t.Context(), func(tx storage.Tx) error {
			_, _ = tx.PinSetting(t.Context(), "a", "second")
			panic("of the caller")
		})
	}()
	err = store.InTx(t.Context(), func(tx storage.Tx) error {
		value, err := tx.PinSetting(t.Context(), "a", "third")
		if value != "third" {
			t.Errorf("the value is %q, want that of no failed transaction", value)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if n := db.Stats().InUse; n != 0 {
		t.Errorf("%d connections in use, want none", n)
	}
}

// A writer of the application that takes too long is the database's fault.
func TestWriterThatKeepsTheLock(t *testing.T) {
	db := newPool(t, strings.Replace(documented, "2000", "50", 1))
	store := open(t, db, nil)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	err = store.InTx(t.Context(), func(storage.Tx) error { return nil })
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("InTx: %v, want ErrUnavailable", err)
	}
	if _, err := sqlite.New(t.Context(), db, sqlite.Options{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("New: %v, want ErrUnavailable", err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := store.InTx(t.Context(), func(storage.Tx) error { return nil }); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
