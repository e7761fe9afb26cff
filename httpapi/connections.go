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

// DefaultMaxConnections is how many connections a server holds where nothing else
// is set. Each costs about 25 KiB and one open file.
const DefaultMaxConnections = 4096

// stalled is for how long an answer that is taken in dribs is waited for once there is
// no room. What was asked for has been done by then, so an honest client gets the time
// to hear of it.
const stalled = time.Second

// phase says whom a connection is waiting for.
type phase int

const (
	idle      phase = iota // for a request: its headers have not arrived to the end
	receiving              // for the client to send the body
	answering              // for the client to read the answer
	phases

	working phase = -1 // for us
)

// connections holds the number of a server's connections down. When there is no
// room for one more, it takes the place of the one that has kept us waiting the
// longest: one without a request first, then one whose body is not there yet, then
// one whose answer has been crawling for longer than stalled. Never of one whose
// request we are working on; where there are only such, the new one is closed.
//
// So whoever opens connections and does nothing with them, or next to nothing
// (slowloris), displaces mostly himself.
type connections struct {
	max int
	now func() time.Time

	mu      sync.Mutex
	known   map[net.Conn]*connection
	waiting [phases]list.List // of *connection, whoever has waited longest in front
}

// connection is one of a server's connections. The fields are guarded by the mutex
// of all.
type connection struct {
	all   *connections
	conn  net.Conn
	phase phase
	since time.Time
	place *list.Element // in all.waiting[phase]; nil while we are working
}

func newConnections(limit int) *connections {
	return &connections{max: limit, now: time.Now, known: map[net.Conn]*connection{}}
}

// follow makes the server tell what its connections do.
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
			// The server learns of it when it reads.
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

// dispensable returns the connection whose place another one may take, or nil. The
// mutex is held.
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

// remove takes a connection off the books. The mutex is held.
func (c *connections) remove(gone *connection) {
	gone.move(working)
	delete(c.known, gone.conn)
}

// enter says what the connection is waiting for from now on. A connection that is
// not on the books (nil, or displaced meanwhile) stays off them.
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

// move is enter with the mutex held.
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

// followRequests tells of each request when it is there to the end and when its
// answer begins.
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
		// What is left to do is to send the answer, and perhaps to read on to the end
		// of a body that nobody wanted.
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
