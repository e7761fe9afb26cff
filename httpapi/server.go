package httpapi

import (
	"log/slog"
	"net/http"
	"time"
)

// ServerOptions configure [NewServer].
type ServerOptions struct {
	// MaxConnections is how many clients may be connected at once. The default is
	// [DefaultMaxConnections].
	MaxConnections int

	// RequestTimeout is that of [Options]. The answer may take ten seconds more to
	// be written.
	RequestTimeout time.Duration

	// Log receives errors on connections. Nil means no log.
	Log *slog.Logger
}

// writing is how long an answer may take to be written once it is decided.
const writing = 10 * time.Second

// NewServer returns an http.Server for handler with every bound set: on the time
// to read and to write, on idle connections, on headers and on the number of
// connections. So a slow or silent client occupies nothing for long, and many of
// them do not keep others out.
//
// It speaks HTTP/1.1 only. A connection then has one request at a time, as the
// bounds assume. Use HTTP/2 in the proxy in front.
func NewServer(handler http.Handler, options ServerOptions) *http.Server {
	if options.MaxConnections <= 0 {
		options.MaxConnections = DefaultMaxConnections
	}
	if options.RequestTimeout <= 0 {
		options.RequestTimeout = DefaultRequestTimeout
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      options.RequestTimeout + writing,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(options.Log.Handler(), slog.LevelWarn),
	}
	newConnections(options.MaxConnections).follow(server)
	return server
}
