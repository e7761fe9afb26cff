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
	"path/filepath"
	"reflect"
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

func TestUnsafeSettingsStopTheStart(t *testing.T) {
	for _, test := range []struct {
		name string
		env  map[string]string
		says []string
	}{
		{"RP_ID of another host", map[string]string{"RP_ID": "example.com"}, []string{"RP_ID", "set RP_ID=localhost"}},
		{"RP_ID that is an address", map[string]string{"RP_ID": "127.0.0.1"}, []string{"IP address", "use localhost"}},
		{"plain http", map[string]string{"RP_ORIGIN": "http://app.example.com"}, []string{"plain http", "use https://app.example.com"}},
		{"one of several origins", map[string]string{"RP_ORIGIN": "http://localhost:3000, http://app.example.com"}, []string{"http://app.example.com is plain http"}},
		{"app before every page", map[string]string{"RP_ORIGIN": "android:apk-key-hash:" + strings.Repeat("A", 43) + ",https://app.example.com"}, []string{"put the origin of a page first"}},
		{"pages of every origin", map[string]string{"STEPKEY_CORS_ORIGINS": "*"}, []string{"STEPKEY_CORS_ORIGINS", `"*"`, "write it like https://app.example.com"}},
		{"pages of no origin", map[string]string{"STEPKEY_CORS_ORIGINS": "https://app.example.com, null"}, []string{"STEPKEY_CORS_ORIGINS", `"null"`, "write it like"}},
		{"two origins that are written wrongly", map[string]string{"STEPKEY_CORS_ORIGINS": "https://app.example.com/, http://shop.example.com"}, []string{"use https://app.example.com", "use https://shop.example.com"}},
		{"app origin elsewhere", map[string]string{"RP_ORIGIN": "https://app.example.com", "STEPKEY_APP_ORIGINS": "https://app.example.net"}, []string{"STEPKEY_APP_ORIGINS has https://app.example.net", "an iOS app uses https://app.example.com"}},
		{"app origin that may read answers", map[string]string{"RP_ORIGIN": "https://app.example.com", "RP_ID": "example.com", "STEPKEY_APP_ORIGINS": "https://example.com", "STEPKEY_CORS_ORIGINS": "https://x.example.com, https://example.com"}, []string{"STEPKEY_CORS_ORIGINS has https://example.com"}},
		{"related origin that is not", map[string]string{"RP_ORIGIN": "https://app.example.com", "STEPKEY_RELATED_ORIGINS": "https://app.example.net, https://x.app.example.com"}, []string{"STEPKEY_RELATED_ORIGINS has https://x.app.example.com", "list it in RP_ORIGIN"}},
		{"weak JWT_SECRET with https", map[string]string{"RP_ORIGIN": "https://app.example.com", "JWT_SECRET": "thel@stFlyD0g"}, []string{"JWT_SECRET has 13 bytes", "openssl rand -base64 32"}},
		{"short STEPKEY_SECRET", map[string]string{"STEPKEY_SECRET": "c2hvcnQ="}, []string{"STEPKEY_SECRET", "openssl rand -base64 32"}},
		{"short introspection secret", map[string]string{"STEPKEY_INTROSPECTION_SECRET": "hunter2"}, []string{"has 7 bytes"}},
		{"no time for the database", map[string]string{"STEPKEY_DB_TIMEOUT": "0s"}, []string{"STEPKEY_DB_TIMEOUT", "between"}},
		{"no end of waiting for Redis", map[string]string{"STEPKEY_REDIS_TIMEOUT": "1h"}, []string{"STEPKEY_REDIS_TIMEOUT", "between"}},
		{"negative time for a request", map[string]string{"STEPKEY_REQUEST_TIMEOUT": "-5s"}, []string{"STEPKEY_REQUEST_TIMEOUT", "between"}},
		{"time that is none", map[string]string{"STEPKEY_HASH_WAIT": "soon"}, []string{"hash-wait"}},
		{"algorithm that is none", map[string]string{"STEPKEY_TOKEN_ALGORITHM": "none"}, []string{"HS256"}},
		{"shared secret without an end", map[string]string{"JWT_SECRET": strings.Repeat("s", 32), "STEPKEY_TOKEN_ALGORITHM": "ES256"}, []string{"STEPKEY_JWT_SECRET_UNTIL"}},
		{"keys that live too short", map[string]string{"STEPKEY_KEY_LIFETIME": "1m"}, []string{"STEPKEY_KEY_LIFETIME"}},
		{"two databases", map[string]string{"DATABASE_URL": "sqlite:x.db", "DB_HOST": "localhost"}, []string{"both DATABASE_URL and DB_HOST"}},
		{"unknown database", map[string]string{"DATABASE_URL": "mysql://root:hunter2@localhost"}, []string{"neither postgres://"}},
		{"database that is not there", map[string]string{"DATABASE_URL": "postgres://stepkey:hunter2@127.0.0.1:1/stepkey"}, []string{"cannot use PostgreSQL"}},
		{"attestation roots that are not there", map[string]string{"STEPKEY_ATTESTATION_ROOTS": "roots.pem"}, []string{"STEPKEY_ATTESTATION_ROOTS cannot be read"}},
		{"attestation roots without certificates", map[string]string{"STEPKEY_ATTESTATION_ROOTS": os.DevNull}, []string{"no certificate in", "in PEM"}},
		{"every proxy", map[string]string{"STEPKEY_TRUSTED_PROXIES": "10.0.0.0/8, 0.0.0.0/0"}, []string{"STEPKEY_TRUSTED_PROXIES", "0.0.0.0/0", "your own proxies only"}},
		{"proxy by name", map[string]string{"STEPKEY_TRUSTED_PROXIES": "proxy.example.com"}, []string{`STEPKEY_TRUSTED_PROXIES has "proxy.example.com"`, "10.0.0.0/8"}},
		{"unknown header", map[string]string{"STEPKEY_TRUSTED_PROXIES": "::1", "STEPKEY_CLIENT_IP_HEADER": "X-Client"}, []string{"STEPKEY_CLIENT_IP_HEADER", "X-Forwarded-For"}},
		{"header of nobody", map[string]string{"STEPKEY_CLIENT_IP_HEADER": "Forwarded"}, []string{"STEPKEY_CLIENT_IP_HEADER", "list the addresses of your proxies"}},
		{"breaches elsewhere", map[string]string{"STEPKEY_BREACHED_PASSWORDS": "http://mirror.example.com"}, []string{"STEPKEY_BREACHED_PASSWORDS", "use https"}},
		{"breaches nowhere", map[string]string{"STEPKEY_BREACHED_PASSWORDS": "yes"}, []string{"STEPKEY_BREACHED_PASSWORDS is neither off, on nor"}},
		{"short passwords", map[string]string{"STEPKEY_MIN_PASSWORD_LENGTH": "4"}, []string{"STEPKEY_MIN_PASSWORD_LENGTH is 4", "between 8 and 64"}},
		{"no limits on a host", map[string]string{"RP_ORIGIN": "https://app.example.com", "STEPKEY_LIMITS": "off"}, []string{"STEPKEY_LIMITS is off", "turn it on"}},
		{"Redis that is none", map[string]string{"REDIS_URL": "http://:hunter2@localhost"}, []string{"REDIS_URL is not a Redis URL", "redis://"}},
		{"Redis that is not there", map[string]string{"REDIS_URL": "redis://:hunter2@127.0.0.1:1"}, []string{"cannot use the Redis of REDIS_URL"}},
		{"mail server without a sender", map[string]string{"SMTP_URL": "smtp://localhost:1025"}, []string{"set STEPKEY_MAIL_FROM"}},
		{"sender without a mail server", map[string]string{"STEPKEY_MAIL_FROM": "no-reply@example.com"}, []string{"set SMTP_URL"}},
		{"mail server that is none", map[string]string{"SMTP_URL": "mail.example.com:hunter2", "STEPKEY_MAIL_FROM": "no-reply@example.com"}, []string{"SMTP_URL", "smtp://user:password@"}},
		{"mail password for everybody to read", map[string]string{"SMTP_URL": "smtp://u:hunter2@mail.example.com?tls=off", "STEPKEY_MAIL_FROM": "no-reply@example.com"}, []string{"remove one of the two"}},
		{"sender that is none", map[string]string{"SMTP_URL": "smtp://localhost", "STEPKEY_MAIL_FROM": "Stepkey"}, []string{"STEPKEY_MAIL_FROM", "no-reply@example.com"}},
		{"links over http", map[string]string{"STEPKEY_PUBLIC_URL": "http://app.example.com"}, []string{"STEPKEY_PUBLIC_URL", "plain http"}},
		{"PORT that is no number", map[string]string{"PORT": "http"}, []string{"PORT"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			atHome(t)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			wantRefused(t, test.says...)
		})
	}
}

