package faults_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy is a TCP proxy on the loopback interface that can be broken.
type proxy struct {
	listener net.Listener
	dial     func() (net.Conn, error)
	accepted atomic.Int64

	mu    sync.Mutex
	open  map[net.Conn]bool
	state proxyState
	turn  chan struct{} // closed when the state changes
}

type proxyState struct {
	refuse bool          // end new connections at once
	hold   bool          // accept everything and pass nothing on
	delay  time.Duration // of everything that passes, in each direction
}

func newProxy(t testing.TB, network, address string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{
		listener: listener, open: map[net.Conn]bool{}, turn: make(chan struct{}),
		dial: func() (net.Conn, error) { return net.Dial(network, address) },
	}
	go p.accept()
	t.Cleanup(func() {
		_ = listener.Close()
		p.refuse()
	})
	return p
}

// databaseProxy stands before a PostgreSQL that listens on a socket in the file
// system. It returns the address by which to go through it.
func databaseProxy(t testing.TB, dsn string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	p := newProxy(t, "unix", query.Get("host")+"/.s.PGSQL."+query.Get("port"))
	host, port, err := net.SplitHostPort(p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	query.Set("host", host)
	query.Set("port", port)
	u.RawQuery = query.Encode()
	return p, u.String()
}

// refuse ends all connections, and new ones as they come.
func (p *proxy) refuse() {
	p.set(proxyState{refuse: true})
	p.cut()
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		_ = conn.Close()
	}
}

// hold passes nothing on, as a network that drops packets.
func (p *proxy) hold() { p.set(proxyState{hold: true}) }

// slow delays everything in each direction.
func (p *proxy) slow(by time.Duration) { p.set(proxyState{delay: by}) }

// heal ends the fault and forwards all data that was held.
func (p *proxy) heal() { p.set(proxyState{}) }

func (p *proxy) set(s proxyState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
	close(p.turn)
	p.turn = make(chan struct{})
}

func (p *proxy) now() (proxyState, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.turn
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.accepted.Add(1)
		go p.serve(client)
	}
}

func (p *proxy) serve(client net.Conn) {
	defer p.forget(client)
	if !p.admit(client) {
		return
	}
	p.pass()
	server, err := p.dial()
	if err != nil {
		return
	}
	defer p.forget(server)
	if !p.admit(server) {
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			p.copy(way[1], way[0])
			_, _ = way[0].Close(), way[1].Close()
		})
	}
	both.Wait()
}

func (p *proxy) admit(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[conn] = true
	return !p.state.refuse
}

func (p *proxy) forget(conn net.Conn) {
	_ = conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
}

// pass waits until something may pass, for as long as it is delayed.
func (p *proxy) pass() {
	for {
		state, turn := p.now()
		switch {
		case state.hold:
			<-turn
		case state.delay > 0:
			select {
			case <-turn:
			case <-time.After(state.delay):
				return
			}
		default:
			return
		}
	}
}

func (p *proxy) copy(to io.Writer, from io.Reader) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.pass()
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
