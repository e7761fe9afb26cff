package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/sqlstore"
	onpostgres "github.com/stepkey/stepkey/sqlstore/postgres"
	onsqlite "github.com/stepkey/stepkey/sqlstore/sqlite"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

// enterShop adds an external user of the realm shop, who was there at that time.
func enterShop(t *testing.T, store *sqlstore.Store, key string, at time.Time) uuid.UUID {
	t.Helper()
	id := uuid.New()
	err := store.InTx(t.Context(), func(tx storage.Tx) error {
		_, err := tx.EnterExternal(t.Context(), storage.User{
			ID: id, Handle: id[:], CanonicalName: ":" + id.String(), CreatedAt: at, Realm: "shop", ExternalKey: key,
		}, storage.Session{ID: uuid.New(), PasswordAt: at, LastSeenAt: at, ExpiresAt: at.Add(time.Hour)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// External users who never added anything go a month after their last visit.
func TestSweepDeletesEmptyExternalUsers(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		clock, d := storetest.NewClock(), empty(t)
		store := openKeeping(t, d, clock.Now, 0)
		now := clock.Now().Truncate(time.Microsecond)
		enterShop(t, store, "empty", now)
		id := enterShop(t, store, "with a passkey", now)
		err := store.InTx(t.Context(), func(tx storage.Tx) error {
			return tx.CreatePasskey(t.Context(), storage.Passkey{
				ID: id, UserID: id, CreatedAt: now, Credential: storage.Credential{ID: id[:], PublicKey: []byte{1}},
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		enterShop(t, store, "visited since", now)
		service := addSession(t, store).UserID
		clock.Advance(storage.KeepEmptyExternalUsers - time.Microsecond)
		enterShop(t, store, "visited since", clock.Now().Truncate(time.Microsecond))
		sweepOnce(t, store)
		if n := rowsOf(t, d, "users"); n != 4 {
			t.Errorf("%d users within their time, want 4", n)
		}
		clock.Advance(time.Microsecond)
		sweepOnce(t, store)
		if n := rowsOf(t, d, "users WHERE external_key IS NOT NULL"); n != 2 {
			t.Errorf("%d external users, want 2: the one with a passkey and the one who came back", n)
		}
		if n := rowsOf(t, d, "users WHERE external_key IS NULL"); n != 1 {
			t.Errorf("the service's own user %s is gone", service)
		}
	})
}

// appPool is an application's own pool and a store on it.
func appPool(t *testing.T, kind string) (*sql.DB, *sqlstore.Store) {
	t.Helper()
	driver, dsn := "sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+
		"?_pragma=busy_timeout(120000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)"
	open := onsqlite.New
	if kind == "postgres" {
		driver, dsn, open = "pgx", pgtest.NewDatabase(t), onpostgres.NewDB
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	store, err := open(t.Context(), db, sqlstore.Options{Timeout: patience.Long})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return db, store
}

// A change of Stepkey's tables in a transaction of the application stands and falls with it.
func TestWithinATransactionOfTheApplication(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			db, store := appPool(t, kind)
			if _, err := db.ExecContext(t.Context(), `CREATE TABLE customers (id INTEGER)`); err != nil {
				t.Fatal(err)
			}
			mira := storage.ExternalUser{Realm: "shop", Key: "mira"}
			enterShop(t, store, mira.Key, time.Now())
			forget := func(end func(*sql.Tx) error) {
				t.Helper()
				tx, err := db.BeginTx(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				_, inserted := tx.ExecContext(t.Context(), `INSERT INTO customers VALUES (1)`)
				forgotten := store.Within(t.Context(), tx, func(tx storage.Tx) error { return tx.ForgetExternal(t.Context(), mira) })
				if err := errors.Join(inserted, forgotten, end(tx)); err != nil {
					t.Fatal(err)
				}
			}
			known := func() error {
				_, err := store.Standing(context.Background(), mira, uuid.Nil, time.Now())
				return err
			}
			forget((*sql.Tx).Rollback)
			if err := known(); err != nil {
				t.Errorf("after a rollback: %v, want the user", err)
			}
			forget((*sql.Tx).Commit)
			if err := known(); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("after a commit: %v, want ErrNotFound", err)
			}
			var n int
			if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM customers`).Scan(&n); n != 1 || err != nil {
				t.Errorf("%d rows of the application, %v; want 1", n, err)
			}
			err := store.Within(t.Context(), begun(t, db), func(tx storage.Tx) error {
				_, err := tx.LockUser(t.Context(), uuid.New())
				return err
			})
			if !errors.Is(err, storage.ErrNotFound) || strings.Contains(err.Error(), "sql:") {
				t.Errorf("an error within: %v, want ErrNotFound", err)
			}
		})
	}
}

func begun(t *testing.T, db *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}
