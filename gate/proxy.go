package gate

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/stepkey/stepkey/guard"
)

// DefaultMaxSockets is the default of [ProxyOptions].MaxSockets.
const DefaultMaxSockets = 4096

// ProxyOptions configure a [Proxy].
type ProxyOptions struct {
	// Options are those of [NewForwardAuth], all required. A proxy that TrustsPeer accepts may
	// be in front; of every other peer no header about the connection is believed.
	Options

	// Upstream is the application: scheme http or https, and host. It has no path, because the
	// application gets the path that was judged.
	Upstream *url.URL

	// Pages answers all paths below [PagesPrefix], which it gets whole. Nil means 404.
	Pages http.Handler

	// ClientIP returns the address that a request comes from, for X-Forwarded-For. The default
	// is the address of the peer.
	ClientIP func(*http.Request) netip.Addr

	// RemoteHeaders adds Remote-User, -Name, -Email and -Groups for applications that read
	// these. Remote-User is the user's name, which can belong to somebody else once the user is
	// deleted.
	RemoteHeaders bool

	// MaxSockets is how many WebSockets may be open at once; more are answered with 503. The
	// default is [DefaultMaxSockets].
	MaxSockets int
}

// Proxy passes on the requests that the rules allow to one application. It is an
// http.Handler, for a server whose read and write timeouts it replaces by bounds on silence.
// WebSockets and streams end within five seconds after their request would no longer pass.
type Proxy struct {
	ProxyOptions
	reverse httputil.ReverseProxy
	streams *streams
	silence time.Duration
}

// NewProxy returns a Proxy. Close it to end what is open. A server that answers OPTIONS * by
// itself ([http.Server].DisableGeneralOptionsHandler) does not ask it.
func NewProxy(options ProxyOptions) (*Proxy, error) {
	if err := checkUpstream(options.Upstream); err != nil {
		return nil, err
	}
	if options.MaxSockets <= 0 {
		options.MaxSockets = DefaultMaxSockets
	}
	if options.Pages == nil {
		options.Pages = http.NotFoundHandler()
	}
	if options.ClientIP == nil {
		options.ClientIP = peerAddr
	}
	p := &Proxy{ProxyOptions: options, streams: newStreams(options.MaxSockets), silence: silence}
	p.reverse = httputil.ReverseProxy{
		Transport: newTransport(), BufferPool: &buffers{sync.Pool{New: func() any { return new([bufferSize]byte) }}},
		ErrorLog: slog.NewLogLogger(options.Log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

func checkUpstream(u *url.URL) error {
	switch {
	case u == nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Opaque != "":
		return fmt.Errorf("gate: the upstream is not a URL of an application: write it like http://127.0.0.1:8080")
	case u.User != nil:
		return fmt.Errorf("gate: the upstream's URL has a user or password: leave it out")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fmt.Errorf("gate: the upstream's URL has a path, query or fragment: leave it out, " +
			"because the application gets the path that was judged")
	}
	return nil
}

// Close ends all WebSockets and streams, and those that begin from now on. Other requests go
// on. Call it at the end of a graceful shutdown.
func (p *Proxy) Close() { p.streams.close() }

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if endsConnection(r) {
		w.Header().Set("Connection", "close")
	}
	in, err := p.read(r)
	if err != nil {
		w.Header().Set("Connection", "close")
		refuse(w, r, guard.Refusal{Status: http.StatusBadRequest, Cause: err})
		return
	}
	if isHealthCheck(r) {
		p.Pages.ServeHTTP(w, r) // whatever the host: these ask by address
		return
	}
	if !p.Rules().Has(in.Origin) {
		refuse(w, r, guard.Refusal{Status: http.StatusForbidden})
		return
	}
	if p.Handshake != nil && p.Handshake.Handles(r) {
		p.Handshake.ServeHTTP(w, r)
		return
	}
	if isPagesPath(r.URL.Path) {
		p.Pages.ServeHTTP(w, r)
		return
	}
	if in.webSocket && !sameOrigin(r, in.Origin) {
		refuse(w, r, guard.Refusal{Status: http.StatusForbidden})
		return
	}
	j := p.judge(r, in.Request)
	if !j.passes {
		p.refuse(w, r, in.Request, j)
		return
	}
	p.forward(w, r, in, j.who)
}

func isHealthCheck(r *http.Request) bool {
	return r.RequestURI == PagesPrefix+"/livez" || r.RequestURI == PagesPrefix+"/readyz"
}

// forward passes a request on that was judged.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request, in incoming, who Visitor) {
	if in.webSocket {
		if !p.streams.openSocket() {
			refuse(w, r, guard.Refusal{Status: http.StatusServiceUnavailable})
			return
		}
		defer p.streams.closeSocket()
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	r = r.WithContext(ctx)
	connection := newPatient(w, r, p.silence)
	watched := &stream{end: cancel, passes: func() bool {
		return p.judge(r, in.Request).passes
	}}
	defer p.streams.remove(watched)

	reverse := p.reverse
	reverse.Rewrite = func(pr *httputil.ProxyRequest) {
		p.rewrite(pr, in, who)
	}
	reverse.ModifyResponse = func(response *http.Response) error {
		if isStream(response) {
			p.streams.add(watched)
		}
		return nil
	}
	reverse.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) { p.fail(w, r, connection, err) }
	reverse.ServeHTTP(connection, r)
}
