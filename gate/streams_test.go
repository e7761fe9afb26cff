package gate

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/token"
)

// echo is an application that answers a WebSocket, or what looks like one, with what it gets.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-User: %s\r\n\r\n", r.Header.Get("X-Stepkey-User"))
	_, _ = io.Copy(conn, buffered)
}

// socket opens a WebSocket, and returns the status instead if it is refused.
func (p *proxied) socket(t *testing.T, target string, lines ...string) (*wire, int) {
	t.Helper()
	w := p.dial(t)
	response := w.send(t, p.head("GET", target, append([]string{"Connection: Upgrade", "Upgrade: websocket"}, lines...)...))
	return w, response.StatusCode
}

// echoes reports whether the application answers.
func (w *wire) echoes() bool {
	back := make([]byte, 5)
	if _, err := io.WriteString(w.Conn, "hello"); err != nil {
		return false
	}
	_, err := io.ReadFull(w.in, back)
	return err == nil && string(back) == "hello"
}

// The page of another site cannot open a socket with the cookies of a user (RFC 6455 §10.2).
func TestProxyWebSocket(t *testing.T) {
	p := newProxied(t, "", nil)
	p.serve(echo)
	word := "Authorization: " + p.access(t, token.LevelPassword, 0)
	for _, test := range []struct {
		target string
		lines  []string
		want   int
	}{
		{"/", []string{word}, 101},
		{"/", []string{word, "Origin: https://app.example.com"}, 101},
		{"/", []string{word, "Upgrade: WebSocket"}, 101},
		{"/", nil, 401},
		{"/admin", []string{word}, 403},
		{"/public/", nil, 101},
		{"/", []string{word, "Origin: https://evil.example.com"}, 403},
		{"/", []string{word, "Origin: https://app.example.com.evil.example"}, 403},
		{"/", []string{word, "Origin: http://app.example.com"}, 403},
		{"/", []string{word, "Origin: null"}, 403},
		{"/", []string{word, "Origin: https://app.example.com", "+Origin: https://evil.example.com"}, 403},
		{"/public/", []string{"Origin: https://evil.example.com"}, 403},
	} {
		w, status := p.socket(t, test.target, test.lines...)
		if status != test.want || status == 101 && !w.echoes() {
			t.Errorf("%s %q: %d, want %d", test.target, test.lines, status, test.want)
		}
		w.Close()
	}
}

// pomerium#1279: sockets and streams end when their request would no longer pass, and the
// others stay.
func TestProxyEndsStreams(t *testing.T) {
	for _, test := range []struct {
		name, target string
		then         endedState
	}{
		{"signed out", "/", endedState{ended: true}},
		{"passkey deleted", "/admin", endedState{lowered: true}},
		{"unknown", "/", endedState{err: io.ErrUnexpectedEOF}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newProxied(t, "", nil)
			full := "Authorization: " + p.access(t, token.LevelFull, 0)
			p.serve(echo)
			gone, status := p.socket(t, test.target, full)
			stays, _ := p.socket(t, "/public/", full)
			if status != 101 || !gone.echoes() || !stays.echoes() {
				t.Fatalf("%d", status)
			}
			p.serve(func(w http.ResponseWriter, r *http.Request) {
				http.NewResponseController(w).Flush()
				<-r.Context().Done()
			})
			events := p.dial(t)
			io.WriteString(events, p.head("GET", test.target, full))
			if response, err := http.ReadResponse(events.in, nil); err != nil || response.StatusCode != 200 {
				t.Fatal(err)
			}
			p.sessions.Store(&test.then)
			if !gone.ends() || !events.ends() {
				t.Error("it goes on")
			}
			if !stays.echoes() {
				t.Error("a socket that may stay has ended")
			}
		})
	}
	if most := sweepEvery + time.Second; most > 5*time.Second {
		t.Errorf("streams are judged every %s", sweepEvery)
	}
}

