package httpapi

import (
	"log/slog"
	"net/http"
	"time"
)

// NewServer returns an http.Server for handler with every bound set: on the time
// to read and to write, on idle connections and on headers, so that a slow or
// silent client holds nothing for long.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}
