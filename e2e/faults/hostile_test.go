package faults_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
)

// strangers are connections that are up to no good. They end with the test.
type strangers struct {
	t       *trial
	address string
	stopped chan struct{}
	all     sync.WaitGroup

	mu    sync.Mutex
	lived []time.Duration // of those that the server ended
}

func newStrangers(t *trial, s *server) *strangers {
	x := &strangers{t: t, address: strings.TrimPrefix(s.url, "http://"), stopped: make(chan struct{})}
	t.Cleanup(x.leave)
	return x
}

func (x *strangers) leave() {
	select {
	case <-x.stopped:
	default:
		close(x.stopped)
	}
	x.all.Wait()
}

// come opens n connections, each of which sends first and then more every second,
// reads nothing, and stays for as long as the server lets it.
func (x *strangers) come(n int, first, more string) {
	for range n {
		conn, err := net.Dial("tcp", x.address)
		if err != nil {
			x.t.Errorf("a stranger: %v", err)
			return
		}
		x.all.Go(func() { x.stay(conn, first, more) })
	}
}

func (x *strangers) stay(conn net.Conn, first, more string) {
	defer conn.Close()
	began := time.Now()
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	next := first
	for {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := io.WriteString(conn, next); err != nil && !isTimeout(err) {
			x.mu.Lock()
			x.lived = append(x.lived, time.Since(began))
			x.mu.Unlock()
			return
		}
		next = more
		select {
		case <-x.stopped:
			return
		case <-time.After(time.Second):
		}
	}
}

func isTimeout(err error) bool {
	network, ok := err.(net.Error)
	return ok && network.Timeout()
}

// outlast waits until the server has ended n connections, but not for ever.
func (x *strangers) outlast(n int) {
	for until := time.Now().Add(patience.Long); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		if ended, _ := x.ended(); ended >= n {
			return
		}
	}
}

// ended tells how many connections the server has ended and the longest life of one.
func (x *strangers) ended() (n int, longest time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.lived) == 0 {
		return 0, 0
	}
	return len(x.lived), slices.Max(x.lived)
}

// newcomersConnect returns a client that connects anew for each request, as people
// do who come for the first time.
func newcomersConnect(t testing.TB, s *server) *client {
	c := newClient(t, s)
	c.http.Transport = &http.Transport{DisableKeepAlives: true}
	return c
}

// ordinary does for a while what people do. One reads and another one signs in, because so many sign-ins end a user's oldest session.
func (l *ledger) ordinary(c *client, d time.Duration) {
	l.Helper()
	p, other := l.people[0], l.people[1]
	for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		want(l, "login beside strangers", c.insist(func() answer { return c.logIn(other.name) }), http.StatusCreated)
		want(l, "a guarded route beside strangers", c.profile(p.password), http.StatusOK)
	}
	if n := c.outcomes()["no connection"]; n > 0 {
		l.Errorf("%d ordinary requests found no connection", n)
	}
}

func TestF22Slowloris(t *testing.T) {
	r := try(t, row{
		22, "Slow clients: headers, bodies and readers",
		"more connections than the service holds, each sending a byte a second of a header, or of a body, or asking for much and reading nothing",
		"they are ended after 5, 10 and 15 s (of the last answer) at most, or earlier when others need the place (readers after a second); ordinary logins over new connections go on",
	})
	limit := pick(200, 1000)
	s := start(t, append(deadlines, "DATABASE_URL="+pgtest.NewDatabase(t), fmt.Sprintf("STEPKEY_MAX_CONNECTIONS=%d", limit))...)
	l := newLedger(r, newClient(t, s))
	memory := s.residentBytes()
	host := "Host: " + strings.TrimPrefix(s.url, "http://") + "\r\n"
	login := "POST /auth/login HTTP/1.1\r\n" + host + "Content-Type: application/json\r\n"
	for _, attack := range []struct {
		name, first, more string
		patience          time.Duration // of the service with what may be honest
	}{
		{"headers", "GET / HTTP/1.1\r\n" + host + "X-Slow: ", "x", 0},
		{"bodies", login + "Content-Length: 4000\r\n\r\n{", " ", 0},
		// A second counts from when a reader's buffers are full, which takes a moment for all of them.
		{"readers", strings.Repeat("GET /openapi.json HTTP/1.1\r\n"+host+"\r\n", 200), "x", 2 * time.Second},
	} {
		x, c := newStrangers(r, s), newcomersConnect(t, s)
		x.come(limit+limit/2, attack.first, attack.more)
		time.Sleep(attack.patience)
		l.ordinary(c, pick(2*time.Second, 18*time.Second))
		text, _, _ := c.tally()
		if *long {
			x.outlast(limit + limit/2)
		}
		n, longest := x.ended()
		r.observe("slow %s: %d connections for %d places, %d ended (longest life %s), %s in all; ordinary: %s",
			attack.name, limit+limit/2, limit, n, round(longest), mib(s.residentBytes()), text)
		if *long && n < limit+limit/2 {
			t.Errorf("slow %s: %d of %d are still connected", attack.name, limit+limit/2-n, limit+limit/2)
		}
		x.leave()
	}
	flat(r, s, memory, 150<<20)
	l.settle()
}

