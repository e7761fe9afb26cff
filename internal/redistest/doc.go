// Package redistest runs a real Redis, or Valkey, for tests.
//
//	func TestSomething(t *testing.T) {
//		server := redistest.New(t, redistest.Options{})
//		store, err := redisstore.Open(t.Context(), server.URL(), redisstore.Options{})
//		...
//	}
//
// A server starts in some 50 ms, so that each test can have one of its own and
// break it: [Server.Kill], [Server.Restart], [Server.Pause]. Programs use [Start].
//
// The server program, redis-server or valkey-server, is found in PATH. Where it is
// missing, tests are skipped with the name of the package to install, but fail when
// the environment has CI=true: there a missing part must not pass for a tested one.
//
// The server listens on no port, only on a Unix socket in a directory that nobody
// else can enter, and keeps nothing on disk unless told to. A watchdog process ends
// it and removes its files when the test process dies without doing so, even by
// SIGKILL.
package redistest
