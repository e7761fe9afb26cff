package api_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
)

// server is a running Stepkey.
type server struct {
	origin string // also where it is reached
	port   string

	environment []string
	command     *exec.Cmd
	log         lockedBuffer
	killed      bool
}

// start runs the binary with settings added to the ones that every test needs,
// until the test ends. It then has to stop by itself when told to, and its log
// must hold nothing secret. There are no limits, which limits_test.go turns on.
func start(t *testing.T, settings ...string) *server {
	t.Helper()
	s := &server{port: freePort(t)}
	s.origin = "http://localhost:" + s.port
	s.environment = append([]string{
		"PORT=" + s.port, "RP_ORIGIN=" + s.origin, "STEPKEY_DATA=" + t.TempDir(), "STEPKEY_LIMITS=off",
	}, append(patience.Settings(), settings...)...)
	s.command = exec.Command(serverPath, "serve")
	s.command.Dir = t.TempDir()
	s.command.Env = s.environment
	s.command.Stderr = &s.log
	stdout, err := s.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.Contains(line, "ready") {
		t.Fatalf("the server did not get ready: %q, %v\n%s", line, err, s.log.String())
	}
	return s
}

// kill ends the server as a crash does: it gets to do nothing more.
func (s *server) kill(t *testing.T) {
	t.Helper()
	if err := s.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.command.Wait() // says that it was killed
	s.killed = true
}

// admin runs a command of the binary beside the server, with its settings.
func (s *server) admin(t *testing.T, arguments ...string) {
	t.Helper()
	command := exec.Command(serverPath, arguments...)
	command.Dir, command.Env = t.TempDir(), s.environment
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("stepkey %s: %v: %s", strings.Join(arguments, " "), err, output)
	}
}

func (s *server) stop(t *testing.T) {
	if !s.killed {
		s.terminate(t)
	}
	text := s.log.String()
	for _, secret := range []string{testPassword, "eyJ", "Bearer ", "rt1.", "rt2."} {
		if strings.Contains(text, secret) {
			t.Errorf("the server's log holds %q", secret)
		}
	}
	if strings.Contains(text, "panic") {
		t.Errorf("the server panicked:\n%s", text)
	}
	if t.Failed() {
		t.Logf("the end of the server's log:\n%s", text[max(0, len(text)-4000):])
	}
}

func (s *server) terminate(t *testing.T) {
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("stop the server: %v", err)
	}
	ended := time.AfterFunc(patience.Long, func() { _ = s.command.Process.Kill() })
	defer ended.Stop()
	if err := s.command.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// backends are the databases that every suite runs on.
var backends = []struct {
	name     string
	settings func(testing.TB) []string
}{
	{"SQLite", func(testing.TB) []string { return nil }},
	{"PostgreSQL", func(tb testing.TB) []string { return []string{"DATABASE_URL=" + pgtest.NewDatabase(tb)} }},
}

// onEachDatabase runs test against a server of its own for each database.
func onEachDatabase(t *testing.T, test func(*testing.T, *server)) {
	for _, backend := range backends {
		t.Run(backend.name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t, backend.settings(t)...))
		})
	}
}

// lockedBuffer keeps what a process writes while others read it.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

var _ io.Writer = (*lockedBuffer)(nil)

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

// String returns what was written so far.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
