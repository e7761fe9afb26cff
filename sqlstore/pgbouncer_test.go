package sqlstore_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	pgstore "github.com/stepkey/stepkey/sqlstore/postgres"
)

// throughPgBouncer runs a test behind a PgBouncer with the settings it comes with, in each
// pool mode. The test gets the way through it to a database.
func throughPgBouncer(t *testing.T, test func(t *testing.T, through func(database) database)) {
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			bouncer := pgtest.NewBouncer(t, mode)
			test(t, func(d database) database { return database{bouncer.DSN(d.url)} })
		})
	}
}

// startAtOnce opens a database with several instances at once.
func startAtOnce(t *testing.T, d database) {
	t.Helper()
	var instances sync.WaitGroup
	for range 5 {
		instances.Go(func() {
			store, err := storeurl.Open(context.Background(), d.url, sqlstore.Options{Timeout: patience.Long})
			if err == nil {
				err = store.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	instances.Wait()
}

func TestInstancesMigrateAtOnce(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, database){
		"new":   func(*testing.T, database) {},
		"moved": func(t *testing.T, d database) { addGooseUser(t, makeGooseLayout(t, d, 9)) },
	} {
		t.Run(name, func(t *testing.T) {
			onBothEmpty(t, func(t *testing.T, d database) {
				prepare(t, d)
				startAtOnce(t, d)
			})
			throughPgBouncer(t, func(t *testing.T, through func(database) database) {
				d := database{pgtest.NewDatabase(t)}
				prepare(t, d)
				startAtOnce(t, through(d))
			})
		})
	}
}

// An instance waits for another one that migrates, however long that takes.
func TestMigrationWaitsForAnother(t *testing.T) {
	throughPgBouncer(t, func(t *testing.T, through func(database) database) {
		d := postgres(t)
		tx, err := d.plain(t).BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.ExecContext(t.Context(), sqlstore.MigrationLock); err != nil {
			t.Fatal(err)
		}
		opened := make(chan error, 1)
		go func() { opened <- through(d).openErr(t, sqlstore.Options{Timeout: sqlstore.Timeout}) }()
		waits := `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
		for n := "0"; n == "0"; n = texts(t, d.plain(t), waits)[0] {
			time.Sleep(10 * time.Millisecond)
		}
		select { // longer than any other statement may take
		case err := <-opened:
			t.Fatalf("Open: %v, want it to wait", err)
		case <-time.After(sqlstore.Timeout + 500*time.Millisecond):
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if err := <-opened; err != nil {
			t.Errorf("Open: %v", err)
		}
	})
}

// The bounds hold in a transaction, and nobody who gets the connection later has them.
func TestBoundsOfTransactions(t *testing.T) {
	const query = `SELECT current_setting('statement_timeout') || ' ' || current_setting('idle_in_transaction_session_timeout')`
	check := func(t *testing.T, store *sqlstore.Store, other *sql.DB) {
		t.Helper()
		if bounds, err := sqlstore.InTx(t.Context(), store, query); bounds != "2min 2min" || err != nil {
			t.Errorf("in a transaction: %q, %v, want %q", bounds, err, "2min 2min")
		}
		if bounds := texts(t, other, query)[0]; bounds != "0 0" {
			t.Errorf("outside of it: %q, want %q", bounds, "0 0")
		}
	}
	d := postgres(t)
	check(t, open(t, d.url, nil), d.plain(t))
	for name, open := range onPools(t, d.url) {
		t.Run(name, func(t *testing.T) {
			store, db := open(t)
			check(t, store, db)
		})
	}
	throughPgBouncer(t, func(t *testing.T, through func(database) database) {
		d := through(d)
		other := database{d.url + "&default_query_exec_mode=simple_protocol"}
		check(t, open(t, d.url, nil), other.plain(t))
	})
}

// onPools returns functions that open a store on one connection of the caller's, and a way
// to use that connection meanwhile.
func onPools(t *testing.T, url string) map[string]func(*testing.T) (*sqlstore.Store, *sql.DB) {
	options := sqlstore.Options{Clock: time.Now, Timeout: patience.Long}
	return map[string]func(*testing.T) (*sqlstore.Store, *sql.DB){
		"pgxpool": func(t *testing.T) (*sqlstore.Store, *sql.DB) {
			pool, err := pgxpool.New(t.Context(), url+"&pool_max_conns=1")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			store, err := pgstore.New(t.Context(), pool, options)
			if err != nil {
				t.Fatal(err)
			}
			return store, stdlib.OpenDBFromPool(pool)
		},
		"database/sql": func(t *testing.T) (*sqlstore.Store, *sql.DB) {
			db := database{url}.plain(t)
			db.SetMaxOpenConns(1)
			store, err := pgstore.NewDB(t.Context(), db, options)
			if err != nil {
				t.Fatal(err)
			}
			return store, db
		},
	}
}

// Statements are prepared by name where that works, which is cheaper for the server, and
// nowhere else.
func TestQueryMode(t *testing.T) {
	prepared := func(t *testing.T, d database) string {
		t.Helper()
		n, err := sqlstore.InTx(t.Context(), open(t, d.url, nil), `SELECT count(*)::text FROM pg_prepared_statements`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	d := postgres(t)
	if n := prepared(t, d); n == "0" {
		t.Error("directly: no statement is prepared by name")
	}
	throughPgBouncer(t, func(t *testing.T, through func(database) database) {
		if n := prepared(t, through(d)); n != "0" {
			t.Errorf("%s statements are prepared by name, want none", n)
		}
	})
}

func TestParameterThatPgBouncerRefuses(t *testing.T) {
	throughPgBouncer(t, func(t *testing.T, through func(database) database) {
		err := database{through(postgres(t)).url + "&statement_timeout=2000"}.openErr(t, sqlstore.Options{})
		if err == nil || !strings.Contains(err.Error(), "statement_timeout") || !strings.Contains(err.Error(), "remove that parameter from the database URL") {
			t.Errorf("Open: %v, want the parameter and what to do", err)
		}
	})
}
