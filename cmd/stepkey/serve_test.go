package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// atHome makes the test run in an empty folder with none of the service's
// settings in the environment, except for deadlines that no load reaches.
func atHome(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		for _, prefix := range []string{"STEPKEY_", "DB_", "RP_", "JWT_", "DATABASE_URL", "REDIS_URL", "SMTP_URL", "PORT"} {
			if strings.HasPrefix(name, prefix) {
				unset(t, name)
			}
		}
	}
	for _, setting := range patience.Settings() {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value)
	}
}

// unset removes a variable until the test ends.
func unset(t *testing.T, name string) {
	t.Helper()
	t.Setenv(name, "") // so that the testing package restores it
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
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

// buffer is a bytes.Buffer that can be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// service is a running one.
type service struct {
	stdout, stderr buffer
	stop           func() int // ends it and returns its exit status
}

// start runs the command line and waits until it says that it is ready.
func start(t *testing.T, args ...string) *service {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s, exit := &service{}, make(chan int, 1)
	go func() { exit <- run(ctx, args, &s.stdout, &s.stderr) }()
	s.stop = sync.OnceValue(func() int {
		cancel()
		return <-exit
	})
	t.Cleanup(func() { s.stop() })
	for !strings.Contains(s.stdout.String(), "ready") {
		select {
		case code := <-exit:
			exit <- code // for stop, which waits for it
			t.Fatalf("ended with %d: %s", code, s.stderr.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return s
}

func post(t *testing.T, address, body string) (int, string) {
	t.Helper()
	response, err := http.Post(address, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

const mira = `{"username":"mira","password":"correct horse battery"}`

func TestServeWithNoSettings(t *testing.T) {
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	address := "http://localhost:" + port
	s := start(t)
	if want := "Stepkey is ready at " + address + " (SQLite in data)\n"; s.stdout.String() != want {
		t.Errorf("it says %q, want %q", s.stdout.String(), want)
	}
	for path, want := range map[string]os.FileMode{"data": 0o700 | os.ModeDir, "data/secret": 0o600, "data/stepkey.db": 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want mode %v", path, info.Mode(), err, want)
		}
	}
	if status, body := post(t, address+"/auth/signup", mira); status != 201 {
		t.Fatalf("sign-up: %d %s", status, body)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("told to stop it ended with %d: %s", code, s.stderr.String())
	}

	// A restart finds everything where it was, keys included.
	first := publicKeys(t, start(t), address)
	if status, body := post(t, address+"/auth/login", mira); status != 201 || !strings.Contains(body, "accessToken") {
		t.Errorf("login after a restart: %d %s", status, body)
	}
	if again := publicKeys(t, nil, address); again != first || !strings.Contains(first, `"ES256"`) {
		t.Errorf("public keys %s, then %s", first, again)
	}
}

func publicKeys(t *testing.T, _ *service, address string) string {
	t.Helper()
	response, err := http.Get(address + "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The original's sample file, as it stands but for where the database is.
func TestServeWithTheOriginalsSettings(t *testing.T) {
	atHome(t)
	dsn, err := url.Parse(pgtest.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	host, dbPort := dsn.Hostname(), dsn.Port()
	if folder := dsn.Query().Get("host"); folder != "" {
		host, dbPort = folder, dsn.Query().Get("port")
	}
	if dbPort == "" {
		dbPort = "5432"
	}
	secret, _ := dsn.User.Password()
	port := freePort(t)
	env := fmt.Sprintf(`# PostgreSQL
DB_HOST=%s
DB_PORT=%s
DB_USER=%s
DB_PASSWORD=%s
DB_NAME=%s

JWT_SECRET=thel@stFlyD0g
RP_NAME=Passkey Demo
RP_ID=localhost
RP_ORIGIN=http://localhost:%s
PORT=%s
`, host, dbPort, dsn.User.Username(), secret, strings.TrimPrefix(dsn.Path, "/"), port, port)
	if err := os.WriteFile(".env", []byte(env), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME", "JWT_SECRET", "RP_NAME", "RP_ID", "RP_ORIGIN", "PORT"} {
		unset(t, name) // .env sets them for the whole process
	}
	s := start(t, "serve")
	if !strings.Contains(s.stdout.String(), "(PostgreSQL on ") {
		t.Errorf("it says %q, want PostgreSQL", s.stdout.String())
	}
	if log := s.stderr.String(); !strings.Contains(log, "WARN") || !strings.Contains(log, "shorter than 32 bytes") {
		t.Errorf("no warning about the secret: %s", log)
	}
	if strings.Contains(s.stderr.String(), "thel@st") {
		t.Error("the log holds the secret")
	}
	address := "http://localhost:" + port
	if status, body := post(t, address+"/auth/signup", mira); status != 201 || body != `{"success":true}` {
		t.Errorf("sign-up: %d %s", status, body)
	}
	if _, err := os.Stat("data/stepkey.db"); err == nil {
		t.Error("SQLite was used")
	}
	if _, err := os.Stat("data/secret"); err != nil {
		t.Errorf("no generated secret: %v", err)
	}
}

func TestPortInUseSaysWhatToDo(t *testing.T) {
	atHome(t)
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	t.Setenv("PORT", port)
	wantRefused(t, "set PORT to a free port")
}

func TestHealthcheck(t *testing.T) {
	atHome(t)
	t.Setenv("PORT", freePort(t))
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"healthcheck"}, &stdout, &stderr); code == 0 {
		t.Error("healthy without a service")
	}
	start(t)
	if code := run(t.Context(), []string{"healthcheck"}, &stdout, &stderr); code != 0 {
		t.Errorf("not healthy: %s", stderr.String())
	}
}

// The commands that README.md shows, against a service that runs.
func TestCommandsInTheREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(readme), "## Try it without the page\n\n```sh\n")
	commands, _, ended := strings.Cut(after, "```")
	if !found || !ended {
		t.Fatal("README.md no longer shows commands to try")
	}
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	start(t)
	shell := exec.Command("sh", "-e", "-c", strings.ReplaceAll(commands, "localhost:3000", "localhost:"+port))
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.HasPrefix(string(out), `{"success":true}{"accessToken":"`) {
		t.Errorf("the commands answer %s", out)
	}
}
