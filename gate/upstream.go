package gate

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// silence is how long a client may neither send the next bytes of its request nor read those
// of the answer, and how long the application may take to begin an answer.
const silence = time.Minute

const bufferSize = 32 << 10

// newTransport returns a transport to the application. It has no proxy and no compression of
// its own: what the application says is passed on.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    512, // there is one host
		IdleConnTimeout:        time.Minute,
		TLSHandshakeTimeout:    5 * time.Second,
		ExpectContinueTimeout:  time.Second,
		ResponseHeaderTimeout:  silence,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// buffers implements httputil.BufferPool. Pointers to arrays are kept, so that putting one
// back does not allocate.
type buffers struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte { return b.pool.Get().(*[bufferSize]byte)[:] }

// Put implements httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }

// patient replaces the deadlines of a server for whole requests by one for silence, so that
// uploads, downloads and streams take as long as they need.
type patient struct {
	http.ResponseWriter
	controller *http.ResponseController
	silence    time.Duration
	perStream  bool
	uploadErr  atomic.Bool
}

func newPatient(w http.ResponseWriter, r *http.Request, silence time.Duration) *patient {
	p := &patient{ResponseWriter: w, controller: http.NewResponseController(w), silence: silence, perStream: r.ProtoMajor >= 2}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &patientBody{r.Body, p}
	}
	// An error means that the writer knows no deadlines, and then there is none to replace.
	_ = p.controller.SetWriteDeadline(time.Time{})
	return p
}

// Write implements http.ResponseWriter.
func (p *patient) Write(b []byte) (int, error) {
	p.begin()
	defer p.end()
	return p.ResponseWriter.Write(b)
}

// FlushError is what [http.ResponseController] calls.
func (p *patient) FlushError() error {
	p.begin()
	defer p.end()
	return p.controller.Flush()
}

func (p *patient) begin() { _ = p.controller.SetWriteDeadline(time.Now().Add(p.silence)) }

// end removes the deadline in HTTP/2, where it would end an answer that has nothing to say.
// In HTTP/1 it stays for the rest in the server's buffer, and does no harm before.
func (p *patient) end() {
	if p.perStream {
		_ = p.controller.SetWriteDeadline(time.Time{})
	}
}

// Unwrap is for [http.ResponseController].
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

type patientBody struct {
	io.ReadCloser
	connection *patient
}

// Read implements io.Reader.
func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.connection.controller.SetReadDeadline(time.Now().Add(b.connection.silence))
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.connection.uploadErr.Store(true)
	}
	if b.connection.perStream {
		// It would end an upload that the application is slow to read.
		_ = b.connection.controller.SetReadDeadline(time.Time{})
	}
	return n, err
}

// fail answers in place of the application.
func (p *Proxy) fail(w http.ResponseWriter, r *http.Request, connection *patient, err error) {
	var timeout net.Error
	switch {
	case connection.uploadErr.Load():
		w.Header().Set("Connection", "close")
		problem(w, http.StatusRequestTimeout, "request_timeout", "The request did not arrive in full. Try again.")
		return
	case r.Context().Err() != nil: // the client is gone
		problem(w, http.StatusBadGateway, "upstream_unavailable", "The application does not answer. Try again in a few seconds.")
		return
	case errors.As(err, &timeout) && timeout.Timeout():
		problem(w, http.StatusGatewayTimeout, "upstream_timeout", "The application takes too long to answer. Try again in a few seconds.")
	default:
		problem(w, http.StatusBadGateway, "upstream_unavailable", "The application does not answer. Try again in a few seconds.")
	}
	p.Log.LogAttrs(r.Context(), slog.LevelWarn, "The application behind the gate does not answer", slog.Any("error", err))
}

// problem writes a problem document (RFC 9457).
func problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// A failed write means that the client is gone.
	_ = json.NewEncoder(w).Encode(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}{http.StatusText(status), status, detail, code})
}
