package main

import (
	"fmt"
	"net/http"
	"net/netip"

	"github.com/stepkey/stepkey/geo"
	"github.com/stepkey/stepkey/httpapi"
)

// clientIP returns a function that finds the address of a request.
func (s settings) clientIP() (func(*http.Request) netip.Addr, error) {
	trusted, err := s.trustedProxies()
	if err != nil {
		return nil, err
	}
	find, err := httpapi.BehindProxies(trusted, s.ClientIPHeader)
	if err != nil {
		return nil, fmt.Errorf("STEPKEY_TRUSTED_PROXIES, STEPKEY_CLIENT_IP_HEADER: %w", err)
	}
	return find, nil
}

func (s settings) trustedProxies() (trusted []netip.Prefix, err error) {
	for _, text := range trimAll(s.TrustedProxies) {
		network, err := parseNetwork(text)
		if err != nil {
			return nil, err
		}
		trusted = append(trusted, network)
	}
	return trusted, nil
}

// country returns a function that finds the country of an address, or nil without a file.
func (s settings) country() (func(netip.Addr) string, error) {
	if s.GeoFile == "" {
		return nil, nil
	}
	countries, err := geo.Open(s.GeoFile)
	if err != nil {
		return nil, fmt.Errorf("STEPKEY_GEO_FILE: %w", err)
	}
	return countries.Of, nil
}

// parseNetwork parses a network or a single address.
func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("STEPKEY_TRUSTED_PROXIES has %q, which is not a network: "+
			"write it like 10.0.0.0/8, or 192.0.2.7 for one address", text)
	}
	return network, nil
}