// wantRefused starts the service and expects that it does not start, and says why.
func wantRefused(t *testing.T, says ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience.Long)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"serve"}, &stdout, &stderr)
	if code == 0 || stdout.Len() > 0 {
		t.Fatalf("it started: %d %s", code, stdout.String())
	}
	for _, part := range says {
		if !strings.Contains(stderr.String(), part) {
			t.Errorf("it says %q, want %q in it", stderr.String(), part)
		}
	}
	for _, secret := range []string{"hunter2", "thel@st"} {
		if strings.Contains(stderr.String(), secret) {
			t.Errorf("it says a secret: %q", stderr.String())
		}
	}
}

func TestUnusableDataFolderStopsTheStart(t *testing.T) {
	t.Run("a file in its place", func(t *testing.T) {
		atHome(t)
		if err := os.WriteFile("data", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, "the data folder data cannot be made", "STEPKEY_DATA")
	})
	t.Run("secret that others can read", func(t *testing.T) {
		atHome(t)
		writeSecretFile(t, "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=\n", 0o644)
		wantRefused(t, "chmod o-rwx data/secret")
	})
	t.Run("secret that is none", func(t *testing.T) {
		atHome(t)
		writeSecretFile(t, "", 0o600)
		wantRefused(t, "does not hold a secret", "backup")
	})
	t.Run("database of another secret", func(t *testing.T) {
		atHome(t)
		t.Setenv("PORT", freePort(t))
		start(t).stop()
		if err := os.Remove("data/secret"); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, "another STEPKEY_SECRET")
	})
}

