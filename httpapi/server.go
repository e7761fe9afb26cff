package httpapi

import (
	"log/slog"
	"net/http"
	"time"
)

// NewServer returns an http.Server for handler with every bound set: on the time
// to read and to write, on idle connections, on headers and on the number of
// connections, so that a slow or silent client holds nothing for long and any
// number of them does not keep others out. maxConnections is 0 for
// [DefaultMaxConnections].
//
// It speaks HTTP/1.1 only. A connection is then one request at a time, which is
// what the bounds count; HTTP/2 belongs to the proxy in front.
func NewServer(handler http.Handler, log *slog.Logger, maxConnections int) *http.Server {
	if maxConnections <= 0 {
		maxConnections = DefaultMaxConnections
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	newConnections(maxConnections).follow(server)
	return server
}
