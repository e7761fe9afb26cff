package httpapi

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/clientip"
	"github.com/stepkey/stepkey/internal/pages"
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
// stored, only the matching words of our own. The same applies to the language.
func (a *api) clientOf(r *http.Request) stepkey.Client {
	c := stepkey.Client{Device: useragent.Describe(r.UserAgent()), IP: a.clientIP(r), Language: a.languageOf(r)}
	if c.IP.IsValid() {
		c.Network = clientip.Network(c.IP).String()
	}
	return c
}

// languageOf returns the tag of the service's language that a request prefers: first that of the parameter
// ui_locales, as in OpenID Connect Core §3.1.2.1, which lists tags in the order of preference, then the one that was
// chosen on the pages, and then that of the browser.
func (a *api) languageOf(r *http.Request) string {
	wished := strings.ReplaceAll(r.URL.Query().Get("ui_locales"), " ", ",")
	chosen := ""
	if cookie, err := r.Cookie(pages.LanguageCookie); err == nil {
		chosen = cookie.Value
	}
	return a.service.Language(wished, chosen, r.Header.Get("Accept-Language"))
}