func writeSecretFile(t *testing.T, text string, mode os.FileMode) {
	t.Helper()
	if err := os.Mkdir("data", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("data", "secret"), []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// A volume in Kubernetes belongs to a group, so the group may have access; other users may not.
func TestSecretIsKeptFromOtherUsers(t *testing.T) {
	for mode, accepted := range map[os.FileMode]bool{
		0o600: true, 0o400: true, 0o640: true, 0o660: true, 0o670: true,
		0o604: false, 0o602: false, 0o601: false, 0o644: false, 0o666: false, 0o777: false,
	} {
		folder := t.TempDir()
		want, err := settings{Data: folder}.rootSecret()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, secretFile)
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		got, err := settings{Data: folder}.rootSecret()
		if accepted && (err != nil || got != want) {
			t.Errorf("mode %#o: %v, want the secret", mode, err)
		}
		if !accepted && (err == nil || !strings.Contains(err.Error(), "chmod o-rwx "+file)) {
			t.Errorf("mode %#o: %v, want a refusal that says how to change it", mode, err)
		}
	}
}

func TestOneSecretIsMade(t *testing.T) {
	folder := t.TempDir()
	secrets := make([]string, 8)
	var wg sync.WaitGroup
	for i := range secrets {
		wg.Go(func() {
			text, err := settings{Data: folder}.rootSecret()
			if err != nil {
				t.Error(err)
			}
			secrets[i] = text
		})
	}
	wg.Wait()
	for _, text := range secrets {
		if text == "" || text != secrets[0] {
			t.Fatal("processes that start at once have different secrets")
		}
	}
	left, err := filepath.Glob(filepath.Join(folder, ".secret-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("drafts are left behind: %v, %v", left, err)
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

func TestWhereItListens(t *testing.T) {
	for _, test := range []struct {
		settings settings
		want     string
	}{
		{settings{Port: 3000}, "localhost:3000"},
		{settings{Port: 3000, RPOrigin: []string{"http://localhost:3000", "http://app.localhost:3000"}}, "localhost:3000"},
		{settings{Port: 3000, RPOrigin: []string{"http://localhost:3000", "https://app.example.com"}}, ":3000"},
		{settings{Port: 3000, AppOrigins: []string{" android:apk-key-hash:" + strings.Repeat("A", 43)}}, ":3000"},
		{settings{Port: 3000, Host: "0.0.0.0"}, "0.0.0.0:3000"},
	} {
		if got := test.settings.address(); got != test.want {
			t.Errorf("%+v: %s, want %s", test.settings, got, test.want)
		}
	}
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

// compose passes settings on that are not set as empty ones.
func TestEmptySettingIsNone(t *testing.T) {
	atHome(t)
	for _, setting := range settingsOf(reflect.TypeFor[settings]()) {
		t.Setenv(setting.name, "")
	}
	wantCommand(t, 0, "current", "key", "list")
	if _, err := os.Stat("data/stepkey.db"); err != nil {
		t.Errorf("the data folder is not the default: %v", err)
	}
	t.Setenv("PORT", freePort(t))
	start(t)
}

// A misspelt setting is named at the start, whether the environment or .env has it.
func TestUnknownSettingsAreNamed(t *testing.T) {
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	t.Setenv("STEPKEY_TRUSTED_PROXY", "10.0.0.0/8")
	t.Setenv("STEPKEY_IMPORT_FROM", "") // of another command
	unset(t, "STEPKEY_SECRETS")         // restored when the test ends: run changes the environment
	if err := os.WriteFile(".env", []byte("STEPKEY_SECRETS=hunter2\nSTEPKEY_LOG_FORMAT=text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unset(t, "STEPKEY_LOG_FORMAT")
	said := start(t).stderr.String()
	for _, name := range []string{"STEPKEY_TRUSTED_PROXY", "STEPKEY_SECRETS"} {
		if !strings.Contains(said, name+" is not a setting") {
			t.Errorf("the start does not name %s: %s", name, said)
		}
	}
	if strings.Count(said, "is not a setting") != 2 || strings.Contains(said, "hunter2") {
		t.Errorf("the start says %s", said)
	}
}

// An empty variable does not hide what .env says.
func TestEmptyVariableLeavesTheFile(t *testing.T) {
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", "")
	if err := os.WriteFile(".env", []byte("STEPKEY_LIMITS=\nPORT="+port+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t)
	response, err := http.Get("http://localhost:" + port + "/livez")
	if err != nil {
		t.Fatalf("on the port of .env: %v", err)
	}
	response.Body.Close()
}

func TestHelpNamesEverySetting(t *testing.T) {
	atHome(t)
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"serve", "--help"}, &stdout, &stderr); code != 0 {
		t.Fatalf("%d: %s", code, stderr.String())
	}
	for _, setting := range settingsOf(reflect.TypeFor[settings]()) {
		if !strings.Contains(stdout.String(), "$"+setting.name) {
			t.Errorf("serve --help does not name %s", setting.name)
		}
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
