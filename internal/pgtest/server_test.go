package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// start starts a server of the test's own, stopped with the test.
func start(t *testing.T, opts Options) *Server {
	t.Helper()
	server, err := Start(t.Context(), opts)
	if err != nil {
		refuse(t, err, os.Getenv("CI"))
	}
	t.Cleanup(func() {
		if gone(server.dir) {
			return // the test has stopped it
		}
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func gone(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func dead(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestStopLeavesNoProcessAndNoFiles(t *testing.T) {
	server := start(t, Options{})
	pid, watchdog := server.process.Process.Pid, server.watchdog.Pid()
	if dead(pid) || dead(watchdog) {
		t.Fatal("the server or its watchdog does not run")
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if !dead(pid) {
		t.Error("the server still runs")
	}
	if !dead(watchdog) {
		t.Error("the watchdog still runs")
	}
	if !gone(server.dir) {
		t.Errorf("%s is still there", server.dir)
	}
}

func TestServerDiesWithItsOwner(t *testing.T) {
	if _, err := findPrograms(debianBins); err != nil {
		refuse(t, err, os.Getenv("CI"))
	}
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), ownerEnv+"=1")
	owner.Stderr = os.Stderr
	output, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	if _, err := fmt.Sscan(line, &pid, &dir); err != nil {
		t.Fatal(err)
	}
	if dead(pid) || gone(dir) {
		t.Fatal("the server does not run")
	}

	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()

	for tries := 0; !gone(dir); tries++ {
		if tries == 300 {
			t.Fatalf("%s is still there 30 s after the end of its owner", dir)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if !dead(pid) { // at this moment: a server without files ends by itself, but later
		t.Errorf("the server %d has outlived its owner and its files", pid)
	}
}

func TestCommittedDataSurvivesKillAndRestart(t *testing.T) {
	server := start(t, Options{Durable: true})
	dsn := server.DSN("postgres")
	if err := run(dsn, "CREATE TABLE note (body text)", "INSERT INTO note VALUES ('kept')"); err != nil {
		t.Fatal(err)
	}

	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := run(dsn); err == nil {
		t.Error("a killed server accepts connections")
	}
	if err := server.Kill(); err != nil {
		t.Errorf("a second Kill: %v", err)
	}
	for _, want := range []string{"recovers after Kill", "restarts while running"} {
		if err := server.Restart(t.Context()); err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if got := one(t, dsn, "SELECT body FROM note"); got != "kept" {
			t.Errorf("%s: %q, want the committed row", want, got)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Setenv("PGPORT", "1") // nothing of the caller's own PostgreSQL gets in
	tests := []struct {
		opts Options
		want string
	}{
		{Options{}, "fsync=off full_page_writes=off listen_addresses= max_connections=200 server_encoding=UTF8 synchronous_commit=off"},
		{Options{Durable: true}, "fsync=on full_page_writes=on listen_addresses= max_connections=200 server_encoding=UTF8 synchronous_commit=on"},
	}
	for _, test := range tests {
		server := start(t, test.opts)
		got := one(t, server.DSN("postgres"), `SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
			WHERE name IN ('fsync', 'full_page_writes', 'listen_addresses', 'max_connections', 'server_encoding', 'synchronous_commit')`)
		if got != test.want {
			t.Errorf("%+v:\n got %s\nwant %s", test.opts, got, test.want)
		}
		info, err := os.Stat(server.dir)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o700 {
			t.Errorf("the socket's directory has mode %o, want 700: trust authentication rests on it", mode)
		}
	}
}

func TestFailedStartShowsTheLog(t *testing.T) {
	server := start(t, Options{})
	server.settings = append(server.settings, "-c", "max_connections=plenty")
	err := server.Restart(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the server ended: ") ||
		!strings.Contains(err.Error(), `invalid value for parameter "max_connections": "plenty"`) {
		t.Errorf("Restart: %v, want the end of the server in its own words", err)
	}
}

func TestLogSince(t *testing.T) {
	server := &Server{dir: t.TempDir()}
	write := func(text string) {
		if err := os.WriteFile(server.logFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	write("before\n")
	size := server.logSize()
	write("before\nafter\n")
	if got := server.logSince(size); got != "after\n" {
		t.Errorf("logSince: %q, want what came later", got)
	}
	write(strings.Repeat("x", maxLog) + "end")
	if got := server.logSince(0); len(got) != maxLog || !strings.HasSuffix(got, "end") {
		t.Errorf("logSince gives %d bytes, want the last %d", len(got), maxLog)
	}
}
