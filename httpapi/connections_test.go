package httpapi

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

// bounded is a real server with room for few connections and a clock that the
// test sets.
type bounded struct {
	t       *testing.T
	address string
	all     *connections

	mu  sync.Mutex
	now time.Time

	entered chan struct{} // a request for /work is being worked on
	proceed chan struct{} // closed to let it finish
}

func newBounded(t *testing.T, limit int) *bounded {
	t.Helper()
	b := &bounded{t: t, entered: make(chan struct{}), proceed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			fmt.Fprint(w, "ok")
		}
	})
	mux.HandleFunc("/work", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		b.entered <- struct{}{}
		<-b.proceed
		fmt.Fprint(w, "done")
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for chunk := make([]byte, 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	server := NewServer(mux, ServerOptions{MaxConnections: 1})
	b.all = newConnections(limit)
	b.all.now = b.time
	server.Handler = mux
	b.all.follow(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.address = listener.Addr().String()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return b
}

func (b *bounded) time() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bounded) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// client is one connection to the server.
type client struct {
	t    *testing.T
	conn net.Conn
	read *bufio.Reader
}

// dial opens a connection and sends text on it. It returns when the server waits
// for next on it: connections are taken in the order of the calls.
func (b *bounded) dial(text string, next phase) *client {
	b.t.Helper()
	before := b.count(next)
	conn, err := net.Dial("tcp", b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	c := &client{b.t, conn, bufio.NewReader(conn)}
	c.send(text)
	b.until(next, before+1)
	return c
}

// until waits until so many connections are in a phase.
func (b *bounded) until(p phase, count int) {
	b.t.Helper()
	for end := time.Now().Add(patience.Long); b.count(p) != count; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%d connections in phase %d, want %d", b.count(p), p, count)
		}
	}
}

func (b *bounded) count(p phase) int {
	b.all.mu.Lock()
	defer b.all.mu.Unlock()
	if p == working {
		waiting := 0
		for i := range b.all.waiting {
			waiting += b.all.waiting[i].length
		}
		return len(b.all.known) - waiting
	}
	return b.all.waiting[p].length
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

// answers reads one answer and fails the test unless it has this body.
func (c *client) answers(body string) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience.Long))
	response, err := http.ReadResponse(c.read, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	got, err := io.ReadAll(response.Body)
	if err != nil || string(got) != body {
		c.t.Fatalf("%d %q, %v; want %q", response.StatusCode, got, err, body)
	}
}

// isClosed fails the test unless the server has closed the connection.
func (c *client) isClosed() {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience.Long))
	if n, err := io.Copy(io.Discard, c.read); errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("the connection is open (%d bytes)", n)
	}
}

const (
	get   = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	work  = "GET /work HTTP/1.1\r\nHost: a\r\n\r\n"
	part  = "GET / HTTP/1.1\r\nHo"
	body  = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1"
	drain = "GET /endless HTTP/1.1\r\nHost: a\r\n\r\n"
)

func TestLongestIdleConnectionMakesRoom(t *testing.T) {
	b := newBounded(t, 3)
	silent := b.dial("", idle)
	used := b.dial("", idle)
	other := b.dial("", idle)
	used.send(get)
	used.answers("ok")
	b.until(idle, 3)

	fresh := b.dialBeside(get)
	fresh.answers("ok")
	silent.isClosed()
	b.until(idle, 3)

	// The one that was used is younger than the one that came after it.
	again := b.dialBeside(get)
	again.answers("ok")
	other.isClosed()
	used.send(get)
	used.answers("ok")
}

// dialBeside opens a connection where there is no room and sends text.
func (b *bounded) dialBeside(text string) *client {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	c := &client{b.t, conn, bufio.NewReader(conn)}
	_, _ = io.WriteString(conn, text) // fails if it was closed, which the test looks at
	return c
}

func TestRequestUnderWayIsNeverDisplaced(t *testing.T) {
	b := newBounded(t, 2)
	first := b.dialBeside(work)
	<-b.entered
	second := b.dialBeside(strings.Replace(work, "\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n12", 1))
	<-b.entered
	b.pass(time.Hour)
	b.dialBeside(get).isClosed()
	close(b.proceed)
	first.answers("done")
	second.answers("done")
	b.until(idle, 2)
	b.dialBeside(get).answers("ok")
}

// Headers that arrive in dribs are no request yet, and a body that does is not one
// that we are working on.
func TestSlowRequestMakesRoom(t *testing.T) {
	for name, test := range map[string]struct {
		sent string
		in   phase
	}{
		"headers": {part, idle}, "body": {body, receiving},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBounded(t, 1)
			slow := b.dial(test.sent, test.in)
			b.dialBeside(get).answers("ok")
			slow.isClosed()
		})
	}
}

// A slow reader keeps its place while it may be honest, and loses it to others when it
// is not.
func TestSlowReaderMakesRoom(t *testing.T) {
	b := newBounded(t, 1)
	slow := b.dial(drain, answering)
	b.pass(stalled)
	b.dialBeside(get).isClosed()
	b.pass(time.Nanosecond)
	b.dialBeside(get).answers("ok")
	slow.isClosed()
}

func TestIdleConnectionGoesBeforeASlowRequest(t *testing.T) {
	b := newBounded(t, 2)
	slow := b.dial(body, receiving)
	silent := b.dial("", idle)
	b.pass(time.Minute)
	b.dialBeside(get).answers("ok")
	silent.isClosed()
	slow.send("2")
	slow.answers("ok")
}

// Whatever ends a connection, its place is free again.
func TestClosedConnectionsAreForgotten(t *testing.T) {
	b := newBounded(t, 4)
	for range 3 {
		var open []*client
		open = append(open, b.dial("", idle), b.dial(part, idle), b.dial(body, receiving))
		served := b.dialBeside(get)
		served.answers("ok")
		for _, c := range append(open, served) {
			_ = c.conn.Close()
		}
		for _, p := range []phase{idle, receiving, answering, working} {
			b.until(p, 0)
		}
	}
}

// A crowd of silent connections costs those who do speak nothing.
func TestCrowdOfSilentConnections(t *testing.T) {
	b := newBounded(t, 16)
	for range 200 {
		b.dialBeside("")
		b.dialBeside(get).answers("ok")
	}
	b.all.mu.Lock()
	defer b.all.mu.Unlock()
	if n := len(b.all.known); n > 16 {
		t.Errorf("%d connections, want 16 at most", n)
	}
}

func TestNoHTTP2(t *testing.T) {
	b := newBounded(t, 4)
	c := b.dialBeside("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	_ = c.conn.SetReadDeadline(time.Now().Add(patience.Long))
	answer, _ := io.ReadAll(c.read)
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) {
		t.Errorf("the preface of HTTP/2 is answered with %q, want 400", answer)
	}
	upgrade := b.dialBeside("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
	upgrade.answers("ok")
}
