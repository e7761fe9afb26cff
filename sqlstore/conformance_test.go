package sqlstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

// conformance runs a suite on every kind of database that a store may have. Each call of
// empty gives a place without tables. With PostgreSQL that is a new schema in one database,
// which takes a fraction of the time of a new database; through PgBouncer each has a name of
// its own.
func conformance(t *testing.T, suite func(t *testing.T, empty func(*testing.T) place)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		suite(t, func(t *testing.T) place { return place{sqlite(t), sqlstore.DefaultSchema} })
	})
	t.Run("sqlite with another prefix", func(t *testing.T) {
		t.Parallel()
		suite(t, func(t *testing.T) place { return place{sqlite(t), newSchema()} })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		d := database{pgtest.NewDatabase(t)}
		suite(t, func(t *testing.T) place {
			exec(t, d, `DROP SCHEMA IF EXISTS `+sqlstore.DefaultSchema+` CASCADE`)
			return place{d, sqlstore.DefaultSchema}
		})
	})
	throughPgBouncer(t, func(t *testing.T, through func(database) database) {
		d := through(database{pgtest.NewDatabase(t)})
		suite(t, func(*testing.T) place { return place{d, newSchema()} })
	})
}

// place is where a store keeps its tables.
type place struct {
	database
	schema string
}

func (p place) open(t *testing.T, clock func() time.Time) *sqlstore.Store {
	t.Helper()
	store, err := storeurl.Open(t.Context(), p.url, sqlstore.Options{Clock: clock, Schema: p.schema, Timeout: patience.Long})
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

// newSchema is a name not given out before.
func newSchema() string { return "s_" + strings.ReplaceAll(uuid.NewString(), "-", "") }

func TestStore(t *testing.T) {
	conformance(t, func(t *testing.T, empty func(*testing.T) place) {
		storetest.TestStore(t, func(t *testing.T) storage.Store { return empty(t).open(t, nil) })
	})
}

func TestChallenges(t *testing.T) {
	conformance(t, func(t *testing.T, empty func(*testing.T) place) {
		storetest.TestChallenges(t, func(t *testing.T) (storage.Challenges, storetest.Time) {
			clock := storetest.NewClock()
			return empty(t).open(t, clock.Now), clock.Time()
		})
	})
}

func TestAccountChallenges(t *testing.T) {
	conformance(t, func(t *testing.T, empty func(*testing.T) place) {
		storetest.TestAccountChallenges(t, func(t *testing.T) (storetest.AccountStore, storetest.Time) {
			clock := storetest.NewClock()
			return empty(t).open(t, clock.Now), clock.Time()
		})
	})
}

func TestLimiter(t *testing.T) {
	conformance(t, func(t *testing.T, empty func(*testing.T) place) {
		storetest.TestLimiter(t, func(t *testing.T) (one, other storage.Limiter, _ storetest.Time) {
			clock, p := storetest.NewClock(), empty(t)
			return p.open(t, clock.Now), p.open(t, clock.Now), clock.Time()
		})
	})
}
