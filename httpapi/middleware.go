package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"time"
)

type aboutKey struct{}

// aboutRequest is stored in the context of a request.
type aboutRequest struct {
	id     string
	prefix string // of the links in its answer; see mountedAt
}

func about(ctx context.Context) aboutRequest {
	known, _ := ctx.Value(aboutKey{}).(aboutRequest)
	return known
}

// withRequestID gives each request a new id, by which an answer can be found in
// the log. An id sent by the client is ignored, because it could be anything.
// Links in the answer begin with prefix, or with the path at which the handler
// is mounted.
func withRequestID(prefix string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var raw [8]byte
		// crypto/rand never returns an error; it ends the process instead.
		_, _ = rand.Read(raw[:])
		id := hex.EncodeToString(raw[:])
		w.Header().Set("X-Request-Id", id)
		known := aboutRequest{id, cmp.Or(prefix, mountedAt(r))}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), aboutKey{}, known)))
	})
}

func requestID(ctx context.Context) string { return about(ctx).id }

// secureHeaders sets the headers of every answer. Pages replace
// Content-Security-Policy and Cache-Control.
func secureHeaders(hsts bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		// Answers of the API are never rendered as documents.
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		// Only our own pages may use passkeys, and nothing that they might embed.
		h.Set("Permissions-Policy", "publickey-credentials-create=(self), publickey-credentials-get=(self)")
		h.Set("Cache-Control", "no-store")
		if hsts {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// logRequests writes one line for each request, with the method and the matching
// route but never the path or query as sent, which may contain secrets.
func logRequests(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		log.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String("request", requestID(r.Context())),
			slog.String("method", knownMethod(r.Method)),
			slog.String("route", r.Pattern),
			slog.Int("status", recorder.status),
			slog.Duration("took", time.Since(began)))
	})
}

func knownMethod(method string) string {
	known := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	if slices.Contains(known, method) {
		return method
	}
	return "other"
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

// recoverPanics turns a panic in a handler into a 500. The stack is logged; the
// value of the panic is not, because it may contain data that the client sent.
func recoverPanics(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if fault == http.ErrAbortHandler {
				panic(fault)
			}
			log.ErrorContext(r.Context(), "panic",
				"request", requestID(r.Context()), "route", r.Pattern, "stack", string(debug.Stack()))
			writeProblem(w, r, problemInternal)
		}()
		next.ServeHTTP(w, r)
	})
}

// DefaultRequestTimeout is the default of Options.RequestTimeout.
const DefaultRequestTimeout = 5 * time.Second

// limitTime bounds the time of every request. Each statement has its own timeout,
// but some requests need several statements.
func limitTime(timeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// closeConnections makes every answer after stopping close its connection.
func closeConnections(stopping <-chan struct{}, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isClosed(stopping) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
