package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stepkey/stepkey/internal/watchdog"
)

// errNoBouncer wraps [ErrNotInstalled] for a machine without PgBouncer.
var errNoBouncer = fmt.Errorf("pgbouncer is not in PATH: install the package pgbouncer (Debian, Ubuntu: apt-get install pgbouncer): %w",
	ErrNotInstalled)

// Bouncer is a PgBouncer before the server that [NewDatabase] and [Clone] use.
type Bouncer struct {
	dir     string
	process *os.Process
	exited  chan struct{} // closed when process has ended
}

// NewBouncer starts a PgBouncer with a pool mode, "session" or "transaction", and as few
// other settings as there can be. It is stopped when the test ends; if the test fails, it
// also logs what PgBouncer said.
func NewBouncer(tb testing.TB, mode string) *Bouncer {
	tb.Helper()
	server := shared.start(tb)
	program, err := findBouncer()
	if err != nil {
		refuse(tb, err, os.Getenv("CI"))
	}
	dir, err := makeDir([]string{os.TempDir(), "/tmp"}, server.user)
	if err != nil {
		tb.Fatal(err)
	}
	dog, err := watchdog.Watch(dir, "TERM")
	if err != nil {
		tb.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	b := &Bouncer{dir: dir, exited: make(chan struct{})}
	tb.Cleanup(func() {
		if tb.Failed() {
			log, _ := os.ReadFile(b.logFile())
			tb.Logf("PgBouncer's log:\n%s", log)
		}
		if b.process != nil {
			_ = b.process.Signal(syscall.SIGTERM) // it may have ended by itself
			<-b.exited
		}
		if err := errors.Join(dog.Forget(), dog.Finish()); err != nil {
			tb.Error(err)
		}
	})
	if err := b.start(server, program, mode); err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(dog.Guard(b.process.Pid), b.ready(tb.Context(), server)); err != nil {
		tb.Fatal(err)
	}
	return b
}

// findBouncer looks where Debian has it too, which is not in every user's PATH.
func findBouncer() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNoBouncer
}

func (b *Bouncer) start(server *Server, program, mode string) error {
	config := fmt.Sprintf(`[databases]
* = host=%s port=5432
[pgbouncer]
pool_mode = %s
listen_addr =
listen_port = 5432
unix_socket_dir = %s
auth_type = trust
auth_file = %s
default_pool_size = 50
max_client_conn = 500
`, server.dir, mode, b.dir, filepath.Join(b.dir, "users"))
	for name, text := range map[string]string{"ini": config, "users": `"` + superuser + `" ""` + "\n"} {
		// PgBouncer, as the server's user, reads them; nobody else can enter the directory.
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("pgtest: %w", err)
		}
	}
	log, err := os.Create(b.logFile())
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	defer log.Close()
	cmd := server.command(program, filepath.Join(b.dir, "ini"))
	cmd.Dir = b.dir
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	b.process = cmd.Process
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(b.exited)
	}()
	return nil
}

// ready waits until PgBouncer answers or has ended.
func (b *Bouncer) ready(ctx context.Context, server *Server) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, b.DSN(server.DSN("postgres")))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-b.exited:
			return errors.New("pgtest: pgbouncer ended")
		case <-ctx.Done():
			return fmt.Errorf("pgtest: %w: %w", ctx.Err(), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (b *Bouncer) logFile() string { return filepath.Join(b.dir, "log") }

// DSN returns the way through PgBouncer to the database that dsn names.
func (b *Bouncer) DSN(dsn string) string {
	address, err := url.Parse(dsn)
	if err != nil || !strings.HasPrefix(dsn, "postgres:") {
		panic("pgtest: not a DSN of pgtest's: " + dsn)
	}
	query := address.Query()
	query.Set("host", b.dir)
	address.RawQuery = query.Encode()
	return address.String()
}
