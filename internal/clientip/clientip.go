// Package clientip finds the address that a request comes from.
//
// Without trusted proxies that is the peer of the connection, whatever a header
// says. With trusted proxies, only the configured header is read, from right to
// left: each proxy adds the address of its own peer at the right end, so
// everything to the left of the first address that is not a trusted proxy's may be
// forged.
//
// Addresses are compared and counted in one canonical form, so that one client
// never counts as several: no zone, no port, IPv4 never inside IPv6.
package clientip

import (
	"fmt"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
)

// The headers that a Resolver can read.
const (
	XForwardedFor = "X-Forwarded-For"
	XRealIP       = "X-Real-Ip"
	Forwarded     = "Forwarded" // RFC 7239
)

// No registry assigns more public addresses to one owner than these prefixes hold.
// Trusting a larger network means trusting strangers.
const (
	widestPublicIPv4 = 8
	widestPublicIPv6 = 16
)

// Resolver finds the address of a request. The zero value trusts no proxy. It is
// safe for concurrent use.
type Resolver struct {
	trusted []netip.Prefix
	header  string
}

// New returns a Resolver that believes the parts of header that proxies in the
// trusted networks added. An empty header means X-Forwarded-For. If clients
// could choose their address, it returns an error that says what to do.
func New(trusted []netip.Prefix, header string) (Resolver, error) {
	r := Resolver{trusted: slices.Clone(trusted), header: textproto.CanonicalMIMEHeaderKey(header)}
	switch r.header {
	case "":
		r.header = XForwardedFor
	case XForwardedFor, XRealIP, Forwarded:
	default:
		return Resolver{}, fmt.Errorf("the header %q is none of X-Forwarded-For, Forwarded and X-Real-IP: "+
			"name the one that your proxy sets", header)
	}
	if header != "" && len(trusted) == 0 {
		return Resolver{}, fmt.Errorf("the header %s is taken from trusted proxies only, and there is none: "+
			"list the addresses of your proxies, or leave the header out", r.header)
	}
	for _, network := range trusted {
		if err := check(network); err != nil {
			return Resolver{}, err
		}
	}
	return r, nil
}

func check(network netip.Prefix) error {
	switch {
	case !network.IsValid():
		return fmt.Errorf("a trusted proxy is no network: write it like 10.0.0.0/8, or 192.0.2.7/32 for one address")
	case canonical(network.Addr()) != network.Addr():
		return fmt.Errorf("the trusted proxy %s is an IPv4 address inside an IPv6 one: write it as IPv4", network)
	case tooWide(network):
		return fmt.Errorf("the trusted network %s is wider than any one owner's (/%d for IPv4, /%d for IPv6), so clients could be in it "+
			"and claim any address: list the addresses of your own proxies only", network, widestPublicIPv4, widestPublicIPv6)
	case network.Masked() != network:
		return fmt.Errorf("the trusted proxy %s is an address and a network at once: write %s for the network, or %s for the address",
			network, network.Masked(), netip.PrefixFrom(network.Addr(), network.Addr().BitLen()))
	default:
		return nil
	}
}

func tooWide(network netip.Prefix) bool {
	if network.Addr().Is4() {
		return network.Bits() < widestPublicIPv4
	}
	// Unique local (RFC 4193) and link-local addresses (RFC 4291) are not routed in the
	// Internet, so these networks contain no strangers. Those of IPv4 are within a /8
	// anyway.
	for _, local := range []netip.Prefix{netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10")} {
		if local.Contains(network.Addr()) && network.Bits() >= local.Bits() {
			return false
		}
	}
	return network.Bits() < widestPublicIPv6
}

// Addr returns the address of a request that came from peer, an address with port,
// with these headers, whose names are canonical. It returns the zero Addr if peer
// is not an address.
//
// If an element is not an address, the result is the address before it, which is
// a trusted proxy's. Loopback and private addresses are treated like all others.
func (r Resolver) Addr(peer string, headers map[string][]string) netip.Addr {
	last, ok := parse(peer)
	if !ok || !r.trusts(last) {
		return last
	}
	// Lines of one name are one list, in order (RFC 9110 §5.3).
	for _, line := range slices.Backward(headers[r.header]) {
		// Quotes are ignored: an open quote from a client would otherwise swallow what
		// a proxy adds after it. An element that is split inside quotes is not an
		// address.
		for _, element := range slices.Backward(strings.Split(line, ",")) {
			hop, ok := r.hop(element)
			if !ok {
				return last
			}
			if !r.trusts(hop) {
				return hop
			}
			last = hop
		}
	}
	return last
}

// TrustsPeer reports whether peer, an address with port, is that of a trusted proxy.
func (r Resolver) TrustsPeer(peer string) bool {
	addr, ok := parse(peer)
	return ok && r.trusts(addr)
}

func (r Resolver) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(r.trusted, func(network netip.Prefix) bool { return network.Contains(addr) })
}

func (r Resolver) hop(element string) (netip.Addr, bool) {
	if r.header != Forwarded {
		return parse(element)
	}
	node, ok := forwardedFor(element)
	if !ok {
		return netip.Addr{}, false
	}
	return parse(node)
}

// parse reads an address with or without port, brackets and zone.
func parse(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t")
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return canonical(withPort.Addr()), true
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if text, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, false
	}
	return canonical(addr), true
}

// forwardedFor returns the parameter for of one element of the header Forwarded
// (RFC 7239 §4), which must be there once.
func forwardedFor(element string) (node string, ok bool) {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, found := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !found {
			return "", false
		}
		if inner, quoted := strings.CutPrefix(value, `"`); quoted {
			if value, quoted = strings.CutSuffix(inner, `"`); !quoted {
				return "", false
			}
		}
		if strings.ContainsAny(value, `"\`) {
			return "", false
		}
		if !strings.EqualFold(name, "for") {
			continue
		}
		if ok {
			return "", false
		}
		node, ok = value, true
	}
	return node, ok
}
