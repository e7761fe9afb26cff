//go:build unix

package httpapi

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
)

// BenchmarkServer measures what NewServer adds to an answer without content. The client, in the
// same process, takes part of the time of both.
func BenchmarkServer(b *testing.B) {
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	b.Run("bare", func(b *testing.B) { benchServer(b, &http.Server{Handler: nothing}, "/", "") })
	b.Run("bounded", func(b *testing.B) { benchServer(b, NewServer(nothing, ServerOptions{}), "/", "") })
}

// BenchmarkGuarded measures a guarded route with the request log on, beside a bare handler that
// writes the same bytes.
func BenchmarkGuarded(b *testing.B) {
	service := newService(b)
	running, stop := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { service.Run(running) }) // or the guard refuses everybody after 30 seconds
	b.Cleanup(run.Wait)
	b.Cleanup(stop)
	log, err := os.CreateTemp(b.TempDir(), "log")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = log.Close() })
	h := newHandler(service, Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	send(h, "POST", "/auth/signup", `{"username":"mira","password":"correct horse battery"}`)
	bearer := "Bearer " + tokensOf(b, send(h, "POST", "/auth/login", `{"username":"mira","password":"correct horse battery"}`)).AccessToken
	recorded := send(h, "GET", "/users/profile", "", "Authorization", bearer)
	body, err := io.ReadAll(recorded.Body)
	if err != nil || recorded.StatusCode != http.StatusOK {
		b.Fatal(recorded.StatusCode, err)
	}
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range recorded.Header {
			w.Header()[name] = values
		}
		_, _ = w.Write(body)
	})
	b.Run("bare", func(b *testing.B) { benchServer(b, &http.Server{Handler: bare}, "/users/profile", bearer) })
	b.Run("stepkey", func(b *testing.B) { benchServer(b, NewServer(h, ServerOptions{}), "/users/profile", bearer) })
	b.Run("handler", func(b *testing.B) {
		r := httptest.NewRequest("GET", "/users/profile", nil)
		r.Header = http.Header{"Authorization": {bearer}, "User-Agent": {"bench"}, "Accept": {"*/*"}}
		w := &discarded{header: http.Header{}}
		b.ReportAllocs()
		before := cpuTime(b)
		for b.Loop() {
			clear(w.header)
			h.ServeHTTP(w, r)
		}
		b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
	})
}

// benchServer sends one request after the other on one connection.
func benchServer(b *testing.B, server *http.Server, path, authorization string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n"
	if authorization != "" {
		request += "Authorization: " + authorization + "\r\n"
	}
	request += "\r\n"
	// The first answer tells how long all of them are: reading bytes costs the client next to nothing.
	answers := &received{Reader: conn}
	send := func() {
		if _, err := io.WriteString(conn, request); err != nil {
			b.Fatal(err)
		}
	}
	send()
	first, err := http.ReadResponse(bufio.NewReader(answers), nil)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, first.Body); err != nil || first.StatusCode >= 300 || first.Close {
		b.Fatal(first.Status, err)
	}
	answer := make([]byte, answers.bytes)
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		send()
		if _, err := io.ReadFull(conn, answer); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

type received struct {
	io.Reader
	bytes int
}

func (c *received) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.bytes += n
	return n, err
}

// BenchmarkFollowing measures how a server follows one request of a connection, without the network.
func BenchmarkFollowing(b *testing.B) {
	server := NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) }), ServerOptions{})
	conn, other := net.Pipe()
	b.Cleanup(func() { _, _ = conn.Close(), other.Close() })
	ctx := server.ConnContext(b.Context(), conn)
	server.ConnState(conn, http.StateNew)
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		server.ConnState(conn, http.StateActive)
		server.Handler.ServeHTTP(w, r)
		server.ConnState(conn, http.StateIdle)
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// discarded is an answer that nobody reads.
type discarded struct{ header http.Header }

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) WriteHeader(int)             {}
func (d *discarded) Write(p []byte) (int, error) { return len(p), nil }
