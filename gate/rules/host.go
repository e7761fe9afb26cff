package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ErrHost means that a scheme and host cannot be those of an origin.
var ErrHost = errors.New("rules: the host cannot be read")

// Origin returns the origin of a request as a browser writes it: lower case, without the
// dot of a fully qualified name and without the scheme's default port. Scheme and host
// are as the client sent them. The error is [ErrHost].
func Origin(scheme, host string) (string, error) {
	var port string
	switch scheme {
	case "https":
		port = ":443"
	case "http":
		port = ":80"
	default:
		return "", fmt.Errorf("%w: the scheme is neither http nor https", ErrHost)
	}
	host = strings.TrimSuffix(strings.ToLower(host), port)
	name, explicit, err := splitPort(host)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(name, "[") {
		name = strings.TrimSuffix(name, ".")
	}
	if err := checkHostName(name); err != nil {
		return "", err
	}
	return scheme + "://" + name + explicit, nil
}

func splitPort(host string) (name, port string, err error) {
	at := strings.LastIndexByte(host, ':')
	if at < 0 || strings.HasSuffix(host, "]") {
		return host, "", nil
	}
	digits := host[at+1:]
	if digits == "" || len(digits) > 5 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return "", "", fmt.Errorf("%w: its port is not a number", ErrHost)
	}
	return host[:at], host[at:], nil
}

// checkHostName accepts names, IPv4 addresses and IPv6 addresses in brackets. Zones are
// refused (CVE-2025-47912, CVE-2026-25679).
func checkHostName(name string) error {
	if inner, bracketed := strings.CutPrefix(name, "["); bracketed {
		inner, closed := strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !closed || err != nil || !addr.Is6() || addr.Zone() != "" {
			return fmt.Errorf("%w: it is not an IPv6 address in brackets", ErrHost)
		}
		return nil
	}
	if name == "" || len(name) > 253 || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") ||
		strings.ContainsFunc(name, func(c rune) bool { return !isHostLetter(c) }) {
		return fmt.Errorf("%w: it is not a host name", ErrHost)
	}
	return nil
}

func isHostLetter(c rune) bool {
	return ('a' <= c && c <= 'z') || ('0' <= c && c <= '9') || c == '.' || c == '-' || c == '_'
}
