package httpapi

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/internal/clientip"
)

func TestPlaces(t *testing.T) {
	a := &api{country: func(addr netip.Addr) string {
		return map[string]string{"203.0.113.0": "DE", "2001:db8:1::": "FR"}[addr.String()]
	}}
	for addr, want := range map[string]placeAnswer{
		"127.0.0.1": {Kind: "loopback"}, "::1": {Kind: "loopback"},
		"192.168.1.5": {Kind: "private"}, "10.1.2.3": {Kind: "private"}, "fd00::1": {Kind: "private"}, "fe80::1": {Kind: "private"},
		"203.0.113.9": {"country", "DE"}, "2001:db8:1:2::3": {"country", "FR"},
		"198.51.100.1": {Kind: "network"},
	} {
		got := a.placeOf(clientip.Network(netip.MustParseAddr(addr)).String())
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", addr, diff)
		}
	}
	if got := a.placeOf(""); got != nil {
		t.Errorf("no network: %+v", got)
	}
	if got := new(api).placeOf("203.0.113.0/24"); *got != (placeAnswer{Kind: "network"}) {
		t.Errorf("without countries: %+v", got)
	}
}
