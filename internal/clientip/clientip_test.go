package clientip

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func prefixes(t testing.TB, list string) []netip.Prefix {
	t.Helper()
	var all []netip.Prefix
	for text := range strings.FieldsSeq(list) {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func resolver(t testing.TB, trusted, header string) Resolver {
	t.Helper()
	r, err := New(prefixes(t, trusted), header)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAddr(t *testing.T) {
	const (
		nobody  = ""
		proxies = "10.0.0.0/8 2001:db8:ffff::/48"
		peer    = "10.0.0.1:4711"
	)
	xff := func(lines ...string) http.Header { return http.Header{"X-Forwarded-For": lines} }
	fwd := func(lines ...string) http.Header { return http.Header{"Forwarded": lines} }
	both := func(a, b http.Header) http.Header {
		joined := a.Clone()
		for name, lines := range b {
			joined[name] = lines
		}
		return joined
	}
	for _, test := range []struct {
		name, trusted, header, peer string
		headers                     http.Header
		want                        string
	}{
		// Without trusted proxies, and from peers that are none.
		{"peer", nobody, "", "203.0.113.9:4711", nil, "203.0.113.9"},
		{"header that nobody asked for", nobody, "", "203.0.113.9:4711", xff("192.0.2.1"), "203.0.113.9"},
		{"loopback peer is no exception", nobody, "", "127.0.0.1:4711", xff("192.0.2.1"), "127.0.0.1"},
		{"private peer is no exception", nobody, "", "192.168.1.5:4711", xff("192.0.2.1"), "192.168.1.5"},
		{"peer is not trusted", proxies, "", "203.0.113.9:4711", xff("192.0.2.1"), "203.0.113.9"},
		{"mapped peer", nobody, "", "[::ffff:203.0.113.9]:4711", nil, "203.0.113.9"},
		{"link-local peer with zone", nobody, "", "[fe80::1%eth0]:4711", nil, "fe80::1"},
		{"translated peer", nobody, "", "[64:ff9b::203.0.113.9]:4711", nil, "203.0.113.9"},
		{"peer without port", nobody, "", "203.0.113.9", nil, "203.0.113.9"},
		{"peer that is a socket", proxies, "", "@", xff("192.0.2.1"), "invalid IP"},
		{"no peer", proxies, "", "", xff("192.0.2.1"), "invalid IP"},

		// One trusted proxy.
		{"one hop", proxies, "", peer, xff("203.0.113.9"), "203.0.113.9"},
		{"mapped trusted peer", proxies, "", "[::ffff:10.0.0.1]:4711", xff("203.0.113.9"), "203.0.113.9"},
		{"header missing", proxies, "", peer, nil, "10.0.0.1"},
		{"header empty", proxies, "", peer, xff(""), "10.0.0.1"},
		{"forged hop to the left", proxies, "", peer, xff("192.0.2.1, 203.0.113.9"), "203.0.113.9"},
		{"forged line before", proxies, "", peer, xff("192.0.2.1", "203.0.113.9"), "203.0.113.9"},
		{"forged trusted hop", proxies, "", peer, xff("192.0.2.1, 10.0.0.7, 203.0.113.9"), "203.0.113.9"},
		{"hop with port", proxies, "", peer, xff("203.0.113.9:55"), "203.0.113.9"},
		{"hop in IPv6", proxies, "", peer, xff("2001:db8::9"), "2001:db8::9"},
		{"hop in brackets", proxies, "", peer, xff("[2001:db8::9]"), "2001:db8::9"},
		{"hop in brackets with port", proxies, "", peer, xff("[2001:db8::9]:55"), "2001:db8::9"},
		{"hop with zone", proxies, "", peer, xff("fe80::9%eth0"), "fe80::9"},
		{"mapped hop", proxies, "", peer, xff("::ffff:203.0.113.9"), "203.0.113.9"},
		{"translated hop", proxies, "", peer, xff("64:ff9b::cb00:7109"), "203.0.113.9"},
		{"no spaces", proxies, "", peer, xff("192.0.2.1,203.0.113.9"), "203.0.113.9"},
		{"tabs", proxies, "", peer, xff("192.0.2.1,\t203.0.113.9\t"), "203.0.113.9"},
		{"private client", proxies, "", peer, xff("192.168.1.5"), "192.168.1.5"},
		{"loopback client", proxies, "", peer, xff("127.0.0.1"), "127.0.0.1"},

		// Several.
		{"two proxies", proxies, "", peer, xff("203.0.113.9, 10.0.0.2"), "203.0.113.9"},
		{"two proxies, two lines", proxies, "", peer, xff("203.0.113.9", "10.0.0.2"), "203.0.113.9"},
		{"proxies of both families", proxies, "", "[2001:db8:ffff::1]:4711", xff("203.0.113.9, 10.0.0.2"), "203.0.113.9"},
		{"only proxies", proxies, "", peer, xff("10.0.0.3, 10.0.0.2"), "10.0.0.3"},
		{"mapped proxy", proxies, "", peer, xff("203.0.113.9, ::ffff:10.0.0.2"), "203.0.113.9"},

		// A value that is no address ends the walk.
		{"unknown", proxies, "", peer, xff("203.0.113.9, unknown"), "10.0.0.1"},
		{"unknown behind a proxy", proxies, "", peer, xff("203.0.113.9, unknown, 10.0.0.2"), "10.0.0.2"},
		{"empty element", proxies, "", peer, xff("203.0.113.9,"), "10.0.0.1"},
		{"name", proxies, "", peer, xff("client.example.com"), "10.0.0.1"},
		{"octal", proxies, "", peer, xff("203.0.113.011"), "10.0.0.1"},
		{"port that is none", proxies, "", peer, xff("203.0.113.9:99999"), "10.0.0.1"},
		{"bracket left open", proxies, "", peer, xff("[2001:db8::9"), "10.0.0.1"},
		{"quotes", proxies, "", peer, xff(`"203.0.113.9"`), "10.0.0.1"},

		// One header, never a second.
		{"another header", proxies, "", peer, http.Header{"X-Real-Ip": {"203.0.113.9"}, "Forwarded": {"for=203.0.113.9"}}, "10.0.0.1"},
		{"X-Real-IP", proxies, "X-Real-IP", peer, http.Header{"X-Real-Ip": {"203.0.113.9"}}, "203.0.113.9"},
		{"X-Real-IP beside another", proxies, "x-real-ip", peer, both(xff("192.0.2.1"), http.Header{"X-Real-Ip": {"203.0.113.9"}}), "203.0.113.9"},
		{"X-Real-IP missing", proxies, "X-Real-IP", peer, xff("203.0.113.9"), "10.0.0.1"},

		// Forwarded.
		{"Forwarded", proxies, "Forwarded", peer, fwd("for=203.0.113.9"), "203.0.113.9"},
		{"Forwarded with more", proxies, "forwarded", peer, fwd("for=203.0.113.9;proto=https; by=10.0.0.1"), "203.0.113.9"},
		{"Forwarded in IPv6", proxies, "Forwarded", peer, fwd(`For="[2001:db8::9]:55"`), "2001:db8::9"},
		{"Forwarded over two proxies", proxies, "Forwarded", peer, fwd("for=192.0.2.1, for=203.0.113.9", "for=10.0.0.2"), "203.0.113.9"},
		{"Forwarded with a quote left open before", proxies, "Forwarded", peer, fwd(`for=192.0.2.1;x=", for=203.0.113.9`), "203.0.113.9"},
		{"Forwarded with a comma in quotes", proxies, "Forwarded", peer, fwd(`for=203.0.113.9;host="a, for=192.0.2.1"`), "10.0.0.1"},
		{"Forwarded with a comma in quotes, and more", proxies, "Forwarded", peer, fwd(`for=203.0.113.9;host="a, for=192.0.2.1;b="`), "10.0.0.1"},
		{"Forwarded with a comma in quotes, and a value", proxies, "Forwarded", peer, fwd(`for=203.0.113.9;host="a, for=192.0.2.1;b=c"`), "10.0.0.1"},
		{"Forwarded with a comma in quotes, and a word", proxies, "Forwarded", peer, fwd(`for=203.0.113.9;host="a, for=192.0.2.1;b"`), "10.0.0.1"},
		{"Forwarded with an escape", proxies, "Forwarded", peer, fwd(`for="203.0.113.9\"`), "10.0.0.1"},
		{"Forwarded with two for", proxies, "Forwarded", peer, fwd("for=192.0.2.1;for=203.0.113.9"), "10.0.0.1"},
		{"Forwarded without for", proxies, "Forwarded", peer, fwd("for=203.0.113.9, proto=https"), "10.0.0.1"},
		{"Forwarded that hides", proxies, "Forwarded", peer, fwd("for=_hidden"), "10.0.0.1"},
		{"Forwarded that does not know", proxies, "Forwarded", peer, fwd("for=unknown"), "10.0.0.1"},
		{"Forwarded that is none", proxies, "Forwarded", peer, fwd("203.0.113.9"), "10.0.0.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := resolver(t, test.trusted, test.header).Addr(test.peer, test.headers)
			if got.String() != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestUnsafeConfigIsRefusedWithARemedy(t *testing.T) {
	for _, test := range []struct{ trusted, header, says string }{
		{"0.0.0.0/0", "", "list the addresses of your own proxies only"},
		{"10.0.0.0/8 ::/0", "", "list the addresses of your own proxies only"},
		{"0.0.0.0/1 128.0.0.0/1", "", "list the addresses of your own proxies only"},
		{"2000::/3", "", "list the addresses of your own proxies only"},
		{"16.0.0.0/7", "", "list the addresses of your own proxies only"},
		{"2600::/15", "", "list the addresses of your own proxies only"},
		{"fc00::/6", "", "list the addresses of your own proxies only"},
		{"fe80::/9", "", "list the addresses of your own proxies only"},
		{"fe00::/7", "", "list the addresses of your own proxies only"},
		{"10.1.2.3/8", "", "10.0.0.0/8 for the network, or 10.1.2.3/32 for the address"},
		{"::ffff:10.0.0.1/128", "", "write it as IPv4"},
		{"64:ff9b::/96", "", "write it as IPv4"},
		{"10.0.0.0/8", "X-Client-Ip", "name the one that your proxy sets"},
		{"", "X-Forwarded-For", "list the addresses of your proxies"},
	} {
		_, err := New(prefixes(t, test.trusted), test.header)
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s %s: %v, want it to say %q", test.trusted, test.header, err, test.says)
		}
	}
	if _, err := New([]netip.Prefix{{}}, ""); err == nil || !strings.Contains(err.Error(), "10.0.0.0/8") {
		t.Errorf("the zero Prefix: %v", err)
	}
	for _, trusted := range []string{"", "10.0.0.0/8", "17.0.0.0/8", "2630::/16", "fc00::/7", "fd00::/8", "fe80::/10", "127.0.0.1/32 ::1/128"} {
		if _, err := New(prefixes(t, trusted), ""); err != nil {
			t.Errorf("%s: %v", trusted, err)
		}
	}
}

func TestPrefixes(t *testing.T) {
	for _, test := range []struct{ addr, address, network string }{
		{"203.0.113.9", "203.0.113.9/32", "203.0.113.0/24"},
		{"::ffff:203.0.113.9", "203.0.113.9/32", "203.0.113.0/24"},
		{"64:ff9b::203.0.113.9", "203.0.113.9/32", "203.0.113.0/24"},
		{"64:ff9b:1::203.0.113.9", "64:ff9b:1::/64", "64:ff9b:1::/48"}, // for local use, RFC 8215
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"},
		{"fe80::1%eth0", "fe80::/64", "fe80::/48"},
	} {
		addr := netip.MustParseAddr(test.addr)
		if got := Address(addr).String(); got != test.address {
			t.Errorf("Address(%s) = %s, want %s", addr, got, test.address)
		}
		if got := Network(addr).String(); got != test.network {
			t.Errorf("Network(%s) = %s, want %s", addr, got, test.network)
		}
	}
	if Address(netip.Addr{}).IsValid() || Network(netip.Addr{}).IsValid() {
		t.Error("there is a network of no address")
	}
}

// Whatever a client sends, it cannot choose its address: what a trusted proxy adds
// to it decides. And no proxy is taken for a client while a hop is known that is
// none.
func FuzzAddr(f *testing.F) {
	for _, line := range []string{
		"", ",", "10.0.0.2", "192.0.2.1, 10.0.0.2", "unknown, 10.0.0.2", `for="[2001:db8::1]:80";by=10.0.0.2`,
		`for=192.0.2.1;x="`, "for=10.0.0.2, for=_hidden", "::ffff:10.0.0.2", "64:ff9b::a00:2", "fe80::1%25,[::1", "\x00",
	} {
		f.Add(line, "10.0.0.1:1")
		f.Add(line, "203.0.113.9:1")
	}
	const proxies = "10.0.0.0/8 2001:db8:ffff::/48"
	f.Fuzz(func(t *testing.T, line, peer string) {
		client := netip.MustParseAddr("203.0.113.9")
		for header, hop := range map[string]string{XForwardedFor: "%s", XRealIP: "%s", Forwarded: "for=%s"} {
			r := resolver(t, proxies, header)
			hop = strings.Replace(hop, "%s", client.String(), 1)
			for _, lines := range [][]string{{line + "," + hop}, {line, hop}} {
				if got := r.Addr("10.0.0.1:1", http.Header{header: lines}); got != client {
					t.Errorf("%s %q: %s, and the proxy said %s", header, lines, got, client)
				}
			}
			got := r.Addr(peer, http.Header{header: {line}})
			if at, ok := parse(peer); !ok || !r.trusts(at) {
				if got != at {
					t.Errorf("peer %q: %s", peer, got)
				}
				continue
			}
			if !got.IsValid() || got != canonical(got) {
				t.Errorf("%s %q: %s", header, line, got)
			}
			elements := strings.Split(line, ",")
			for i := len(elements) - 1; i >= 0 && r.trusts(got); i-- {
				at, ok := r.hop(elements[i])
				if !ok {
					break
				}
				if !r.trusts(at) {
					t.Errorf("%s %q: %s, which is a proxy, and %s is none", header, line, got, at)
				}
			}
		}
	})
}
