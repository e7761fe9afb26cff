package faults_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

// build compiles the service. More arguments go to go build.
func build(to string, arguments ...string) error {
	command := exec.Command("go", append(append([]string{"build"}, arguments...), "-o", to, "./cmd/stepkey")...)
	command.Dir = filepath.Join("..", "..")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build the service: %w\n%s", err, output)
	}
	return nil
}

// server is a running Stepkey.
type server struct {
	url     string
	program string
	env     []string
	dir     string

	mu      sync.Mutex
	log     bytes.Buffer
	process *exec.Cmd
	exited  chan struct{}
	ended   error
}

// Write takes what the process says.
func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *server) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// deadlines are the service's own defaults, for the rows that are about them. All
// other rows have deadlines that no load reaches in the short form, which also runs on
// busy machines.
var deadlines = []string{
	"STEPKEY_DB_TIMEOUT=2s", "STEPKEY_REDIS_TIMEOUT=250ms", "STEPKEY_REQUEST_TIMEOUT=5s", "STEPKEY_HASH_WAIT=1.5s",
}

// prepare describes an instance with settings of its own on top of those that every
// row needs, without starting it. The setting PROGRAM names another binary.
func prepare(t testing.TB, settings ...string) *server {
	t.Helper()
	port := freePort(t)
	s := &server{url: "http://localhost:" + port, program: programs.plain, dir: t.TempDir()}
	s.env = []string{
		"PORT=" + port, "RP_ORIGIN=" + s.url, "STEPKEY_DATA=" + s.dir, "STEPKEY_LIMITS=off", "STEPKEY_LOG_FORMAT=json",
	}
	if !*long {
		s.env = append(s.env, patience.Settings()...)
	}
	for _, setting := range settings {
		if program, ok := strings.CutPrefix(setting, "PROGRAM="); ok {
			s.program = program
			continue
		}
		s.env = append(s.env, setting)
	}
	t.Cleanup(func() {
		if s.running() {
			s.stop(t)
		}
		said := s.said()
		if at := strings.Index(said, "goroutine "); at >= 0 {
			t.Errorf("the service panicked:\n%s", said[max(0, at-1000):min(len(said), at+2000)])
		}
		if t.Failed() {
			t.Logf("%s said in the end:\n%s", s.url, tail(said))
		}
	})
	return s
}

func tail(text string) string { return text[max(0, len(text)-3000):] }

// start runs an instance until the test ends and waits until it is ready.
func start(t testing.TB, settings ...string) *server {
	t.Helper()
	s := prepare(t, settings...)
	s.start(t)
	return s
}

func (s *server) start(t testing.TB) {
	t.Helper()
	s.launch(t)
	s.awaitReady(t)
}

// launch starts the process and does not wait for it.
func (s *server) launch(t testing.TB) {
	t.Helper()
	process, exited := exec.Command(s.program, "serve"), make(chan struct{})
	process.Dir, process.Env = s.dir, s.env
	process.Stdout, process.Stderr = s, s
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.process, s.exited, s.ended = process, exited, nil
	s.mu.Unlock()
	go func() {
		err := process.Wait()
		s.mu.Lock()
		s.ended = err
		s.mu.Unlock()
		close(exited)
	}()
}

func (s *server) awaitReady(t testing.TB) {
	t.Helper()
	for until := time.Now().Add(patience.Long); ; time.Sleep(10 * time.Millisecond) {
		if response, err := http.Get(s.url + "/readyz"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		if !s.running() || time.Now().After(until) {
			t.Fatalf("%s does not get ready:\n%s", s.url, tail(s.said()))
		}
	}
}

func (s *server) running() bool {
	s.mu.Lock()
	exited := s.exited
	s.mu.Unlock()
	if exited == nil {
		return false
	}
	select {
	case <-exited:
		return false
	default:
		return true
	}
}

// kill ends the process as a crash does.
func (s *server) kill(t testing.TB) {
	t.Helper()
	if err := s.process.Process.Kill(); err != nil {
		t.Error(err)
	}
	<-s.exited
}

// stop tells the process to end, waits for it and returns how long that took.
func (s *server) stop(t testing.TB) time.Duration {
	t.Helper()
	began := time.Now()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	select {
	case <-s.exited:
	case <-time.After(patience.Long):
		t.Errorf("%s does not stop", s.url)
		s.kill(t)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		t.Errorf("%s ended with %v", s.url, s.ended)
	}
	return time.Since(began)
}

// command runs another command of the binary with the instance's settings.
func (s *server) command(arguments ...string) (string, error) {
	command := exec.Command(s.program, arguments...)
	command.Dir, command.Env = s.dir, s.env
	output, err := command.CombinedOutput()
	return string(output), err
}

// residentBytes is the process's resident memory, or 0 where the system does not
// tell in Linux's way.
func (s *server) residentBytes() int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	for line := range bytes.Lines(status) {
		if value, found := bytes.CutPrefix(line, []byte("VmRSS:")); found {
			kib, _ := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))))
			return kib << 10
		}
	}
	return 0
}

// openFiles is how many files and connections the process has open, or 0.
func (s *server) openFiles() int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.process.Process.Pid))
	return len(entries)
}

func mib(bytes int) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }

func freePort(t testing.TB) string {
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

// newSecret returns a value for STEPKEY_SECRET.
func newSecret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	return base64.StdEncoding.EncodeToString(raw)
}
