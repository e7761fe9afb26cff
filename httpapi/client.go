package httpapi

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/stepkey/stepkey"
)

// clientOf says by what people can recognise a session: browser and system, as the
// browser names them, and the network. What the browser sent is not kept, only
// which of our words fit it.
func clientOf(r *http.Request) stepkey.Client {
	return stepkey.Client{Device: deviceOf(r.UserAgent()), Address: networkOf(r.RemoteAddr)}
}

// networkOf is the network of a peer: enough to tell home from abroad, and not
// enough to point at one person.
func networkOf(peer string) string {
	address, err := netip.ParseAddrPort(peer)
	if err != nil {
		return ""
	}
	ip, bits := address.Addr().Unmap(), 48
	if ip.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(ip.WithZone(""), bits).Masked().String()
}

// Of browsers the order decides: most of them also name those they descend from.
var (
	browsers = [][2]string{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser", "Samsung Internet"},
		{"Firefox", "Firefox"},
		{"FxiOS", "Firefox"},
		{"CriOS", "Chrome"},
		{"Chrome", "Chrome"},
		{"Safari", "Safari"},
		{"curl", "curl"},
		{"Go-http-client", "Go"},
	}
	systems = [][2]string{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Android", "Android"},
		{"CrOS", "ChromeOS"},
		{"Windows", "Windows"},
		{"Mac OS X", "macOS"},
		{"Linux", "Linux"},
	}
)

func deviceOf(userAgent string) string {
	browser, system := firstMatch(browsers, userAgent), firstMatch(systems, userAgent)
	switch {
	case browser == "" && system == "":
		return "Unknown device"
	case browser == "":
		return system
	case system == "":
		return browser
	default:
		return browser + " on " + system
	}
}

func firstMatch(words [][2]string, text string) string {
	for _, word := range words {
		if strings.Contains(text, word[0]) {
			return word[1]
		}
	}
	return ""
}
