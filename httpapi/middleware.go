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

// aboutRequest is what the context of a request tells.
type aboutRequest struct {
	id     string
	prefix string // of the links in its answer; see mountedAt
}

func about(ctx context.Context) aboutRequest {
	known, _ := ctx.Value(aboutKey{}).(aboutRequest)
	return known
}

// withRequestID gives each request an id of our own, by which an answer can be
// found in the log. An id that the client sends is not taken: it could be
// anything. Links in the answer begin with prefix, or with the path at which the
// handler is mounted.
func withRequestID(prefix string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var raw [8]byte
		// crypto/rand does not fail; it ends the process instead.
		_, _ = rand.Read(raw[:])
		id := hex.EncodeToString(raw[:])
		w.Header().Set("X-Request-Id", id)
		known := aboutRequest{id, cmp.Or(prefix, mountedAt(r))}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), aboutKey{}, known)))
	})
}

func requestID(ctx context.Context) string { return about(ctx).id }

// secureHeaders sets what holds for every answer. Pages replace the policy for
// content and the rule for caches by their own.
func secureHeaders(hsts bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		// An answer of the API is never a document.
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		// Passkeys are for our own pages and for nothing that they might embed.
		h.Set("Permissions-Policy", "publickey-credentials-create=(self), publickey-credentials-get=(self)")
		h.Set("Cache-Control", "no-store")
		if hsts {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// logRequests writes one line for each request. Of the request it holds the
// method and the route that matched, never the path or the query as sent: people
// put secrets there.
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

// recoverPanics turns a fault in a handler into a plain 500. The stack goes to
// the log; the value of the panic does not, for it may hold what was sent.
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

// limitTime bounds every request. Each statement has a bound of its own, but some
// requests need several.
func limitTime(timeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// closeConnections has every answer after stopping close its connection.
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
