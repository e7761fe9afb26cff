package browser

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

// Build compiles the stepkey command of this repository into dir and returns its path. The working directory has to be
// inside the e2e module.
func Build(dir string) (string, error) {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/stepkey/stepkey").Output()
	if err != nil {
		return "", fmt.Errorf("find the stepkey module: %w", err)
	}
	program := filepath.Join(dir, "stepkey")
	build := exec.Command("go", "build", "-o", program, "./cmd/stepkey")
	build.Dir = strings.TrimSpace(string(module))
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build stepkey: %w\n%s", err, out)
	}
	return program, nil
}

// Server is a running stepkey process.
type Server struct {
	// Port is the port it listens on, on localhost.
	Port string

	health  string // path
	process *exec.Cmd
	output  *os.File
	exited  chan struct{} // closed when the process has ended
	exit    error         // how; to be read after that
}

// Serve starts program on a free port with an empty data folder below dir and settings like "RP_ID=localhost" on top of
// the defaults; the environment of the caller is not passed on. It returns when the service is ready. "PORT" in a
// setting stands for the port.
func Serve(program, dir string, settings ...string) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	return serve(program, dir, port, []string{"serve"}, "/readyz", settings)
}

// ServeGate is Serve for the gate in front of the application at upstream, a URL. "PORT" in the rules stands for the port, too.
func ServeGate(program, dir, upstream, rules string, settings ...string) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "rules.toml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(rules, "PORT", port)), 0o600); err != nil {
		return nil, err
	}
	return serve(program, dir, port, []string{"gate", "--upstream", upstream}, "/_stepkey/readyz", append(settings, "STEPKEY_RULES="+file))
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}

func serve(program, dir, port string, arguments []string, health string, settings []string) (*Server, error) {
	output, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	server := &Server{Port: port, health: health, process: exec.Command(program, arguments...), output: output}
	server.process.Dir = dir
	server.process.Env = []string{"PORT=" + port, "STEPKEY_DATA=" + filepath.Join(dir, "data"), "STEPKEY_LIMITS=off"}
	server.process.Env = append(server.process.Env, patience.Settings()...)
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		server.process.Env = append(server.process.Env, name+"="+strings.ReplaceAll(value, "PORT", port))
	}
	server.process.Stdout, server.process.Stderr = output, output
	if err := server.process.Start(); err != nil {
		return nil, err
	}
	server.exited = make(chan struct{})
	go func() {
		server.exit = server.process.Wait()
		close(server.exited)
	}()
	if err := server.ready(); err != nil {
		server.Stop()
		return nil, fmt.Errorf("%w\n%s", err, server.Log())
	}
	return server, nil
}

// URL is the address of the page.
func (s *Server) URL() string { return "http://localhost:" + s.Port }

func (s *Server) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience.Long)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+s.health, nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.exited:
			return fmt.Errorf("stepkey did not start: %v", s.exit)
		case <-ctx.Done():
			return fmt.Errorf("stepkey was not ready within %v", patience.Long)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the process as an operator would and waits for its end.
func (s *Server) Stop() error {
	defer s.output.Close()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-s.exited
	return s.exit
}

// Run runs another command of the program with the server's settings, and returns what it printed.
func (s *Server) Run(arguments ...string) (string, error) {
	command := exec.Command(s.process.Path, arguments...)
	command.Dir, command.Env = s.process.Dir, s.process.Env
	printed, err := command.Output()
	return string(printed), err
}

// Log is what the process wrote so far.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.output.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}