// A body of a known length ends by itself, even when the session has ended.
func TestProxyLetsAnswersFinish(t *testing.T) {
	p := newProxied(t, "", nil)
	p.proxy.streams.every = 10 * time.Millisecond
	began, swept := make(chan struct{}), make(chan struct{})
	p.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "65537")
		io.CopyN(w, zeros{}, 65536) // more than buffers hold
		close(began)
		<-swept
		io.WriteString(w, "a")
	})
	w := p.dial(t)
	io.WriteString(w, p.head("GET", "/", "Authorization: "+p.access(t, token.LevelPassword, 0)))
	response, err := http.ReadResponse(w.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-began
	p.sessions.Store(&endedState{ended: true})
	p.serve(echo)
	other, _ := p.socket(t, "/public/", "Authorization: "+p.access(t, token.LevelPassword, 0))
	for before, deadline := p.sessions.asked.Load(), time.Now().Add(patience.Long); p.sessions.asked.Load() < before+3; {
		if time.Now().After(deadline) {
			t.Fatal("nothing is judged again")
		}
		time.Sleep(time.Millisecond)
	}
	close(swept)
	if body, err := io.ReadAll(response.Body); err != nil || len(body) != 65537 || !other.echoes() {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

// The goroutine that judges streams ends with the last of them, and begins again.
func TestProxyLeavesNothingRunning(t *testing.T) {
	p := newProxied(t, "", nil)
	p.proxy.streams.every = 10 * time.Millisecond
	p.serve(echo)
	for range 2 {
		w, _ := p.socket(t, "/public/")
		if !w.echoes() || !p.sweeping() {
			t.Fatal("nothing judges the socket")
		}
		w.Close()
		for deadline := time.Now().Add(patience.Long); p.sweeping(); {
			if time.Now().After(deadline) {
				t.Fatal("the goroutine does not end")
			}
			time.Sleep(time.Millisecond)
		}
		if s := p.proxy.streams; len(s.open) != 0 || s.sockets != 0 {
			t.Errorf("%d open, %d sockets", len(s.open), s.sockets)
		}
	}
}

func (p *proxied) sweeping() bool {
	p.proxy.streams.mu.Lock()
	defer p.proxy.streams.mu.Unlock()
	return p.proxy.streams.sweeping || p.proxy.streams.sockets > 0
}

func TestProxyBoundsSockets(t *testing.T) {
	p := newProxied(t, "", func(o *ProxyOptions) { o.MaxSockets = 1 })
	p.serve(echo)
	first, status := p.socket(t, "/public/")
	if _, second := p.socket(t, "/public/"); status != 101 || second != 503 {
		t.Errorf("%d, then %d", status, second)
	}
	first.Close()
	for deadline := time.Now().Add(patience.Long); ; {
		if _, status := p.socket(t, "/public/"); status == 101 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the place is not free again")
		}
	}
}

// Close ends sockets and streams, and lets nothing of the kind begin; other requests finish.
func TestProxyClose(t *testing.T) {
	p := newProxied(t, "", nil)
	p.serve(echo)
	socket, _ := p.socket(t, "/public/")
	if !socket.echoes() {
		t.Fatal("no echo")
	}
	finish := make(chan struct{})
	p.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/public/short" {
			<-finish
			io.WriteString(w, "done")
			return
		}
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	short := p.dial(t)
	io.WriteString(short, p.head("GET", "/public/short"))
	events := p.dial(t)
	io.WriteString(events, p.head("GET", "/public/events"))
	if _, err := http.ReadResponse(events.in, nil); err != nil {
		t.Fatal(err)
	}
	p.proxy.Close()
	if !socket.ends() || !events.ends() {
		t.Error("a stream goes on")
	}
	later := p.dial(t)
	io.WriteString(later, p.head("GET", "/public/events"))
	if !later.ends() {
		t.Error("a stream began")
	}
	if _, status := p.socket(t, "/public/"); status != 503 {
		t.Errorf("a socket began: %d", status)
	}
	close(finish)
	response, err := http.ReadResponse(short.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "done" {
		t.Errorf("%q, %v", body, err)
	}
}

// An upload arrives while it is sent, and an answer while it is written, over HTTP/1.1 and
// HTTP/2, with its trailers.
func TestProxyStreams(t *testing.T) {
	p := newProxied(t, "", nil)
	p.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		first := make([]byte, 5)
		if _, err := io.ReadFull(r.Body, first); err != nil || string(first) != "first" {
			t.Errorf("%q, %v", first, err)
		}
		w.Header().Set("X-First", "arrived")
		http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		rest, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Sum", fmt.Sprint(rest))
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
	})
	server := httptest.NewUnstartedServer(p.proxy)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	body, upload := io.Pipe()
	r, err := http.NewRequest("POST", server.URL+"/public/", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "app.example.com"
	go io.WriteString(upload, "first")
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.ProtoMajor != 2 || response.Header.Get("X-First") != "arrived" {
		t.Errorf("%s %v", response.Proto, response.Header)
	}
	const more = 64 << 20
	if _, err := io.CopyN(upload, zeros{}, more); err != nil {
		t.Fatal(err)
	}
	upload.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	if response.Trailer.Get("X-Sum") != fmt.Sprint(more) || response.Trailer.Get("X-Late") != "late" {
		t.Errorf("trailers %v", response.Trailer)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Events come one by one, without and with a length of which only a part is there.
func TestProxyFlushes(t *testing.T) {
	p := newProxied(t, "", nil)
	for _, header := range []string{"Content-Type: text/event-stream", "Content-Type: text/plain"} {
		next := make(chan struct{})
		p.serve(func(w http.ResponseWriter, _ *http.Request) {
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Set(name, value)
			for range 2 {
				io.WriteString(w, "data: x\n\n")
				http.NewResponseController(w).Flush()
				<-next
			}
		})
		w := p.dial(t)
		io.WriteString(w, p.head("GET", "/public/"))
		response, err := http.ReadResponse(w.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			event := make([]byte, 9)
			if _, err := io.ReadFull(response.Body, event); err != nil {
				t.Fatal(err)
			}
			next <- struct{}{}
		}
	}
}

// A client that falls silent does not hold the application, however long others take.
func TestProxyBoundsSilence(t *testing.T) {
	p := newProxied(t, "", nil)
	p.proxy.silence = 300 * time.Millisecond
	read := make(chan error, 2)
	p.serve(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
		if r.URL.Path == "/public/big" {
			w.Header().Set("Content-Length", fmt.Sprint(1<<40))
			_, err := io.CopyN(w, zeros{}, 1<<40)
			read <- err
		}
	})
	w := p.dial(t)
	if response := w.send(t, p.head("POST", "/public/", "Content-Length: 2")+"a"); response.StatusCode != 408 || !response.Close {
		t.Errorf("a stalled upload: %d", response.StatusCode)
	}
	<-read
	w = p.dial(t)
	io.WriteString(w, p.head("GET", "/public/big"))
	<-read
	if err := <-read; err == nil {
		t.Error("an answer that is not read")
	}
}

// An application may be silent for as long as it likes once it has begun to answer, and slow
// to read, over HTTP/1.1 and HTTP/2.
func TestProxyWaitsForTheApplication(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		p := newProxied(t, "", nil)
		p.proxy.silence = 200 * time.Millisecond
		p.serve(func(w http.ResponseWriter, r *http.Request) {
			<-time.After(500 * time.Millisecond)
			if n, err := io.Copy(io.Discard, r.Body); err != nil || n != 16<<20 {
				t.Errorf("HTTP/2 %v: %d bytes, %v", http2, n, err)
			}
			io.WriteString(w, "a")
			http.NewResponseController(w).Flush()
			<-time.After(500 * time.Millisecond)
			io.WriteString(w, "b")
		})
		server := httptest.NewUnstartedServer(p.proxy)
		server.EnableHTTP2 = http2
		server.StartTLS()
		t.Cleanup(server.Close)
		r, err := http.NewRequest("POST", server.URL+"/public/", io.LimitReader(zeros{}, 16<<20))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "app.example.com"
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); err != nil || string(body) != "ab" || (response.ProtoMajor == 2) != http2 {
			t.Errorf("HTTP/2 %v: %s %q, %v", http2, response.Proto, body, err)
		}
	}
}

// The timeouts of the server are for whole requests, and not for those that are passed on.
func TestProxyOutlastsTheServersTimeouts(t *testing.T) {
	p := newProxied(t, "", nil)
	server := httptest.NewUnstartedServer(p.proxy)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	p.server.Listener.Close()
	p.server = server
	p.serve(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(500 * time.Millisecond):
		case <-r.Context().Done():
			t.Error("the client was taken for gone")
		}
		io.Copy(w, r.Body)
	})
	w := p.dial(t)
	if response := w.send(t, p.head("GET", "/public/")); response.StatusCode != 200 {
		t.Errorf("%d", response.StatusCode)
	}
}
