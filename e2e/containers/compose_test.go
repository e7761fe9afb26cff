//go:build containers

package containers_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/e2e/inbox"
)

// marker stands in .env while the image is built. It must not get into the image.
const marker = "not-for-the-image-5b0e9f1"

func random() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	return base64.StdEncoding.EncodeToString(raw)
}

// TestFromSignUpToStepUp is the way of somebody who tries Stepkey with compose.yaml and keeps it.
func TestFromSignUpToStepUp(t *testing.T) {
	// All characters of a password but those that .env itself treats as special.
	database := "p@ss:w/rd?%20+&=" + rand.Text()
	p := newProject(t, map[string]string{
		"DB_PASSWORD": database,
		// Settings for a service on this machine must not break one in a container.
		"STEPKEY_HOST": "localhost", "STEPKEY_DATA": "data", "DB_HOST": "localhost", "DB_PORT": "1",
	})
	p.up()
	for _, service := range []string{"stepkey", "db"} {
		if c := p.container(service); !healthy(c) || c.RestartCount != 0 {
			t.Errorf("%s: %+v, %d restarts", service, c.State, c.RestartCount)
		}
	}
	mira := newPerson(t, p.origin, "mira")
	seen := []string{database, password}
	note := func() { seen = append(seen, mira.access, mira.refresh) }

	mira.signUp()
	mira.logIn()
	note()
	mira.addPasskey()
	mira.stepUp()
	note()

	goesOn := func() {
		t.Helper()
		mira.goOn()
		note()
		mira.logIn()
		note()
		mira.stepUp()
		note()
	}
	p.compose("restart")
	p.up() // waits
	goesOn()
	p.compose("down")
	if left := run(t, "ps", "--all", "--quiet"); left != "" {
		t.Errorf("containers are left after down: %s", left)
	}
	p.up()
	goesOn()

	if users := p.compose("exec", "-T", "stepkey", "/stepkey", "user", "list"); !strings.Contains(users, "mira") {
		t.Errorf("stepkey user list in the container: %s", users)
	}
	logs := p.compose("logs", "--no-color", "stepkey")
	if !strings.Contains(logs, "Stepkey is ready at "+p.origin+" (PostgreSQL on db)") {
		t.Errorf("the log does not say where it is ready:\n%s", logs)
	}
	for _, secret := range seen {
		if secret == "" || strings.Contains(logs, secret) {
			t.Error("a password or a token is in the log, or there is none to look for")
		}
	}

	p.compose("stop", "stepkey")
	// 137 would say that Docker lost patience and killed it.
	if c := p.container("stepkey"); c.State.Status != "exited" || c.State.ExitCode != 0 {
		t.Errorf("after docker compose stop: %+v, want an exit with 0", c.State)
	}
}

func TestServiceHasNoRightsItDoesNotNeed(t *testing.T) {
	p := newProject(t, map[string]string{"DB_PASSWORD": "chosen"}, "--profile", "mail")
	p.up()
	for service, inner := range map[string]string{"stepkey": "3000/tcp", "mail": "8025/tcp"} {
		c := p.container(service)
		host := c.HostConfig
		if !host.ReadonlyRootfs || !slices.Equal(host.CapDrop, []string{"ALL"}) ||
			!slices.Contains(host.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: %+v", service, host)
		}
		if bound := host.PortBindings[inner]; len(host.PortBindings) != 1 || len(bound) != 1 || bound[0].HostIP != "127.0.0.1" {
			t.Errorf("%s is published as %v, want %s on 127.0.0.1 only", service, host.PortBindings, inner)
		}
	}
	if user := p.container("stepkey").Config.User; user != "65532:65532" {
		t.Errorf("it runs as %q", user)
	}
	if ports := p.container("db").HostConfig.PortBindings; len(ports) != 0 {
		t.Errorf("the database is published as %v", ports)
	}
}

