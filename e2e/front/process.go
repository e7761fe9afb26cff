package front

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

// Find returns the program of a proxy. Debian keeps nginx where only root looks.
func Find(t *testing.T, name string) string {
	t.Helper()
	for _, name := range []string{name, "/usr/sbin/" + name} {
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	message := name + " is missing; on Debian and Ubuntu: apt-get install " + name
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// Read returns a file as text.
func Read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Replace puts addresses, names and files of the test for those of an example. They come in pairs, and the first of each
// pair must be in the text.
func Replace(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the example does not contain %q, which %q replaces", pairs[i], pairs[i+1])
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Nginx returns the command that runs nginx in dir with a file that belongs into conf.d.
func Nginx(t *testing.T, dir, configuration string) *exec.Cmd {
	t.Helper()
	WriteFile(t, filepath.Join(dir, "stepkey.conf"), configuration)
	// The directives of Debian's nginx.conf around the file, in one process and a folder of its own.
	WriteFile(t, filepath.Join(dir, "nginx.conf"), `
		daemon off; master_process off; pid nginx.pid; error_log stderr;
		events {}
		http {
			access_log off;
			client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
			include stepkey.conf;
		}`)
	return exec.Command(Find(t, "nginx"), "-p", dir, "-c", "nginx.conf", "-e", "stderr")
}

// Caddy returns the command that runs Caddy in dir with a Caddyfile.
func Caddy(t *testing.T, dir, configuration string) *exec.Cmd {
	t.Helper()
	WriteFile(t, filepath.Join(dir, "Caddyfile"), configuration)
	command := exec.Command(Find(t, "caddy"), "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	command.Env = []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	return command
}

// Start runs a proxy in dir until the test ends, and returns once it accepts connections at the addresses.
func Start(t *testing.T, command *exec.Cmd, dir string, addresses ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	command.Dir, command.Stdout, command.Stderr = dir, log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{command: command, exited: make(chan struct{})}
	go func() {
		p.exit = command.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s wrote:\n%s", command.Path, text)
		}
	})
	// Caddy opens one after the other.
	for _, address := range addresses {
		p.await(t, address)
	}
}

type process struct {
	command *exec.Cmd
	exited  chan struct{} // closed when it has ended
	exit    error         // how; to be read after that
}

func (p *process) await(t *testing.T, address string) {
	t.Helper()
	for end := time.After(patience.Long); ; {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
			return
		}
		select {
		case <-p.exited:
			t.Fatalf("%s did not start: %v", p.command.Path, p.exit)
		case <-end:
			t.Fatalf("%s does not answer: %v", p.command.Path, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("stop %s: %v", p.command.Path, err)
	}
	late := time.AfterFunc(patience.Long, func() { _ = p.command.Process.Kill() })
	defer late.Stop()
	<-p.exited
	if p.exit != nil {
		t.Errorf("%s ended with %v", p.command.Path, p.exit)
	}
}

// FreeAddress returns an address on this machine at which nothing listens.
func FreeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
