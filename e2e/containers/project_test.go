//go:build containers

package containers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// project is compose.yaml in a folder of its own, as it is after `cp .env.example .env` and a few changes.
type project struct {
	t      *testing.T
	folder string
	origin string
	flags  []string // such as a profile
}

// newProject makes a project whose .env has these settings in place of the lines of .env.example. It is removed with its volumes
// when the test ends. RP_ORIGIN and PORT are set unless they are among the settings.
func newProject(t *testing.T, settings map[string]string, flags ...string) *project {
	t.Helper()
	port := freePort(t)
	p := &project{t: t, folder: t.TempDir(), origin: "http://localhost:" + port, flags: flags}
	set := map[string]string{"PORT": port, "RP_ORIGIN": p.origin}
	for name, value := range settings {
		set[name] = value
	}
	example, err := os.ReadFile(filepath.Join(root, ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	for line := range strings.Lines(string(example)) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "#"), "=")
		if value, ok := set[name]; ok {
			line = name + "=" + value + "\n"
			delete(set, name)
		}
		file.WriteString(line)
	}
	for name, value := range set {
		fmt.Fprintf(&file, "%s=%s\n", name, value)
	}
	compose, err := os.ReadFile(filepath.Join(root, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write(".env", file.String())
	p.write("compose.yaml", string(compose))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the containers wrote:\n%s", p.compose("logs", "--no-color"))
		}
		p.compose("down", "--volumes", "--timeout", "30")
	})
	return p
}

func (p *project) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.folder, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// compose runs docker compose with the project's flags.
func (p *project) compose(words ...string) string {
	p.t.Helper()
	flags := append([]string{"--progress", "plain"}, p.flags...)
	command := exec.Command(docker.compose, append(flags, words...)...)
	command.Dir = p.folder
	out, err := docker.run(command)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// up starts everything and returns when it is healthy.
func (p *project) up() {
	p.t.Helper()
	p.compose("up", "--detach", "--no-build", "--pull", "never", "--wait")
}

// container is what the engine says about a container.
type container struct {
	ID     string `json:"Id"`
	Config struct {
		Env  []string
		User string
	}
	HostConfig struct {
		ReadonlyRootfs bool
		CapDrop        []string
		SecurityOpt    []string
		PortBindings   map[string][]struct{ HostIP, HostPort string }
	}
	State struct {
		Status   string
		ExitCode int
		Health   struct{ Status string }
	}
	RestartCount int
}

func (p *project) container(service string) container {
	p.t.Helper()
	return inspect(p.t, p.compose("ps", "--all", "--quiet", service))
}

func inspect(t *testing.T, id string) container {
	t.Helper()
	out := run(t, "inspect", id)
	return decode[[]container]([]byte(out))[0]
}

// run runs a command of Docker's that has to succeed.
func run(t *testing.T, words ...string) string {
	t.Helper()
	out, err := docker.docker(words...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// waitFor waits until a container is in the state that done asks for.
func waitFor(t *testing.T, id, what string, done func(container) bool) container {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		c := inspect(t, id)
		if done(c) {
			return c
		}
		select {
		case <-ctx.Done():
			logs, _ := docker.logs(id)
			t.Fatalf("never %s: %+v\n%s", what, c.State, logs)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func healthy(c container) bool { return c.State.Health.Status == "healthy" }

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
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

// decode reads JSON that a program or the service has written.
func decode[T any](text []byte) (value T) {
	if err := json.Unmarshal(text, &value); err != nil {
		panic(fmt.Sprintf("%v: %.500s", err, text))
	}
	return value
}
