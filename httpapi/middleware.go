package httpapi

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// DefaultRequestTimeout is the default of Options.RequestTimeout.
const DefaultRequestTimeout = 5 * time.Second

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
