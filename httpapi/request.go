package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// entrance is where requests come in: it gives each of them an id and a deadline, sets the headers
// that all answers have, and writes a line into the log at the end.
type entrance struct {
	// prefix is that of links in answers. The default is the path at which the handler is mounted.
	prefix  string
	timeout time.Duration
	headers http.Header
	log     *slog.Logger
	next    http.Handler
}

// request is what is known of a request. It is the request's context, and records the status of its
// answer: one allocation and one copy of the http.Request are all that entrance costs.
type request struct {
	lateDeadline
	id     [1]string
	prefix string // of the links in its answer; see mountedAt
	answer statusRecorder
}

type requestKey struct{}

// Value implements context.Context.
func (r *request) Value(key any) any {
	if key == (requestKey{}) {
		return r
	}
	return r.lateDeadline.Value(key)
}

// requestID returns the id by which an answer can be found in the log.
func requestID(ctx context.Context) string {
	if known, ok := ctx.Value(requestKey{}).(*request); ok {
		return known.id[0]
	}
	return ""
}

// ServeHTTP implements http.Handler.
func (e *entrance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	known := &request{prefix: cmp.Or(e.prefix, mountedAt(r)), answer: statusRecorder{ResponseWriter: w, status: http.StatusOK}}
	known.id[0] = newRequestID()
	known.begin(r.Context(), began.Add(e.timeout))
	defer known.end()
	h := w.Header()
	for name, values := range e.headers {
		h[name] = values
	}
	h["X-Request-Id"] = known.id[:]
	r = r.WithContext(known)
	e.next.ServeHTTP(&known.answer, r)
	e.logRequest(known, r, began)
}

// logRequest writes a line with the method and the matching route, but never the path or query as sent, which may
// contain secrets. The record is made by hand because the logger would look up the place in the code, which is this
// one always.
func (e *entrance) logRequest(known *request, r *http.Request, began time.Time) {
	handler := e.log.Handler()
	if !handler.Enabled(known, slog.LevelInfo) {
		return
	}
	now := time.Now()
	line := slog.NewRecord(now, slog.LevelInfo, "request", 0)
	line.AddAttrs(
		slog.String("request", known.id[0]),
		slog.String("method", knownMethod(r.Method)),
		slog.String("route", r.Pattern),
		slog.Int("status", known.answer.status),
		slog.Duration("took", now.Sub(began)))
	// As with the logger, there is nobody to tell of a failure.
	_ = handler.Handle(known, line)
}

// newRequestID makes an id. One that the client sent is ignored, because it could be anything.
func newRequestID() string {
	var raw [8]byte
	var text [16]byte
	// crypto/rand never returns an error; it ends the process instead.
	_, _ = rand.Read(raw[:])
	hex.Encode(text[:], raw[:])
	return string(text[:])
}

func knownMethod(method string) string {
	known := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	if slices.Contains(known, method) {
		return method
	}
	return "other"
}

// secureHeaders are the headers of every answer. All answers share the values, so nothing may write
// to them. Pages replace Content-Security-Policy and Cache-Control.
func secureHeaders(hsts bool) http.Header {
	h := http.Header{
		// Answers of the API are never rendered as documents.
		"Content-Security-Policy":    {"default-src 'none'; frame-ancestors 'none'"},
		"X-Content-Type-Options":     {"nosniff"},
		"Referrer-Policy":            {"no-referrer"},
		"Cross-Origin-Opener-Policy": {"same-origin"},
		// Only our own pages may use passkeys, and nothing that they might embed.
		"Permissions-Policy": {"publickey-credentials-create=(self), publickey-credentials-get=(self)"},
		"Cache-Control":      {"no-store"},
	}
	if hsts {
		h["Strict-Transport-Security"] = []string{"max-age=31536000"}
	}
	return h
}

type statusRecorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

// WriteHeader implements http.ResponseWriter.
func (r *statusRecorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *statusRecorder) Write(b []byte) (int, error) {
	r.wrote = true
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// lateDeadline is a context with a deadline, like that of context.WithDeadline, but its timer starts
// when somebody first waits for the end. Requests that are answered from memory never do. Call begin
// before any other method, and end at the end.
type lateDeadline struct {
	parent context.Context
	at     time.Time

	mu     sync.Mutex
	inner  context.Context // with the timer; nil before somebody waits
	cancel context.CancelFunc
	ended  bool
}

func (d *lateDeadline) begin(parent context.Context, at time.Time) {
	if earlier, ok := parent.Deadline(); ok && earlier.Before(at) {
		at = earlier
	}
	d.parent, d.at = parent, at
}

// end cancels the context.
func (d *lateDeadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.cancel != nil {
		d.cancel()
	}
}

// start returns the context with the timer. The caller holds mu.
func (d *lateDeadline) start() context.Context {
	if d.inner == nil {
		d.inner, d.cancel = context.WithDeadline(d.parent, d.at)
		if d.ended {
			d.cancel()
		}
	}
	return d.inner
}

// Deadline implements context.Context.
func (d *lateDeadline) Deadline() (time.Time, bool) { return d.at, true }

// Done implements context.Context.
func (d *lateDeadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.start().Done()
}

// Err implements context.Context.
func (d *lateDeadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner == nil && !d.ended && time.Now().Before(d.at) {
		return d.parent.Err()
	}
	return d.start().Err()
}

// Value implements context.Context. Contexts that are derived from this one find the one with the
// timer by it, and need no goroutine to follow its end.
func (d *lateDeadline) Value(key any) any {
	d.mu.Lock()
	inner := d.inner
	d.mu.Unlock()
	if inner == nil {
		return d.parent.Value(key)
	}
	return inner.Value(key)
}
