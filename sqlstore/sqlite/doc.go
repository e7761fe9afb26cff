// Package sqlite opens a sqlstore.Store in SQLite.
//
//	import _ "modernc.org/sqlite"
//
//	store, err := sqlite.Open(ctx, "app.db", sqlite.Options{})
//	store, err := sqlite.New(ctx, db, sqlite.Options{}) // db is the application's own *sql.DB
//
// # Drivers
//
// This package imports no driver. Two of them register the name "sqlite" with database/sql,
// and a program with both does not start: which one there is, the program chooses by its
// import. modernc.org/sqlite is the driver of the service itself. The tests also run
// github.com/glebarez/go-sqlite and github.com/ncruces/go-sqlite3.
// github.com/mattn/go-sqlite3 does not work: it reads microseconds as milliseconds, which
// [Open] and [New] notice and refuse.
//
// # The caller's own pool
//
// Every connection of the pool of [New] needs these settings. They belong in the data
// source name; a PRAGMA run on the pool sets one connection only.
//
//	journal_mode  WAL, so that readers and the writer do not wait for each other
//	foreign_keys  on, because what belongs to a user is deleted with the user
//	synchronous   FULL or EXTRA: NORMAL may lose the last commits in a power cut, and with
//	              them that a challenge was used up
//	busy_timeout  above 0 and at most Options.Timeout: how long writers wait for each other
//
// With modernc.org/sqlite that is
//
//	file:app.db?_pragma=busy_timeout(2000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)
//
// and the same with github.com/glebarez/go-sqlite. github.com/ncruces/go-sqlite3 also needs
// &_timefmt=unixepoch_micro, or it guesses the unit of a time.
//
// How else the driver writes times and starts transactions does not matter: the store binds
// times as integers, and begins its transactions with BEGIN IMMEDIATE. One connection is enough, but
// then every read waits for every write. The file belongs to the caller, who also decides
// which users of the machine may read it.
package sqlite
