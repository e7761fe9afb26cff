package httpapi

import (
	"container/list"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// DefaultMaxConnections is the default of ServerOptions.MaxConnections. Each
// connection costs about 25 KiB and one open file.
const DefaultMaxConnections = 4096

// stalled is how long a slow reader may take once the server is full. Its request has
// been carried out by then, so an honest client gets the time to read the answer.
const stalled = time.Second

// phase says what a connection is waiting for.
type phase int

const (
	idle      phase = iota // for a request: its headers are not complete
	receiving              // for the client to send the body
	answering              // for the client to read the answer
	phases

	working phase = -1 // for our handler
)

// connections bounds the number of a server's connections. When the server is
// full, a new connection displaces the one that has kept us waiting longest: first
// one without a request, then one with an incomplete body, then one that has been
// reading its answer for longer than stalled. A connection whose request is being
// handled is never displaced; if there are only such connections, the new one is
// closed.
//
// So a client that opens connections and does (almost) nothing with them
// (slowloris) mostly displaces its own.
type connections struct {
	max int
	now func() time.Time

	mu      sync.Mutex
	known   map[net.Conn]*connection
	waiting [phases]list.List // of *connection, longest wait first
}

// connection is one of a server's connections. Its fields are guarded by the mutex
// of all.
type connection struct {
	all   *connections
	conn  net.Conn
	phase phase
	since time.Time
	place *list.Element // in all.waiting[phase]; nil while its request is handled
}

func newConnections(limit int) *connections {
	return &connections{max: limit, now: time.Now, known: map[net.Conn]*connection{}}
}

// follow makes the server report the state of its connections.
func (c *connections) follow(server *http.Server) {
	server.ConnState = c.changed
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, conn)
	}
	server.Handler = c.followRequests(server.Handler)
}

type connectionKey struct{}

func (c *connections) of(conn net.Conn) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[conn]
}

// changed is an http.Server's ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.admit(conn)
	case http.StateActive:
		c.of(conn).enter(receiving)
	case http.StateIdle:
		c.of(conn).enter(idle)
	case http.StateClosed, http.StateHijacked:
		c.forget(conn)
	}
}

// admit makes room for a connection, or closes it.
func (c *connections) admit(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= c.max {
		last := c.dispensable()
		if last == nil {
			// The server notices when it reads.
			_ = conn.Close()
			return
		}
		c.remove(last)
		_ = last.conn.Close()
	}
	added := &connection{all: c, conn: conn, phase: working}
	c.known[conn] = added
	added.move(idle)
}

// dispensable returns the connection to displace, or nil. The caller holds the
// mutex.
func (c *connections) dispensable() *connection {
	for _, phase := range []phase{idle, receiving} {
		if first := c.waiting[phase].Front(); first != nil {
			return first.Value.(*connection)
		}
	}
	if first := c.waiting[answering].Front(); first != nil {
		if slow := first.Value.(*connection); c.now().Sub(slow.since) > stalled {
			return slow
		}
	}
	return nil
}

func (c *connections) forget(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.known[conn]; known != nil {
		c.remove(known)
	}
}

// remove removes a connection from the lists. The caller holds the mutex.
func (c *connections) remove(gone *connection) {
	gone.move(working)
	delete(c.known, gone.conn)
}

// enter sets what the connection is waiting for. It does nothing for a connection
// that is not in the lists (nil, or displaced in the meantime).
func (c *connection) enter(next phase) {
	if c == nil {
		return
	}
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if c.all.known[c.conn] == c && c.phase != next {
		c.move(next)
	}
}

// move is enter for callers that hold the mutex.
func (c *connection) move(next phase) {
	if c.place != nil {
		c.all.waiting[c.phase].Remove(c.place)
		c.place = nil
	}
	c.phase, c.since = next, c.all.now()
	if next != working {
		c.place = c.all.waiting[next].PushBack(c)
	}
}

// followRequests reports when a request is complete and when its answer begins.
func (c *connections) followRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connectionKey{}).(net.Conn)
		followed := c.of(conn)
		if r.Body == http.NoBody {
			followed.enter(working)
		} else {
			r.Body = &followedBody{r.Body, followed}
		}
		next.ServeHTTP(&followedWriter{w, followed}, r)
		// The rest is sending the answer, and perhaps reading the remainder of an
		// unused body.
		followed.enter(answering)
	})
}

type followedBody struct {
	io.ReadCloser
	connection *connection
}

// Read implements io.Reader.
func (b *followedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.connection.enter(working)
	}
	return n, err
}

type followedWriter struct {
	http.ResponseWriter
	connection *connection
}

// Write implements http.ResponseWriter.
func (w *followedWriter) Write(p []byte) (int, error) {
	w.connection.enter(answering)
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *followedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
