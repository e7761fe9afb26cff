package proxy_test

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

// front is a proxy to be started: its program, and how to run it in a folder with the configuration from examples.
type front struct {
	name, example string

	// replace says what stands in the example for addresses, names and files, in pairs.
	replace func(place) []string

	// command runs the program with the configuration text in dir.
	command func(t *testing.T, program, dir, configuration string) *exec.Cmd
}

// place is where a proxy is and what it leads to.
type place struct {
	https, http string // addresses to listen on
	names       []string
	certificate certificate
	instances   [2]string // addresses
}

var fronts = []front{
	{
		name: "nginx", example: "../../examples/nginx/stepkey.conf",
		replace: func(p place) []string {
			return []string{
				"listen 443", "listen " + p.https, "listen 80", "listen " + p.http,
				"server_name auth.example.com;\n\n", "server_name " + strings.Join(p.names, " ") + ";\n\n",
				"/etc/ssl/auth.example.com/fullchain.pem", p.certificate.chain,
				"/etc/ssl/auth.example.com/privkey.pem", p.certificate.key,
				"127.0.0.1:3001", p.instances[0], "127.0.0.1:3002", p.instances[1],
			}
		},
		command: func(t *testing.T, program, dir, configuration string) *exec.Cmd {
			writeFile(t, filepath.Join(dir, "stepkey.conf"), configuration)
			// What Debian's nginx.conf says around the file, in one process and a folder of its own.
			writeFile(t, filepath.Join(dir, "nginx.conf"), `
				daemon off; master_process off; pid nginx.pid; error_log stderr;
				events {}
				http {
					access_log off;
					client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
					include stepkey.conf;
				}`)
			return exec.Command(program, "-p", dir, "-c", "nginx.conf", "-e", "stderr")
		},
	},
	{
		name: "caddy", example: "../../examples/caddy/Caddyfile",
		replace: func(p place) []string {
			host, port, _ := net.SplitHostPort(p.https)
			_, plain, _ := net.SplitHostPort(p.http)
			return []string{
				"admin localhost:2019", "admin unix/admin", // in the folder it runs in
				"http_port 80\n", "http_port " + plain + "\n", "https_port 443\n", "https_port " + port + "\n\tdefault_bind " + host + "\n",
				"auth.example.com {", strings.Join(p.names, ", ") + " {",
				"/etc/ssl/auth.example.com/fullchain.pem", p.certificate.chain,
				"/etc/ssl/auth.example.com/privkey.pem", p.certificate.key,
				"127.0.0.1:3001", p.instances[0], "127.0.0.1:3002", p.instances[1],
			}
		},
		command: func(t *testing.T, program, dir, configuration string) *exec.Cmd {
			writeFile(t, filepath.Join(dir, "Caddyfile"), configuration)
			command := exec.Command(program, "run", "--config", "Caddyfile", "--adapter", "caddyfile")
			command.Env = []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
			return command
		},
	},
}

// find returns the program of a proxy. Debian keeps nginx where only root looks.
func (f front) find(t *testing.T) string {
	t.Helper()
	for _, name := range []string{f.name, "/usr/sbin/" + f.name} {
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	message := f.name + " is missing; on Debian and Ubuntu: apt-get install " + f.name
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// start runs the proxy until the test ends.
func (f front) start(t *testing.T, p place) {
	t.Helper()
	program := f.find(t)
	example, err := os.ReadFile(f.example)
	if err != nil {
		t.Fatal(err)
	}
	pairs := f.replace(p)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(example), pairs[i]) {
			t.Fatalf("%s has no %q to put %q for", f.example, pairs[i], pairs[i+1])
		}
	}
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	command := f.command(t, program, dir, strings.NewReplacer(pairs...).Replace(string(example)))
	command.Dir, command.Stdout, command.Stderr = dir, log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop(t, command)
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s wrote:\n%s", f.name, text)
		}
	})
	// Caddy opens one after the other.
	for _, address := range []string{p.https, p.http} {
		f.await(t, address)
	}
}

func (f front) await(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(patience.Long); ; time.Sleep(20 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not answer: %v", f.name, err)
		}
	}
}

func stop(t *testing.T, command *exec.Cmd) {
	t.Helper()
	if err := command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("stop %s: %v", command.Path, err)
	}
	late := time.AfterFunc(patience.Long, func() { _ = command.Process.Kill() })
	defer late.Stop()
	if err := command.Wait(); err != nil {
		t.Errorf("%s ended with %v", command.Path, err)
	}
}

// freeAddress returns an address on this machine that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
