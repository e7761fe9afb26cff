package redistest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// ErrNotInstalled is returned by [Start] on a machine without a server program. Its
// text names the package to install.
var ErrNotInstalled = errors.New("neither redis-server nor valkey-server is in PATH:" +
	" install the package redis-server (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis)")

// New starts a server that is stopped when the test ends. If the test fails, it
// also logs what the server said.
func New(tb testing.TB, opts Options) *Server {
	tb.Helper()
	server, err := Start(tb.Context(), opts)
	if err != nil {
		refuse(tb, err, os.Getenv("CI"))
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("Redis's log:\n%s", server.log())
		}
		if err := server.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return server
}

// refuse ends a test that has no server because of err.
func refuse(tb testing.TB, err error, ci string) {
	tb.Helper()
	if errors.Is(err, ErrNotInstalled) && ci != "true" {
		tb.Skip(err)
	}
	tb.Fatal(err)
}

func findProgram() (string, error) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNotInstalled
}

// maxSocketPath is the number of bytes a Unix socket's path may have on every
// system we care for: 108 with its closing zero on Linux, 104 on macOS and the BSDs.
const maxSocketPath = 103

const socketName = "redis.sock"

// makeDir makes the directory of one server below the first of bases that leaves
// room for the path of a socket.
func makeDir(bases ...string) (string, error) {
	var refusals []error
	for _, base := range bases {
		dir, err := os.MkdirTemp(base, "stepkey-redis-") // mode 0700: no other user gets to the socket
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		if n := len(filepath.Join(dir, socketName)); n > maxSocketPath {
			refusals = append(refusals, fmt.Errorf("%s: %d bytes are too long for a Unix socket", dir, n), os.Remove(dir))
			continue
		}
		return dir, nil
	}
	return "", fmt.Errorf("redistest: no directory for a server: %w", errors.Join(refusals...))
}
