package httpapi

import (
	"net/http"
	"net/netip"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/clientip"
	"github.com/stepkey/stepkey/internal/useragent"
)

// BehindProxies returns a function for [Options].ClientIP for a service behind
// proxies in the trusted networks. The proxies write the client's address into
// header: X-Forwarded-For (the default), X-Real-IP or Forwarded (RFC 7239); no
// other header is read. In a list of addresses, the last one that is not a
// trusted proxy counts, because everything before it may be forged.
//
// It returns an error that says what to do if the list would trust arbitrary
// clients.
func BehindProxies(trusted []netip.Prefix, header string) (func(*http.Request) netip.Addr, error) {
	resolver, err := clientip.New(trusted, header)
	if err != nil {
		return nil, err
	}
	return func(r *http.Request) netip.Addr { return resolver.Addr(r.RemoteAddr, r.Header) }, nil
}

// peerIP is the default of Options.ClientIP.
func peerIP(r *http.Request) netip.Addr { return clientip.Resolver{}.Addr(r.RemoteAddr, nil) }

// clientOf describes a session so that people can recognise it: browser and
// system, as named in User-Agent, and the network. The header itself is not
// stored, only the matching words of our own.
func (a *api) clientOf(r *http.Request) stepkey.Client {
	c := stepkey.Client{Device: useragent.Describe(r.UserAgent()), IP: a.clientIP(r)}
	if c.IP.IsValid() {
		c.Network = clientip.Network(c.IP).String()
	}
	return c
}
