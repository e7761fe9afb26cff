package stepup

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/sqlstore/postgres"
	"github.com/stepkey/stepkey/sqlstore/sqlite"
	"github.com/stepkey/stepkey/storage"
)

// openStore opens a store on the application's pool, by what kind of database is behind it.
func openStore(ctx context.Context, db *sql.DB, schema string, clock func() time.Time) (*sqlstore.Store, error) {
	options := sqlstore.Options{Schema: schema, Clock: clock}
	var version string
	// SQLite has no such function. PostgreSQL is asked first: it would log a function that it lacks as an error.
	if err := db.QueryRowContext(ctx, `SELECT version()`).Scan(&version); err == nil {
		return postgres.NewDB(ctx, db, options)
	}
	if err := db.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
		return nil, fmt.Errorf("stepup: Config.DB cannot be reached: %w", err)
	}
	return sqlite.New(ctx, db, options)
}

// within runs fn in the application's transaction, or with nil if there is none.
func (k *Kit) within(ctx context.Context, tx *sql.Tx, fn func(storage.Tx) error) error {
	if tx == nil {
		return fn(nil)
	}
	return k.store.Within(ctx, tx, fn)
}

// EndProofs ends all proofs of a user, and verifications under way, for example after the
// application changed the password. It runs in the application's transaction tx, or in one of its
// own if tx is nil. An unknown user is no error. Until tx is committed, a proof can still be read
// into memory and works for Config.Staleness after that.
//
// In SQLite a transaction that reads before its first write fails with "database is locked" if
// somebody else wrote in between, however long the busy timeout is. Begin it with BEGIN IMMEDIATE
// (_txlock=immediate in the DSN of modernc.org/sqlite and mattn/go-sqlite3), or call EndProofs as
// its first statement; otherwise roll it back and begin again.
func (k *Kit) EndProofs(ctx context.Context, tx *sql.Tx, user string) error {
	defer k.proofs.forget(user)
	return k.within(ctx, tx, func(t storage.Tx) error { return k.realm.EndProofs(ctx, t, user) })
}

// Forget deletes everything about a user, in the application's transaction tx, or in one of its
// own if tx is nil. Call it with the transaction that deletes the user: a key that is given to
// somebody else later is then a new user. An unknown user is no error. For SQLite, see
// [Kit.EndProofs].
func (k *Kit) Forget(ctx context.Context, tx *sql.Tx, user string) error {
	defer k.proofs.forget(user)
	return k.within(ctx, tx, func(t storage.Tx) error { return k.realm.Forget(ctx, t, user) })
}

// Allow lets a user who has lost all passkeys, and whom the application's support has recognised,
// add one until then, with a password that is at most 10 minutes old. The passkey works a day
// later. The zero time takes the allowance back. At most 7 days are allowed.
func (k *Kit) Allow(ctx context.Context, user string, until time.Time) error {
	return k.realm.Allow(ctx, user, until)
}
