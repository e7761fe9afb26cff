// Package pgtest runs a real PostgreSQL for tests.
//
// A test binary that needs PostgreSQL says so once and then asks for databases:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		dsn := pgtest.Clone(t, "schema", migrate) // or pgtest.NewDatabase(t) for an empty one
//		...
//	}
//
// The first call starts one server, private to this test process; every call
// gives a database of its own, so tests may run in parallel and need not clean
// up. Programs, and tests that want to break the server, use [Start] instead.
//
// [NewBouncer] puts a PgBouncer before it.
//
// The server programs initdb and postgres are found in PATH, else as the newest
// version below /usr/lib/postgresql. Where they are missing, tests are skipped
// with the name of the package to install, but fail when the environment has
// CI=true: there a missing part must not pass for a tested one.
//
// PostgreSQL refuses to run as root, so root runs it as the user postgres, or as
// nobody where there is no such user. It listens on no port, only on a Unix
// socket in a directory that its user and root alone can enter; that is why
// passwordless ("trust") authentication is enough. A watchdog process ends the
// server and removes its files when the test process dies without doing so,
// even by SIGKILL.
package pgtest