// flat fails the test if the service has taken much more memory than before.
func flat(t *trial, s *server, before, allowed int) {
	t.Helper()
	t.observe("memory %s before, %s after", mib(before), mib(s.residentBytes()))
	if grown := s.residentBytes() - before; grown > allowed {
		t.Errorf("memory has grown by %s", mib(grown))
	}
}

func TestF23HugeRequests(t *testing.T) {
	r := try(t, row{
		23, "Huge and twisted requests",
		"a header of 1 MB, 10 000 headers, a body of 100 MB with and without a length, JSON 4000 levels deep, a gzip bomb; each many times at once",
		"431, 431, 413, 413, 400, 415, at once; memory stays flat",
	})
	s := start(t, append(deadlines, "DATABASE_URL="+pgtest.NewDatabase(t))...)
	l := newLedger(r, newClient(t, s))
	memory := s.residentBytes()
	head := "POST /auth/login HTTP/1.1\r\nHost: " + strings.TrimPrefix(s.url, "http://") + "\r\n"
	asJSON := head + "Content-Type: application/json\r\n"
	deep := `{"username":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + `,"password":"x"}`
	bomb := gzipped(10 << 20)
	var manyHeaders strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&manyHeaders, "X-%d: y\r\n", i)
	}
	const much = 100 << 20
	for _, request := range []struct {
		name   string
		head   string
		body   func() io.Reader
		status int
	}{
		{"1 MB header", head + "X-Big: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", nothing, 431},
		{"10 000 headers", head + manyHeaders.String() + "\r\n", nothing, 431},
		{"100 MB body", asJSON + fmt.Sprintf("Content-Length: %d\r\n\r\n", much), func() io.Reader { return io.LimitReader(spaces{}, much) }, 413},
		{"chunked body", asJSON + "Transfer-Encoding: chunked\r\n\r\n", func() io.Reader { return io.LimitReader(&chunks{}, much) }, 413},
		{"deep JSON", asJSON + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(deep)), func() io.Reader { return strings.NewReader(deep) }, 400},
		{"gzip bomb", asJSON + fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(bomb)), func() io.Reader { return bytes.NewReader(bomb) }, 415},
	} {
		var all sync.WaitGroup
		var mu sync.Mutex
		var longest time.Duration
		counts := map[int]int{}
		for range pick(10, 100) {
			all.Go(func() {
				began := time.Now()
				status, err := rawRequest(s, request.head, request.body())
				if err != nil {
					t.Errorf("%s: %v", request.name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				counts[status]++
				longest = max(longest, time.Since(began))
			})
		}
		all.Wait()
		for status := range counts {
			if status != request.status {
				t.Errorf("%s: %v, want %d", request.name, counts, request.status)
			}
		}
		r.observe("%s: %d × %d, longest %s", request.name, request.status, counts[request.status], round(longest))
	}
	flat(r, s, memory, 100<<20)
	l.settle()
}

func nothing() io.Reader { return strings.NewReader("") }

// spaces is JSON that never gets to the point.
type spaces struct{}

// Read implements io.Reader.
func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// chunks is spaces in chunks of 4 KiB.
type chunks struct{ rest []byte }

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		c.rest = []byte("1000\r\n" + strings.Repeat(" ", 4096) + "\r\n")
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func gzipped(size int64) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.Copy(w, io.LimitReader(spaces{}, size))
	_ = w.Close()
	return b.Bytes()
}

// rawRequest writes a request for as long as the server takes it, reads meanwhile, and
// returns the status.
func rawRequest(s *server, head string, body io.Reader) (int, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(answerWithin))
	go func() {
		if _, err := io.WriteString(conn, head); err == nil {
			_, _ = io.Copy(conn, body)
		}
	}()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	return response.StatusCode, nil
}

func TestF24IdleConnections(t *testing.T) {
	crowd := pick(5_000, 10_000)
	r := try(t, row{
		24, "A crowd of idle connections",
		"10 000 connections (5 000 in the short form) that send nothing, for 4096 places; HTTP/2 is not spoken without TLS, so its rapid reset does not apply",
		"at most 4096 are held; ordinary logins over new connections go on; memory and open files are bounded",
	})
	s := start(t, append(deadlines, "DATABASE_URL="+pgtest.NewDatabase(t))...)
	l := newLedger(r, newClient(t, s))
	memory, files := s.residentBytes(), s.openFiles()
	most, peak := 0, 0
	conns := make([]net.Conn, 0, crowd)
	t.Cleanup(func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	c := newcomersConnect(t, s)
	for i := range crowd {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		conns = append(conns, conn)
		if i%1000 == 999 {
			l.ordinary(c, time.Millisecond)
			most, peak = max(most, s.openFiles()), max(peak, s.residentBytes())
		}
	}
	l.ordinary(c, pick(time.Second, 10*time.Second))
	text, _, _ := c.tally()
	r.observe("%d connections: at most %d files open (%d before) and %s of memory, ordinary: %s", crowd, most, files, mib(peak), text)
	if most > 4096+200 {
		t.Errorf("%d open files: more connections are held than there are places", most)
	}
	flat(r, s, memory, 200<<20)
	l.settle()
}
