package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stepkey/stepkey/internal/watchdog"
)

// startTimeout bounds the wait for a server to accept connections, which takes
// less than a second, on the most crowded of machines.
const startTimeout = time.Minute

// superuser is the role that initdb creates and every DSN names.
const superuser = "postgres"

// Options says how a server is to run. The zero value is right for tests.
type Options struct {
	// Durable keeps PostgreSQL's own settings for fsync, full_page_writes and
	// synchronous_commit. Otherwise they are off: much faster, the same
	// behaviour, and nothing outlives the machine's own crash.
	Durable bool
}

// Server is one private PostgreSQL. Its methods may be called concurrently.
type Server struct {
	dir      string // holds data/, log and the socket
	programs string // directory of initdb and postgres
	user     *syscall.Credential
	settings []string
	watchdog *watchdog.Watchdog

	mu      sync.Mutex
	process *exec.Cmd     // nil while no server runs
	exited  chan struct{} // closed when process has ended
}

// Start makes a database cluster in a new temporary directory, starts a server
// on it and returns once it accepts connections, which takes about a second.
// The caller owes it a [Server.Stop]. The error is [ErrNotInstalled] where there
// is no PostgreSQL, and otherwise ends with the server's log.
func Start(ctx context.Context, opts Options) (*Server, error) {
	programs, err := findPrograms(debianBins)
	if err != nil {
		return nil, err
	}
	account, err := serverUser()
	if err != nil {
		return nil, err
	}
	dir, err := makeDir([]string{os.TempDir(), "/tmp"}, account)
	if err != nil {
		return nil, err
	}
	dog, err := watchdog.Watch(dir, "QUIT") // immediate shutdown
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}

	s := &Server{dir: dir, programs: programs, user: account, settings: settings(dir, opts), watchdog: dog}
	if err := s.initialize(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	if err := s.Restart(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// settings returns the server's command line. Nothing comes from a configuration
// file of the machine.
func settings(dir string, opts Options) []string {
	args := []string{
		"-D", filepath.Join(dir, "data"),
		"-c", "listen_addresses=",
		"-c", "unix_socket_directories=" + dir,
		"-c", "port=5432",
		"-c", "max_connections=200",
	}
	if !opts.Durable {
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")
	}
	return args
}

// initialize makes the cluster. Its collation is C, by code point, which no
// system's locale data can change.
func (s *Server) initialize(ctx context.Context) error {
	cmd := s.command("initdb",
		"--pgdata="+filepath.Join(s.dir, "data"), "--username="+superuser, "--auth=trust",
		"--encoding=UTF8", "--no-locale", "--wal-segsize=1", "--no-sync")
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("pgtest: initdb: %w\n%s", err, output)
	}
	return ctx.Err()
}

// command prepares a program, of PostgreSQL's unless it has a path: as the server's user, in a session of its
// own so that Ctrl-C reaches it through the watchdog only, and without the PG*
// variables and the locale of our own environment.
func (s *Server) command(program string, args ...string) *exec.Cmd {
	if !filepath.IsAbs(program) {
		program = filepath.Join(s.programs, program)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: s.user}
	return cmd
}

// DSN returns the address of a database on this server, "postgres" being the one
// that is always there: a postgres:// URL that names the socket's directory, so
// it holds for this machine and for a process of the same user (or root) only.
func (s *Server) DSN(database string) string {
	address := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + database}
	address.RawQuery = url.Values{"host": {s.dir}, "port": {"5432"}, "sslmode": {"disable"}}.Encode()
	return address.String()
}

// CreateDatabase makes an empty database and returns its DSN. The name goes into
// the statement as it is and must be a plain lower-case identifier.
func (s *Server) CreateDatabase(ctx context.Context, name string) (string, error) {
	return s.copyDatabase(ctx, name, "template0")
}

// copyDatabase makes a database that starts as a copy of another.
func (s *Server) copyDatabase(ctx context.Context, name, source string) (string, error) {
	return s.DSN(name), s.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+source)
}

// Restart shuts a running server down in good order ("fast": open transactions
// are rolled back, connections closed), starts it again on the same data and
// waits, at most a minute, until it accepts connections. After [Server.Kill] it
// brings the server back, which then recovers as from a crash.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	if err := s.end(syscall.SIGINT); err != nil {
		return err
	}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	defer log.Close()
	cmd := s.command("postgres", s.settings...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(exited)
	}()
	s.process, s.exited = cmd, exited
	if err := s.watchdog.Guard(cmd.Process.Pid); err != nil {
		return fmt.Errorf("pgtest: watchdog: %w", err)
	}
	return s.ready(ctx)
}

// ready waits until the server accepts connections or has ended.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
			return fmt.Errorf("pgtest: the server ended: %s", s.logSince(0))
		case <-ctx.Done():
			return fmt.Errorf("pgtest: %w: %w: %s", ctx.Err(), err, s.logSince(0))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the server as a crash would, for tests of what happens then: no
// checkpoint, connections cut, the data left as it is ("immediate shutdown").
// It returns when the server has ended. Without a running server it does nothing.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end(syscall.SIGQUIT)
}

// Stop ends the server at once and removes its files. The Server cannot be used
// any more.
func (s *Server) Stop() error {
	if err := s.Kill(); err != nil {
		return err
	}
	if err := s.watchdog.Finish(); err != nil {
		return fmt.Errorf("pgtest: removing %s: %w", s.dir, err)
	}
	return nil
}

// end signals the running server, if any, and waits for its end. The mutex is held.
func (s *Server) end(signal os.Signal) error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("pgtest: %w", err)
	}
	<-s.exited // postgres bounds this itself: children that linger are killed after 5 s
	s.process = nil
	if err := s.watchdog.Forget(); err != nil {
		return fmt.Errorf("pgtest: watchdog: %w", err)
	}
	return nil
}

// exec runs one statement outside a transaction.
func (s *Server) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("pgtest: %s: %w", statement, err)
	}
	return nil
}
