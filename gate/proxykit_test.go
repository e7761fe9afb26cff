package gate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepkey/stepkey/gate/rules"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/token"
)

// changing is an Ended whose answer changes. It counts how often it is asked.
type changing struct {
	atomic.Pointer[endedState]
	asked atomic.Int32
}

func (c *changing) Ended(token.Claims) (bool, error) {
	c.asked.Add(1)
	s := c.Load()
	return s.ended, s.err
}

func (c *changing) Lowered(_ string, _ int64) (bool, error) {
	s := c.Load()
	return s.lowered, s.err
}

// proxied is a proxy behind a trusted one, which the tests play, in front of an application.
type proxied struct {
	fixture
	proxy    *Proxy
	server   *httptest.Server
	sessions changing
	trusted  atomic.Bool
	reached  chan *http.Request // what the application got, if app is not set
	app      atomic.Pointer[http.HandlerFunc]
}

func newProxied(t *testing.T, more string, configure func(*ProxyOptions)) *proxied {
	t.Helper()
	key, err := token.NewSecretKey([]byte(strings.Repeat("k", 32)), false)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxied{reached: make(chan *http.Request, 100)}
	p.keys = token.NewKeyring(key)
	p.sessions.Store(&endedState{})
	p.trusted.Store(true)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if app := p.app.Load(); app != nil {
			(*app)(w, r)
			return
		}
		p.reached <- r
	}))
	t.Cleanup(upstream.Close)
	address, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	file := corpusRules(t, more)
	options := ProxyOptions{
		Options: Options{
			Rules: func() *rules.File { return file }, Sessions: NewTokenSessions(verifier(p.keys), &p.sessions),
			TrustsPeer: func(string) bool { return p.trusted.Load() }, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		},
		Upstream: address,
	}
	if configure != nil {
		configure(&options)
	}
	if p.proxy, err = NewProxy(options); err != nil {
		t.Fatal(err)
	}
	p.server = httptest.NewUnstartedServer(p.proxy)
	p.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	p.server.Config.DisableGeneralOptionsHandler = true
	p.server.Start()
	t.Cleanup(p.server.Close)
	t.Cleanup(p.proxy.Close) // before the server waits for streams
	return p
}

// serve has app answer in place of recording.
func (p *proxied) serve(app http.HandlerFunc) { p.app.Store(&app) }

// head writes a request line and headers: those of the trusted proxy, and of lines, written
// as for fixture.ask.
func (p *proxied) head(method, target string, lines ...string) string {
	headers := [][2]string{{"Host", "app.example.com"}, {"X-Forwarded-Proto", "https"}}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		added, adds := strings.CutPrefix(name, "+")
		if name == "peer" {
			p.trusted.Store(false)
			continue
		}
		if !adds {
			headers = slices.DeleteFunc(headers, func(h [2]string) bool { return strings.EqualFold(h[0], name) })
		}
		if value != "" || adds {
			headers = append(headers, [2]string{added, value})
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, target)
	for _, h := range headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	return b.String() + "\r\n"
}

// dial connects to the proxy.
func (p *proxied) dial(t *testing.T) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", p.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience.Long)); err != nil {
		t.Fatal(err)
	}
	return &wire{conn, bufio.NewReader(conn)}
}

// wire is one connection.
type wire struct {
	net.Conn
	in *bufio.Reader
}

// send writes text and reads an answer with its body.
func (w *wire) send(t *testing.T, text string) *http.Response {
	t.Helper()
	if _, err := io.WriteString(w.Conn, text); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(text, " ")
	response, err := http.ReadResponse(w.in, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.80q: %v", text, err)
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return response
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response
}

// ends reports whether the proxy closes the connection.
func (w *wire) ends() bool {
	_, err := io.Copy(io.Discard, w.in)
	return err == nil || !errors.Is(err, context.DeadlineExceeded)
}

// try makes one request on a connection of its own. The second result is what reached the
// application, or nil.
func (p *proxied) try(t *testing.T, method, target string, lines ...string) (*http.Response, *http.Request) {
	t.Helper()
	return p.tryText(t, p.head(method, target, lines...))
}

func (p *proxied) tryText(t *testing.T, text string) (*http.Response, *http.Request) {
	t.Helper()
	w := p.dial(t)
	defer w.Close()
	response := w.send(t, text)
	select {
	case r := <-p.reached:
		return response, r
	default:
		return response, nil
	}
}
