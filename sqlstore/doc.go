// Package sqlstore keeps what Stepkey knows in SQLite or PostgreSQL. The packages
// sqlstore/sqlite and sqlstore/postgres open a [Store], from a name or on the caller's own
// pool. This package imports neither of them and no driver.
//
// A Store is a storage.Store, a storage.Challenges and a storage.Limiter. Opening it
// brings the schema up to date first; several instances may do so at once. Its tables
// are apart from those of an application in the same database, as Options.Schema says.
//
// Both databases run the same statements, written by hand in the subset that
// they share. Where they must differ, internal/engine/dialect.go says how, and no other
// file knows. Whatever may happen only once is decided by one conditional statement
// and not by reading before writing.
//
// # Time
//
// Nothing here asks the database for the time in a statement. [Store.Now] is the
// one clock: for PostgreSQL it is the database server's, which each instance
// measures and then follows, so that instances agree whatever their own clocks
// say; for SQLite it is the process's own.
//
// # Bounds
//
// Every operation ends within Options.Timeout. What cannot be done in time, or for want
// of a connection, disk space or a server, is storage.ErrUnavailable.
package sqlstore
