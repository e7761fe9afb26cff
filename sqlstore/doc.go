// Package sqlstore stores Stepkey's data in SQLite or PostgreSQL. The packages
// sqlstore/sqlite and sqlstore/postgres open a [Store], by name or on the caller's own
// pool. This package imports neither of them and no driver.
//
// A Store is a storage.Store, a storage.Challenges and a storage.Limiter. Opening it
// first migrates the schema; several instances may do so at once. Its tables are
// separate from those of an application in the same database; see Options.Schema.
//
// Both databases run the same statements, written by hand in the common subset of their
// SQL. The necessary differences are all in internal/engine/dialect.go. If something
// may happen only once, one conditional statement decides it, never a read followed by
// a write.
//
// # Time
//
// No statement reads the database's clock. [Store.Now] is the only clock: with
// PostgreSQL it follows the database server's clock, so that instances agree
// even if their own clocks differ; with SQLite it is the process's own clock.
//
// # Bounds
//
// Every operation ends within Options.Timeout. An operation that takes too long, or
// fails for lack of a connection, disk space or a server, returns
// storage.ErrUnavailable.
package sqlstore