// TestSettingsTakeEffect sets what an earlier compose.yaml dropped, and sees it at work. That every setting gets into the
// container is tested in tools/container.
func TestSettingsTakeEffect(t *testing.T) {
	secret := random()
	p := newProject(t, map[string]string{
		"DB_PASSWORD": "chosen", "STEPKEY_LOG_FORMAT": "json", "STEPKEY_CORS_ORIGINS": "https://shop.example.com",
		"STEPKEY_SECRET": secret, "JWT_SECRET": "'" + random() + "$x'", "STEPKEY_KEY_LIFETIME": "",
	})
	p.up()
	// Requests come through the gateway of the project's network, as those of a proxy on this machine do.
	gateway := run(t, "network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", "stepkey_default")
	env, err := os.OpenFile(filepath.Join(p.folder, ".env"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(env, "STEPKEY_TRUSTED_PROXIES=%s\n", gateway)
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	p.up() // makes the container anew, with the changed settings

	mira := newPerson(t, p.origin, "mira")
	mira.signUp()
	mira.logIn("X-Forwarded-For", "203.0.113.7")
	if sessions := mira.call("GET", "/auth/sessions", nil, http.StatusOK); !strings.Contains(string(sessions), "203.0.113.0/24") {
		t.Errorf("STEPKEY_TRUSTED_PROXIES: the session does not come from the client's address: %s", sessions)
	}
	header, _, _ := strings.Cut(mira.access, ".")
	if raw, err := base64.RawURLEncoding.DecodeString(header); err != nil || !strings.Contains(string(raw), "HS256") {
		t.Errorf("JWT_SECRET: the token's header is %s (%v)", raw, err)
	}
	request, err := http.NewRequestWithContext(t.Context(), "GET", p.origin+"/users/profile", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", "https://shop.example.com")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if got := response.Header.Get("Access-Control-Allow-Origin"); got != "https://shop.example.com" {
		t.Errorf("STEPKEY_CORS_ORIGINS: Access-Control-Allow-Origin is %q", got)
	}
	logs := p.compose("logs", "--no-color", "--no-log-prefix", "stepkey")
	if !strings.Contains(logs, "\n{") {
		t.Errorf("STEPKEY_LOG_FORMAT: no JSON in\n%s", logs)
	}
	if strings.Contains(logs, secret) {
		t.Error("the log holds STEPKEY_SECRET")
	}
}

// TestTwoDatabasesAreRefused: an operator who sets DATABASE_URL must not find an empty database instead.
func TestTwoDatabasesAreRefused(t *testing.T) {
	p := newProject(t, map[string]string{"DB_PASSWORD": "chosen", "DATABASE_URL": "postgres://elsewhere.example.com/stepkey"})
	p.compose("up", "--detach", "--no-build", "--pull", "never")
	id := p.container("stepkey").ID
	waitFor(t, id, "restarting", func(c container) bool { return c.RestartCount > 0 })
	if logs := p.compose("logs", "--no-color", "stepkey"); !strings.Contains(logs, "both DATABASE_URL and DB_HOST are set") {
		t.Errorf("the log does not say why:\n%s", logs)
	}
}

func TestMailProfile(t *testing.T) {
	port := freePort(t)
	p := newProject(t, map[string]string{
		"DB_PASSWORD": "chosen", "MAIL_PORT": port,
		// As .env.example has them behind a #.
		"SMTP_URL": "smtp://mail:1025?tls=off", "STEPKEY_MAIL_FROM": "no-reply@example.com",
	}, "--profile", "mail")
	p.up()
	mira := newPerson(t, p.origin, "mira")
	mira.signUp()
	mira.logIn()
	mira.call("POST", "/account/email", map[string]string{"email": "mira@example.net"}, http.StatusAccepted)

	caught := &person{t: t, origin: "http://127.0.0.1:" + port}
	deadline := time.Now().Add(patience)
	for decode[struct{ Total int }](caught.call("GET", "/api/v1/messages", nil, http.StatusOK)).Total == 0 {
		if time.Now().After(deadline) {
			t.Fatal("no mail came")
		}
		time.Sleep(200 * time.Millisecond)
	}
	mail := decode[struct {
		Text, HTML string
		From       struct{ Address string }
		To         []struct{ Address string }
	}](caught.call("GET", "/api/v1/message/latest", nil, http.StatusOK))
	if mail.From.Address != "no-reply@example.com" || len(mail.To) != 1 || mail.To[0].Address != "mira@example.net" {
		t.Errorf("the mail goes from %v to %v", mail.From, mail.To)
	}
	token, err := inbox.Mail{Text: mail.Text, HTML: mail.HTML}.Token(p.origin, "/confirm-email")
	if err != nil {
		t.Fatal(err)
	}
	mira.call("POST", "/account/email/verify", map[string]string{"token": token}, http.StatusOK)
	if email := mira.call("GET", "/account/email", nil, http.StatusOK); !strings.Contains(string(email), "mira@example.net") {
		t.Errorf("the address is not confirmed: %s", email)
	}
}

func TestSettingsOfTheBuildDoNotGetIntoTheImage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image.tar")
	run(t, "save", "--output", file, ourImage)
	image, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	goproxy, err := exec.Command("go", "env", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{".env": marker, "GOPROXY": "GOPROXY=" + strings.TrimSpace(string(goproxy))} {
		if strings.Contains(string(image), text) {
			t.Errorf("the image holds %s", what)
		}
	}
}
