//go:build containers

package containers_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/e2e/front"
)

const example = root + "/examples/gate/"

// The compose files of examples/gate start the proxy, Stepkey and the apps, in one network: apps get what the rules let through,
// all else leads to Stepkey's pages, and nobody outside reaches what the proxy asks. e2e/gate tests the configurations themselves.
func TestGateExample(t *testing.T) {
	for proxy, files := range map[string][]string{
		"Caddy": {"compose.yaml"},
		"nginx": {"compose.yaml", "compose.nginx.yaml"},
	} {
		t.Run(proxy, func(t *testing.T) {
			client := startGateExample(t, files)
			for _, want := range []struct {
				address, lead string
				status        int
				text          string // in the answer
			}{
				{"https://app.example.com/public/a", "", 200, "GET /public/a HTTP/1.1"},
				{"https://shop.example.net/catalogue/b", "", 200, "GET /catalogue/b HTTP/1.1"},
				{"https://app.example.com/orders", "https://app.example.com/_stepkey/start?", 303, ""},
				{"https://app.example.com/internal/x", "", 403, "You have no access"},
				{"https://auth.example.com/sign-in", "", 200, "<h1"},
				{"https://auth.example.com/forward-auth", "", 404, ""},
			} {
				response, body := navigate(t, client, want.address)
				if response.StatusCode != want.status || !strings.HasPrefix(response.Header.Get("Location"), want.lead) || !strings.Contains(body, want.text) {
					t.Errorf("%s: %s to %q, want %d to %q with %q:\n%.500s", want.address, response.Status, response.Header.Get("Location"),
						want.status, want.lead, want.text, body)
				}
				if strings.Contains(body, forged) {
					t.Errorf("%s: the app is told of a user by the client:\n%s", want.address, body)
				}
			}
		})
	}
}

// startGateExample starts the example with certificates of its own, and returns a client for its hosts.
func startGateExample(t *testing.T, files []string) *http.Client {
	t.Helper()
	port := freePort(t)
	p := &project{t: t, folder: t.TempDir()}
	certificate := front.NewCertificate(t, "app.example.com", "shop.example.net", "auth.example.com")
	// The ports of a machine on which others work, too.
	override := "services: {proxy: {ports: !override [\"127.0.0.1:" + port + ":443\"]}}\n"
	p.write("test.yaml", override)
	for _, name := range append([]string{"Caddyfile", "nginx.conf", "rules.toml"}, files...) {
		copyFile(t, example+name, filepath.Join(p.folder, name))
	}
	copyFile(t, certificate.Chain, filepath.Join(p.folder, "certificates", "fullchain.pem"))
	copyFile(t, certificate.Key, filepath.Join(p.folder, "certificates", "privkey.pem"))
	for _, name := range append(files, "test.yaml") {
		p.flags = append(p.flags, "-f", name)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the containers wrote:\n%s", p.compose("logs", "--no-color"))
		}
		p.compose("down", "--volumes", "--timeout", "30")
	})
	p.compose("up", "--detach", "--no-build", "--pull", "never")
	client := &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: certificate.Roots},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		response, err := client.Get("https://auth.example.com/livez")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return client
			}
			err = errors.New(response.Status)
		}
		if time.Now().After(end) {
			t.Fatalf("Stepkey does not answer behind the proxy: %v", err)
		}
	}
}

// copyFile copies a file so that every user of a container can read it.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, text, 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// forged is the user that a client names.
const forged = "mallory"

// navigate opens an address as a browser does, with a header that only Stepkey may set, and does not follow where it leads.
func navigate(t *testing.T, client *http.Client, address string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"none"}}
	request.Header.Set("X-Stepkey-User", forged)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}
