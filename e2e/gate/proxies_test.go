package gate_test

import (
	"flag"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/e2e/front"
	"github.com/stepkey/stepkey/internal/patience"
)

const examples = "../../examples/gate/"

// Debian has no Traefik, and compiling it takes a quarter of an hour.
var traefik = flag.String("traefik", "", "the program of Traefik 3.7, whose tests do not run without it")

// proxy is one to be started with its files of examples/gate.
type proxy struct {
	name string

	// command prepares the proxy to be run in dir. It gets the files by read.
	command func(t *testing.T, s *site, dir string, read func(file string) string) *exec.Cmd
}

var (
	caddy = proxy{"caddy", func(t *testing.T, s *site, dir string, read func(string) string) *exec.Cmd {
		host, port, _ := net.SplitHostPort(s.https)
		_, plain, _ := net.SplitHostPort(s.http)
		return front.Caddy(t, dir, front.Replace(t, read("Caddyfile"), s.replacements(
			"admin localhost:2019", "admin unix/admin", // in the folder it runs in
			"http_port 80\n", "http_port "+plain+"\n",
			"https_port 443\n", "https_port "+port+"\n\tdefault_bind "+host+"\n")...))
	}}
	nginx = proxy{"nginx", func(t *testing.T, s *site, dir string, read func(string) string) *exec.Cmd {
		return front.Nginx(t, dir, front.Replace(t, read("nginx.conf"), s.replacements(
			"listen 443", "listen "+s.https, "listen 80", "listen "+s.http)...))
	}}
	traefik3 = proxy{"traefik", func(t *testing.T, s *site, dir string, read func(string) string) *exec.Cmd {
		front.WriteFile(t, filepath.Join(dir, "traefik-dynamic.yaml"), front.Replace(t, read("traefik-dynamic.yaml"), s.replacements()...))
		front.WriteFile(t, filepath.Join(dir, "traefik.yaml"), front.Replace(t, read("traefik.yaml"),
			`":80"`, `"`+s.http+`"`, `":443"`, `"`+s.https+`"`))
		return exec.Command(*traefik, "--configFile=traefik.yaml")
	}}
)

func proxies() []proxy {
	if *traefik == "" {
		return []proxy{caddy, nginx}
	}
	return []proxy{caddy, nginx, traefik3}
}

// replacements are those of every file, with more.
func (s *site) replacements(more ...string) []string {
	return append(more,
		"/etc/ssl/example/fullchain.pem", s.certificate.Chain, "/etc/ssl/example/privkey.pem", s.certificate.Key,
		"127.0.0.1:3000", s.stepkey, "127.0.0.1:8080", s.apps["app"].address, "127.0.0.1:8081", s.apps["shop"].address)
}

// edit is a change of the files: another text in the place of one.
type edit struct{ old, instead string }

// start runs the proxy until the test ends, with its files as they are but for the edits. Each of these has to find its
// text.
func (p proxy) start(t *testing.T, s *site, edits ...edit) {
	t.Helper()
	s.https, s.http = front.FreeAddress(t), front.FreeAddress(t)
	dir := t.TempDir()
	done := make([]bool, len(edits))
	command := p.command(t, s, dir, func(file string) string {
		text := front.Read(t, examples+file)
		for i, e := range edits {
			done[i] = done[i] || strings.Contains(text, e.old)
			text = strings.ReplaceAll(text, e.old, e.instead)
		}
		return text
	})
	if i := slices.Index(done, false); i >= 0 {
		t.Fatalf("the configuration does not contain %q", edits[i].old)
	}
	front.Start(t, command, dir, s.https, s.http)
	// Traefik opens before it has read all of its configuration.
	for end := time.Now().Add(patience.Long); ; time.Sleep(20 * time.Millisecond) {
		status, _, err := s.exchange(authHost, "GET /livez HTTP/1.1\r\nConnection: close\r\nHost: "+authHost+"\r\n\r\n")
		if status == http.StatusOK {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not lead to Stepkey: %d, %v", p.name, status, err)
		}
	}
}

// through runs a test behind each proxy.
func through(t *testing.T, test func(*testing.T, *site)) {
	t.Helper()
	s := newSite(t)
	for _, p := range proxies() {
		t.Run(p.name, func(t *testing.T) {
			behind := s.behind(t, p.name)
			p.start(t, behind)
			test(t, behind)
		})
	}
}
