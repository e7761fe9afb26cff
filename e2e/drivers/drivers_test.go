package drivers

import (
	"database/sql"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	_ "github.com/glebarez/go-sqlite"        // registers "sqlite"
	_ "github.com/ncruces/go-sqlite3/driver" // registers "sqlite3"

	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/sqlstore/sqlite"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

const (
	settings = "?_pragma=busy_timeout(120000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)"
	patience = 2 * time.Minute
)

// packages are those of the drivers, by the name that they register.
var packages = map[string]string{
	"sqlite":  "github.com/glebarez/go-sqlite",
	"sqlite3": "github.com/ncruces/go-sqlite3/driver",
}

// onDrivers runs a test with each driver.
func onDrivers(t *testing.T, test func(t *testing.T, driver string, pool func(*testing.T) *sql.DB)) {
	for driver, path := range packages {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			test(t, driver, func(t *testing.T) *sql.DB {
				t.Helper()
				db, err := sql.Open(driver, "file:"+filepath.Join(t.TempDir(), "app.db")+settings+"&_timefmt=unixepoch_micro")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = db.Close() })
				if found := reflect.TypeOf(db.Driver()).Elem().PkgPath(); found != path {
					t.Fatalf("the driver %s is from %s, want %s", driver, found, path)
				}
				return db
			})
		})
	}
}

func open(t *testing.T, db *sql.DB, clock func() time.Time) *sqlstore.Store {
	t.Helper()
	store, err := sqlite.New(t.Context(), db, sqlite.Options{Clock: clock, Timeout: patience})
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

func TestStore(t *testing.T) {
	onDrivers(t, func(t *testing.T, _ string, pool func(*testing.T) *sql.DB) {
		storetest.TestStore(t, func(t *testing.T) storage.Store { return open(t, pool(t), nil) })
	})
}

func TestChallenges(t *testing.T) {
	onDrivers(t, func(t *testing.T, _ string, pool func(*testing.T) *sql.DB) {
		storetest.TestChallenges(t, func(t *testing.T) (storage.Challenges, storetest.Time) {
			clock := storetest.NewClock()
			return open(t, pool(t), clock.Now), clock.Time()
		})
	})
}

func TestAccountChallenges(t *testing.T) {
	onDrivers(t, func(t *testing.T, _ string, pool func(*testing.T) *sql.DB) {
		storetest.TestAccountChallenges(t, func(t *testing.T) (storetest.AccountStore, storetest.Time) {
			clock := storetest.NewClock()
			return open(t, pool(t), clock.Now), clock.Time()
		})
	})
}

func TestLimiter(t *testing.T) {
	onDrivers(t, func(t *testing.T, _ string, pool func(*testing.T) *sql.DB) {
		storetest.TestLimiter(t, func(t *testing.T) (one, other storage.Limiter, _ storetest.Time) {
			clock, db := storetest.NewClock(), pool(t)
			return open(t, db, clock.Now), open(t, db, clock.Now), clock.Time()
		})
	})
}

// A driver that guesses the unit of a time is refused.
func TestDriverThatGuesses(t *testing.T) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "app.db")+settings)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = sqlite.New(t.Context(), db, sqlite.Options{Timeout: patience})
	if err == nil || !strings.Contains(err.Error(), "0001-01-01 00:00:00 +0000 UTC became") {
		t.Errorf("New: %v, want it to say which time became another", err)
	}
}

// Open takes the driver that is there.
func TestOpen(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "app.db"), sqlite.Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(store.Ping(t.Context()), store.Close()); err != nil {
		t.Error(err)
	}
}

// Each driver tells in its own way that the database is locked.
func TestLocked(t *testing.T) {
	onDrivers(t, func(t *testing.T, driver string, pool func(*testing.T) *sql.DB) {
		db := pool(t)
		db.SetMaxOpenConns(1)
		store := open(t, db, nil)
		if _, err := db.ExecContext(t.Context(), "PRAGMA busy_timeout = 1"); err != nil { // of the only connection
			t.Fatal(err)
		}
		other, err := sql.Open(driver, fileOf(t, db))
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		other.SetMaxOpenConns(1)
		if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
			t.Fatal(err)
		}
		err = store.InTx(t.Context(), func(storage.Tx) error { return nil })
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("InTx: %v, want ErrUnavailable", err)
		}
	})
}

func fileOf(t *testing.T, db *sql.DB) (file string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&file); err != nil {
		t.Fatal(err)
	}
	return "file:" + file
}
