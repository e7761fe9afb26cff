package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stepkey/stepkey/internal/watchdog"
)

// startTimeout bounds the wait for a server to answer, which takes less than a
// second, on the most crowded of machines.
const startTimeout = time.Minute

// Options says how a server is to run. The zero value is right for most tests.
type Options struct {
	// Persistent keeps an append-only file that is synced with every write, so that
	// data outlive [Server.Kill] and [Server.Restart].
	Persistent bool

	// Settings are further arguments of the server: "--maxmemory", "4mb".
	Settings []string
}

// Server is one private Redis. Its methods may be called concurrently.
type Server struct {
	dir      string // holds the data, the log and the socket
	program  string
	settings []string
	watchdog *watchdog.Watchdog

	mu      sync.Mutex
	process *os.Process   // nil while no server runs
	exited  chan struct{} // closed when process has ended
}

// Start starts a server in a new temporary directory and returns once it answers.
// The caller owes it a [Server.Stop]. The error is [ErrNotInstalled] where there is
// no Redis, and otherwise ends with the server's log.
func Start(ctx context.Context, opts Options) (*Server, error) {
	program, err := findProgram()
	if err != nil {
		return nil, err
	}
	dir, err := makeDir(os.TempDir(), "/tmp")
	if err != nil {
		return nil, err
	}
	dog, err := watchdog.Watch(dir, "KILL")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &Server{dir: dir, program: program, settings: settings(dir, opts), watchdog: dog}
	if err := s.Restart(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// settings returns the server's command line. Nothing comes from a configuration
// file of the machine.
func settings(dir string, opts Options) []string {
	args := []string{
		"--port", "0", "--unixsocket", filepath.Join(dir, socketName), "--unixsocketperm", "700",
		"--dir", dir, "--save", "", "--daemonize", "no",
	}
	if opts.Persistent {
		args = append(args, "--appendonly", "yes", "--appendfsync", "always")
	}
	return append(args, opts.Settings...)
}

// URL is the server's address for redisstore.Open and REDIS_URL.
func (s *Server) URL() string { return "unix://" + s.socket() }

func (s *Server) socket() string { return filepath.Join(s.dir, socketName) }

// Restart shuts a running server down in good order, starts it again and waits, at
// most a minute, until it answers. Without Persistent it comes back empty.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.end(syscall.SIGTERM); err != nil {
		return err
	}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("redistest: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(s.program, s.settings...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C reaches it through the watchdog only
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("redistest: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(exited)
	}()
	s.process, s.exited = cmd.Process, exited
	if err := s.watchdog.Guard(cmd.Process.Pid); err != nil {
		return fmt.Errorf("redistest: watchdog: %w", err)
	}
	return s.ready(ctx)
}

// ready waits until the server answers or has ended.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := s.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("redistest: the server ended: %s", s.log())
		case <-ctx.Done():
			return fmt.Errorf("redistest: %w: %w: %s", ctx.Err(), err, s.log())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *Server) ping(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", s.socket())
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && answer != "+PONG\r\n" {
		return errors.New(strings.TrimSpace(answer)) // it is still loading
	}
	return err
}

// Kill ends the server as a crash would (SIGKILL). It returns when the server has
// ended. Without a running server it does nothing.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end(syscall.SIGKILL)
}

// Pause stops the server where it is (SIGSTOP): connections are accepted and
// nothing answers, as in a partition or on a machine that is overwhelmed.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal os.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return errors.New("redistest: no server runs")
	}
	if err := s.process.Signal(signal); err != nil {
		return fmt.Errorf("redistest: %w", err)
	}
	return nil
}

// Stop ends the server at once and removes its files. The Server cannot be used any
// more; a second Stop does nothing.
func (s *Server) Stop() error {
	if err := s.Kill(); err != nil {
		return err
	}
	if err := s.watchdog.Finish(); err != nil {
		return fmt.Errorf("redistest: removing %s: %w", s.dir, err)
	}
	return nil
}

// end signals the running server, if any, and waits for its end; one that does not
// end in good order, because it is paused, is killed. The mutex is held.
func (s *Server) end(signal os.Signal) error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("redistest: %w", err)
	}
	select {
	case <-s.exited:
	case <-time.After(10 * time.Second):
		_ = s.process.Kill() // it may have ended this moment
		<-s.exited
	}
	s.process = nil
	if err := s.watchdog.Forget(); err != nil {
		return fmt.Errorf("redistest: watchdog: %w", err)
	}
	return nil
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

func (s *Server) log() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text)
}
