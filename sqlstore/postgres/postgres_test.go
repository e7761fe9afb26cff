package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/sqlstore/postgres"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

type opener = func(context.Context, postgres.Options) (*sqlstore.Store, error)

// onPools runs a test on each kind of pool that a caller may have. The test opens stores by
// the function that it gets, and asks with the other one how many connections are in use.
func onPools(t *testing.T, test func(t *testing.T, open opener, inUse func() int)) {
	t.Run("pgxpool", func(t *testing.T) {
		t.Parallel()
		pool, err := pgxpool.New(t.Context(), pgtest.NewDatabase(t)+"&pool_max_conns=16")
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		test(t, func(ctx context.Context, options postgres.Options) (*sqlstore.Store, error) {
			return postgres.New(ctx, pool, options)
		}, func() int {
			if err := pool.Ping(context.Background()); err != nil {
				t.Error(err)
			}
			return int(pool.Stat().AcquiredConns())
		})
	})
	t.Run("database/sql", func(t *testing.T) {
		t.Parallel()
		db, err := sql.Open("pgx", pgtest.NewDatabase(t))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(16)
		test(t, func(ctx context.Context, options postgres.Options) (*sqlstore.Store, error) {
			return postgres.NewDB(ctx, db, options)
		}, func() int {
			if err := db.PingContext(context.Background()); err != nil {
				t.Error(err)
			}
			return db.Stats().InUse
		})
	})
}

func TestStoreOnPool(t *testing.T) {
	onPools(t, func(t *testing.T, openStore opener, _ func() int) {
		open := func(t *testing.T, schema string, clock func() time.Time) *sqlstore.Store {
			t.Helper()
			store, err := openStore(t.Context(), postgres.Options{Schema: schema, Clock: clock, Timeout: patience.Long})
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
		t.Run("store", func(t *testing.T) {
			storetest.TestStore(t, func(t *testing.T) storage.Store { return open(t, newSchema(), nil) })
		})
		t.Run("challenges", func(t *testing.T) {
			storetest.TestChallenges(t, func(t *testing.T) (storage.Challenges, storetest.Time) {
				clock := storetest.NewClock()
				return open(t, newSchema(), clock.Now), clock.Time()
			})
		})
		t.Run("challenges with accounts", func(t *testing.T) {
			storetest.TestAccountChallenges(t, func(t *testing.T) (storetest.AccountStore, storetest.Time) {
				clock := storetest.NewClock()
				return open(t, newSchema(), clock.Now), clock.Time()
			})
		})
		t.Run("limiter", func(t *testing.T) {
			storetest.TestLimiter(t, func(t *testing.T) (one, other storage.Limiter, _ storetest.Time) {
				clock, schema := storetest.NewClock(), newSchema()
				return open(t, schema, clock.Now), open(t, schema, clock.Now), clock.Time()
			})
		})
	})
}

// newSchema is a name not given out before.
func newSchema() string { return "s_" + strings.ReplaceAll(uuid.NewString(), "-", "") }

func TestCloseLeavesThePoolOpen(t *testing.T) {
	onPools(t, func(t *testing.T, open opener, inUse func() int) {
		store, err := open(t.Context(), postgres.Options{Timeout: patience.Long})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		if n := inUse(); n != 0 {
			t.Errorf("%d connections in use after Close, want none", n)
		}
	})
}

// A transaction that takes too long between its statements stores nothing and keeps no connection.
func TestDeadlineInTransaction(t *testing.T) {
	onPools(t, func(t *testing.T, open opener, inUse func() int) {
		stored, err := open(t.Context(), postgres.Options{Timeout: patience.Long})
		if err != nil {
			t.Fatal(err)
		}
		defer stored.Close()
		const timeout = 2 * time.Second
		store, err := open(t.Context(), postgres.Options{Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		for name, test := range map[string]struct{ returned, want error }{
			"commit":   {nil, storage.ErrUnavailable},
			"rollback": {storage.ErrUsernameTaken, storage.ErrUsernameTaken},
		} {
			err := store.InTx(t.Context(), func(tx storage.Tx) error {
				if _, err := tx.PinSetting(t.Context(), name, "value"); err != nil {
					return err
				}
				time.Sleep(timeout)
				return test.returned
			})
			if !errors.Is(err, test.want) || errors.Is(err, storage.ErrUnavailable) != (test.returned == nil) {
				t.Errorf("%s: %v, want %v", name, err, test.want)
			}
			for n, end := inUse(), time.Now().Add(patience.Long); n != 0; n = inUse() { // closing one takes a moment
				if time.Now().After(end) {
					t.Fatalf("%s: %d connections in use, want none", name, n)
				}
				time.Sleep(time.Millisecond)
			}
			err = stored.InTx(t.Context(), func(tx storage.Tx) error {
				if value, err := tx.PinSetting(t.Context(), name, "other"); value != "other" || err != nil {
					t.Errorf("%s: the setting is %q, %v, want it not to be stored", name, value, err)
				}
				return storage.ErrNotFound
			})
			if !errors.Is(err, storage.ErrNotFound) {
				t.Error(err)
			}
		}
	})
}

// A pool whose server cannot be reached is the database's fault.
func TestUnreachable(t *testing.T) {
	const url = "postgres://stepkey@127.0.0.1:1/stepkey"
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, byURL := postgres.Open(t.Context(), url, postgres.Options{})
	_, onPool := postgres.New(t.Context(), pool, postgres.Options{})
	_, onDB := postgres.NewDB(t.Context(), db, postgres.Options{})
	for name, err := range map[string]error{"Open": byURL, "New": onPool, "NewDB": onDB} {
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}
