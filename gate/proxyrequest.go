package gate

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/stepkey/stepkey/gate/rules"
)

// incoming is what the proxy knows of a request.
type incoming struct {
	rules.Request
	scheme, host string // as the client used them
	webSocket    bool
}

// read reads a request that a client, or a trusted proxy in front, makes. It refuses what
// cannot be passed on exactly as it came, in shadow mode too.
func (p *Proxy) read(r *http.Request) (incoming, error) {
	// Of a target in absolute form, a host and a path would have to be chosen (RFC 9112
	// §3.2.2). Two slashes would be written as an authority.
	if !strings.HasPrefix(r.RequestURI, "/") || strings.HasPrefix(r.RequestURI, "//") {
		return incoming{}, errRequest
	}
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace || hasAlias(r.Header) {
		return incoming{}, errRequest
	}
	at, err := placeOf(r, p.TrustsPeer)
	if err != nil {
		return incoming{}, err
	}
	in := incoming{scheme: at.scheme, host: at.host, webSocket: isWebSocket(r)}
	in.Request = rules.Request{
		Origin: at.origin, Method: r.Method, Target: r.RequestURI,
		Preflight: r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "",
		Overrides: overrides(r.Header, r.Method, r.RequestURI),
	}
	return in, nil
}

// believe sets value to that of a trusted proxy's header. Of two values the proxy and we
// could take different ones.
func believe(header http.Header, name string, value *string) error {
	list, ok := header[name]
	if !ok {
		return nil
	}
	if len(list) != 1 || list[0] == "" {
		return errRequest
	}
	*value = list[0]
	return nil
}

// endsConnection reports whether nothing may follow a request on its connection. net/http
// does not tell us that a chunked request had a Content-Length as well, or that one of
// HTTP/1.0 was chunked: somebody in front may have found another end of it, and what follows
// be part of its body (RFC 9112 §6.1). Applications get one framing only, a new one.
func endsConnection(r *http.Request) bool {
	return r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0)
}

// isWebSocket reports whether a request asks for a WebSocket (RFC 6455 §4.1). No other
// protocol is passed on: within h2c, say, requests would not be judged. ReverseProxy upgrades
// nothing if Connection does not say so.
func isWebSocket(r *http.Request) bool {
	list := r.Header["Upgrade"]
	return r.ProtoMajor == 1 && r.ProtoMinor == 1 && r.Method == http.MethodGet && len(list) == 1 && strings.EqualFold(list[0], "websocket")
}

// sameOrigin reports whether a WebSocket is opened by a page of the application, or not by a
// browser. Browsers let any page open one, with the cookies of the application (RFC 6455
// §10.2).
func sameOrigin(r *http.Request, origin string) bool {
	list, ok := r.Header["Origin"]
	return !ok || len(list) == 1 && list[0] == origin
}

func peerAddr(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
