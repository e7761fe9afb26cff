package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// server is a process under measurement.
type server struct {
	url string
	cmd *exec.Cmd
	log string // file with what it printed, "" for none
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// stop kills the process and waits for it.
func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// startBare starts this program again as the bare server.
func startBare(ctx context.Context, recorded answers) (*server, error) {
	return playAgain(ctx, recorded)
}

// startGuarded is startBare with the routes behind a guard for tokens of an issuer.
func startGuarded(ctx context.Context, recorded answers, i issuer) (*server, error) {
	text, err := json.Marshal(i)
	if err != nil {
		return nil, err
	}
	return playAgain(ctx, recorded, guardEnv+"="+string(text))
}

func playAgain(ctx context.Context, recorded answers, settings ...string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	input, err := json.Marshal(recorded)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(append(os.Environ(), bareEnv+"=1"), settings...)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd}
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("bare server: %w", err)
	}
	s.url = "http://" + strings.TrimSpace(address)
	return s, nil
}

// build compiles the service as it is shipped, in its own module, and returns
// the binary's path.
func build(ctx context.Context, dir string) (string, error) {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/stepkey/stepkey")
	list.Stderr = os.Stderr
	root, err := list.Output()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "stepkey")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./cmd/stepkey")
	cmd.Dir = strings.TrimSpace(string(root))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return binary, cmd.Run()
}

// startStepkey starts the service, as startCommand does.
func startStepkey(ctx context.Context, binary, dir string, settings ...string) (*server, time.Duration, error) {
	return startCommand(ctx, binary, dir, "serve", settings...)
}

// startCommand starts a command that serves with the given settings (NAME=value) and
// returns once it is alive, with the time that took from the start of
// the process. The service gets no other setting from our environment.
func startCommand(ctx context.Context, binary, dir, command string, settings ...string) (*server, time.Duration, error) {
	port, err := freePort()
	if err != nil {
		return nil, 0, err
	}
	log, err := os.CreateTemp(dir, "log-")
	if err != nil {
		return nil, 0, err
	}
	defer log.Close()

	s := &server{url: "http://localhost:" + port, log: log.Name()}
	s.cmd = exec.CommandContext(ctx, binary, command)
	s.cmd.Dir = dir // no .env of the working directory
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "PORT=" + port, "RP_ORIGIN=" + s.url, "STEPKEY_LIMITS=off"}, settings...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, 0, err
	}
	alive := "/livez"
	if command == "gate" {
		alive = "/_stepkey/livez"
	}
	if err := s.alive(ctx, alive); err != nil {
		s.stop()
		printed, _ := os.ReadFile(s.log)
		return nil, 0, fmt.Errorf("%w\n%s", err, printed)
	}
	return s, time.Since(began), nil
}

// alive waits, at most 20 s, for GET path to answer 200.
func (s *server) alive(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		_, err := send(ctx, client, s.url, "", "GET", path, nil)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stepkey does not come up: %w", errors.Join(ctx.Err(), err))
		case <-time.After(time.Millisecond):
		}
	}
}

// freePort returns a port that nothing listens on at the moment.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}

// memory is that of a process, in bytes.
type memory struct {
	resident int
	own      int // of it, what is not a page of a file, which the kernel can drop and read again
	most     int // resident at any time so far
}
