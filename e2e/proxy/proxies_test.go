package proxy_test

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/e2e/front"
)

// proxy is one to be started: its program, and how to run it in a folder with the configuration from examples.
type proxy struct {
	name, example string

	// replace says what stands in the example for addresses, names and files, in pairs.
	replace func(place) []string

	// command runs the program with the configuration text in dir.
	command func(t *testing.T, dir, configuration string) *exec.Cmd
}

// place is where a proxy is and what it leads to.
type place struct {
	https, http string // addresses to listen on
	names       []string
	certificate front.Certificate
	instances   [2]string // addresses
}

var proxies = []proxy{
	{
		name: "nginx", example: "../../examples/nginx/stepkey.conf",
		replace: func(p place) []string {
			return []string{
				"listen 443", "listen " + p.https, "listen 80", "listen " + p.http,
				"server_name auth.example.com;\n\n", "server_name " + strings.Join(p.names, " ") + ";\n\n",
				"/etc/ssl/auth.example.com/fullchain.pem", p.certificate.Chain,
				"/etc/ssl/auth.example.com/privkey.pem", p.certificate.Key,
				"127.0.0.1:3001", p.instances[0], "127.0.0.1:3002", p.instances[1],
			}
		},
		command: front.Nginx,
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
				"/etc/ssl/auth.example.com/fullchain.pem", p.certificate.Chain,
				"/etc/ssl/auth.example.com/privkey.pem", p.certificate.Key,
				"127.0.0.1:3001", p.instances[0], "127.0.0.1:3002", p.instances[1],
			}
		},
		command: front.Caddy,
	},
}

// start runs the proxy until the test ends.
func (p proxy) start(t *testing.T, at place) {
	t.Helper()
	dir := t.TempDir()
	command := p.command(t, dir, front.Replace(t, front.Read(t, p.example), p.replace(at)...))
	front.Start(t, command, dir, at.https, at.http)
}
