package httpapi

import (
	"net/http"
	"net/netip"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/clientip"
	"github.com/stepkey/stepkey/internal/useragent"
)

// BehindProxies returns a function for [Options].ClientIP where the networks of
// trusted are proxies before the service. They write the address of a client into
// the header, which is X-Forwarded-For (the default), X-Real-IP or Forwarded
// (RFC 7239); no other is looked at. In a list of addresses the last one counts
// that is not a proxy's, for everything before it may be invented.
//
// A list that would trust strangers is refused, with an error that says what to do.
func BehindProxies(trusted []netip.Prefix, header string) (func(*http.Request) netip.Addr, error) {
	resolver, err := clientip.New(trusted, header)
	if err != nil {
		return nil, err
	}
	return func(r *http.Request) netip.Addr { return resolver.Addr(r.RemoteAddr, r.Header) }, nil
}

// peerIP is the default of Options.ClientIP.
func peerIP(r *http.Request) netip.Addr { return clientip.Resolver{}.Addr(r.RemoteAddr, nil) }

// clientOf says by what people can recognise a session: browser and system, as the
// browser names them, and the network. What the browser sent is not kept, only
// which of our words fit it.
func (a *api) clientOf(r *http.Request) stepkey.Client {
	c := stepkey.Client{Device: useragent.Describe(r.UserAgent()), IP: a.clientIP(r)}
	if c.IP.IsValid() {
		c.Network = clientip.Network(c.IP).String()
	}
	return c
}
