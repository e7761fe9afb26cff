package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ownerEnv makes the test binary play the process that owns a server and is killed
// (see TestServerDiesWithItsOwner).
const ownerEnv = "REDISTEST_PLAY_OWNER"

func TestMain(m *testing.M) {
	if os.Getenv(ownerEnv) != "" {
		playOwner()
	}
	os.Exit(m.Run())
}

// playOwner starts a server, tells where it is and waits to be killed.
func playOwner() {
	server, err := Start(context.Background(), Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(server.process.Pid, server.dir)
	time.Sleep(time.Minute)
	os.Exit(1)
}

func gone(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func dead(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// do sends an inline command and returns the first line of the answer, or of a
// string its text.
func do(t *testing.T, s *Server, command string) string {
	t.Helper()
	conn, err := net.Dial("unix", s.socket())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, command+"\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	line, err := reader.ReadString('\n')
	if err == nil && strings.HasPrefix(line, "$") && line != "$-1\r\n" {
		line, err = reader.ReadString('\n')
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func TestStopLeavesNoProcessAndNoFiles(t *testing.T) {
	server := New(t, Options{})
	pid, watchdog := server.process.Pid, server.watchdog.Pid()
	if dead(pid) || dead(watchdog) {
		t.Fatal("the server or its watchdog does not run")
	}
	info, err := os.Stat(server.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's directory: %v, %v; want mode 700", info.Mode(), err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if !dead(pid) || !dead(watchdog) || !gone(server.dir) {
		t.Error("the server, its watchdog or its files are still there")
	}
	if err := server.Stop(); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
}

func TestServerDiesWithItsOwner(t *testing.T) {
	if _, err := findProgram(); err != nil {
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
	var pid int
	var dir string
	if _, err := fmt.Fscan(output, &pid, &dir); err != nil {
		t.Fatal(err)
	}
	if dead(pid) || gone(dir) {
		t.Fatal("the server does not run")
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	for tries := 0; !gone(dir) || !dead(pid); tries++ {
		if tries == 300 {
			t.Fatal("the server or its files have outlived their owner by 30 s")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestWhatOutlivesKillAndRestart(t *testing.T) {
	for persistent, want := range map[bool]string{true: "kept", false: "$-1"} {
		server := New(t, Options{Persistent: persistent})
		if got := do(t, server, "SET note kept"); got != "+OK" {
			t.Fatal(got)
		}
		if err := errors.Join(server.Kill(), server.Kill()); err != nil {
			t.Fatal(err)
		}
		if err := server.ping(t.Context()); err == nil {
			t.Error("a killed server answers")
		}
		for range 2 {
			if err := server.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := do(t, server, "GET note"); got != want {
				t.Errorf("persistent %v: %q, want %q", persistent, got, want)
			}
		}
	}
}

func TestPausedServerAcceptsAndDoesNotAnswer(t *testing.T) {
	server := New(t, Options{})
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := server.ping(ctx); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("ping: %v, want it to have waited in vain", err)
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	if got := do(t, server, "PING"); got != "+PONG" {
		t.Errorf("after Resume: %q", got)
	}
}

func TestSettings(t *testing.T) {
	server := New(t, Options{Settings: []string{"--databases", "1"}})
	if got := do(t, server, "SELECT 1"); got != "-ERR DB index is out of range" {
		t.Errorf("SELECT 1 of one database: %q", got)
	}
}

func TestFailedStartShowsTheLog(t *testing.T) {
	_, err := Start(t.Context(), Options{Settings: []string{"--maxmemory", "plenty"}})
	if errors.Is(err, ErrNotInstalled) {
		refuse(t, err, os.Getenv("CI"))
	}
	if err == nil || !strings.Contains(err.Error(), "the server ended: ") || !strings.Contains(err.Error(), "maxmemory") {
		t.Errorf("Start: %v, want the end of the server in its own words", err)
	}
}
