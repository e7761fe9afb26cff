// Package sqlite opens a sqlstore.Store in SQLite.
//
//	import _ "modernc.org/sqlite"
//
//	store, err := sqlite.Open(ctx, "app.db", sqlite.Options{})
//	store, err := sqlite.New(ctx, db, sqlite.Options{}) // db is the application's own *sql.DB
//
// # Drivers
//
// This package imports no driver; the program chooses one by its import. Two drivers
// register the name "sqlite" with database/sql, and a program with both does not start.
// modernc.org/sqlite is the driver of the service itself. The tests also run
// github.com/glebarez/go-sqlite and github.com/ncruces/go-sqlite3.
// github.com/mattn/go-sqlite3 does not work: it reads microseconds as milliseconds, which
// [Open] and [New] notice and refuse.
//
// # The caller's own pool
//
// Every connection of the pool passed to [New] needs these settings. Put them in the
// data source name; a PRAGMA run on the pool only affects one connection.
//
//	journal_mode  WAL, so that readers and the writer do not wait for each other
//	foreign_keys  on, because what belongs to a user is deleted with the user
//	synchronous   FULL or EXTRA: NORMAL may lose the last commits in a power cut, and with
//	              them that a challenge was used up
//	busy_timeout  above 0 and at most Options.Timeout: how long writers wait for each other
//
// With modernc.org/sqlite:
//
//	file:app.db?_pragma=busy_timeout(2000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)
//
// and the same with github.com/glebarez/go-sqlite. github.com/ncruces/go-sqlite3 also needs
// &_timefmt=unixepoch_micro, or it guesses the unit of a time.
//
// The driver's other conventions for times and transactions do not matter: the store binds times as
// integers, and begins its transactions with BEGIN IMMEDIATE. It keeps statements outside of
// transactions prepared on the pool's connections until it is closed. One connection is enough, but
// then every read waits for every write. The caller creates the file and decides which users of the
// machine may read it.
package sqlite
