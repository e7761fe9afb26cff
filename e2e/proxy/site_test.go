package proxy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/e2e/browser"
	"github.com/stepkey/stepkey/e2e/front"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
)

// The names that lead to the proxy. Of pages, the first and the second are configured, the second as a related origin.
const (
	host     = "auth.example.com"
	related  = "shop.example.net"
	stranger = "pay.example.org"
	sibling  = "other.auth.example.com"

	origin = "https://" + host
)

// trusting makes Stepkey believe the proxy.
const trusting = "STEPKEY_TRUSTED_PROXIES=127.0.0.1"

// site is two instances of Stepkey behind a proxy.
type site struct {
	t         *testing.T
	place     place
	instances [2]*browser.Server
}

// throughBoth runs a test behind each proxy.
func throughBoth(t *testing.T, test func(*testing.T, *site), settings ...string) {
	t.Helper()
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) { test(t, newSite(t, p, settings...)) })
	}
}

func newSite(t *testing.T, p proxy, settings ...string) *site {
	t.Helper()
	front.Find(t, p.name)
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	settings = append([]string{
		"RP_ORIGIN=" + origin, "STEPKEY_DEMO=on", "STEPKEY_HOST=127.0.0.1", "STEPKEY_LIMITS=on", "STEPKEY_RELATED_ORIGINS=https://" + related,
		"DATABASE_URL=" + pgtest.NewDatabase(t), "STEPKEY_SECRET=" + base64.StdEncoding.EncodeToString(secret),
	}, settings...)
	names := []string{host, related, stranger, sibling}
	s := &site{t: t, place: place{names: names, certificate: front.NewCertificate(t, names...)}}
	for i := range s.instances {
		server, err := browser.Serve(program, t.TempDir(), settings...)
		if err != nil {
			t.Fatal(err)
		}
		s.instances[i], s.place.instances[i] = server, "127.0.0.1:"+server.Port
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("instance %d wrote:\n%s", i, server.Log())
			}
			if s.instances[i] == nil {
				return // stopped by the test
			}
			if err := server.Stop(); err != nil {
				t.Errorf("stop stepkey: %v", err)
			}
		})
	}
	s.place.https, s.place.http = front.FreeAddress(t), front.FreeAddress(t)
	p.start(t, s.place)
	return s
}

// client is somebody who comes from an address of this machine, with a browser's cookies. It speaks HTTP/1.1, in which
// more can be forged; the browser speaks HTTP/2.
type client struct {
	t    *testing.T
	http *http.Client
}

// from returns a client that connects from an address in 127.0.0.0/8.
func (s *site) from(address string) client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.place.certificate.Roots},
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if strings.HasSuffix(to, ":80") {
				return dialer.DialContext(ctx, network, s.place.http)
			}
			return dialer.DialContext(ctx, network, s.place.https)
		},
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return client{s.t, &http.Client{
		Transport: transport, Jar: jar, Timeout: patience.Long,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response that has been read.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// do sends a request with headers in pairs. A body that is no bytes goes as JSON.
func (c client) do(method, url string, body any, headers ...string) answer {
	c.t.Helper()
	raw, ready := body.([]byte)
	if !ready && body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			c.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, url, bytes.NewReader(raw))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	response, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{c.t, response.StatusCode, response.Header, read}
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// decode reads the answer's JSON.
func decode[T any](a answer) (value T) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, &value); err != nil {
		a.t.Fatalf("%v: %.500s", err, a.body)
	}
	return value
}

func (a answer) code() string { return decode[struct{ Code string }](a).Code }

type object map[string]any

const password = "stairs and a keyhole"

// account is the body of sign-up and, with refresh, of sign-in.
func account(name, refresh string) object {
	return object{"username": name, "password": password, "refresh": refresh}
}

func (c client) signUp(name string) {
	c.t.Helper()
	c.do("POST", origin+"/auth/signup", object{"username": name, "password": password}).want(http.StatusCreated)
}

// signIn returns an access token.
func (c client) signIn(name, refresh string, headers ...string) string {
	c.t.Helper()
	a := c.do("POST", origin+"/auth/login", account(name, refresh), headers...).want(http.StatusCreated)
	return decode[struct{ AccessToken string }](a).AccessToken
}

func (c client) newUser(name string) (token string) {
	c.t.Helper()
	c.signUp(name)
	return c.signIn(name, "")
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// answeredBy returns the instance that gave an answer, whose log has its id. Lines come to the log a few milliseconds later.
func (s *site) answeredBy(a answer) int {
	a.t.Helper()
	line := "request=" + a.header.Get("X-Request-Id") + " "
	for end := time.Now().Add(patience.Long); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for i, server := range s.instances {
			if strings.Contains(server.Log(), line) {
				return i
			}
		}
	}
	a.t.Fatalf("no instance has logged %q", line)
	return -1
}

// handled counts the requests that an instance has answered of the routes that begin so.
func handled(server *browser.Server, route string) int {
	return strings.Count(server.Log(), "route="+route)
}
