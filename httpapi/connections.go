package httpapi

import (
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
	waiting [phases]queue // longest wait first
}

// connection is one of a server's connections. All fields but the first two are guarded by the
// mutex of all.
type connection struct {
	all  *connections
	conn net.Conn

	admitted    bool // it is known to all
	phase       phase
	since       time.Time   // when it began to answer
	older, next *connection // in all.waiting[phase], unless it is working
}

// queue is a list of connections. The connections are its elements, because every request moves one
// several times.
type queue struct {
	first, last *connection
	length      int
}

func (q *queue) push(c *connection) {
	c.older, c.next = q.last, nil
	if q.last == nil {
		q.first = c
	} else {
		q.last.next = c
	}
	q.last = c
	q.length++
}

func (q *queue) remove(c *connection) {
	if c.older == nil {
		q.first = c.next
	} else {
		c.older.next = c.next
	}
	if c.next == nil {
		q.last = c.older
	} else {
		c.next.older = c.older
	}
	c.older, c.next = nil, nil
	q.length--
}

func newConnections(limit int) *connections {
	return &connections{max: limit, now: time.Now, known: map[net.Conn]*connection{}}
}

// follow makes the server report its connections, their states and their requests.
func (c *connections) follow(server *http.Server) {
	// The server calls ConnContext once for each connection, before all else.
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, c.admit(conn))
	}
	server.ConnState = c.changed
	server.Handler = c.followRequests(server.Handler)
}

type connectionKey struct{}

// changed is an http.Server's ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateActive:
		c.of(conn).enter(receiving)
	case http.StateIdle:
		c.of(conn).enter(idle)
	case http.StateClosed, http.StateHijacked:
		c.forget(conn)
	}
}

func (c *connections) of(conn net.Conn) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[conn]
}

// admit makes room for a connection, or closes it.
func (c *connections) admit(conn net.Conn) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	added := &connection{all: c, conn: conn, phase: working}
	if len(c.known) >= c.max {
		last := c.dispensable()
		if last == nil {
			// The server notices when it reads.
			_ = conn.Close()
			return added
		}
		c.remove(last)
		_ = last.conn.Close()
	}
	added.admitted = true
	c.known[conn] = added
	added.move(idle)
	return added
}

// dispensable returns the connection to displace, or nil. The caller holds the
// mutex.
func (c *connections) dispensable() *connection {
	for _, phase := range []phase{idle, receiving} {
		if first := c.waiting[phase].first; first != nil {
			return first
		}
	}
	if slow := c.waiting[answering].first; slow != nil && c.now().Sub(slow.since) > stalled {
		return slow
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
	gone.admitted = false
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
	if c.admitted && c.phase != next {
		c.move(next)
	}
}

// move is enter for callers that hold the mutex.
func (c *connection) move(next phase) {
	if c.phase != working {
		c.all.waiting[c.phase].remove(c)
	}
	c.phase = next
	if next != working {
		c.all.waiting[next].push(c)
	}
	if next == answering {
		c.since = c.all.now()
	}
}

// followRequests reports when a request is complete and when its answer begins.
func (c *connections) followRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		followed, _ := r.Context().Value(connectionKey{}).(*connection)
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
