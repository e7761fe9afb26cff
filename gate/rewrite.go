package gate

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/stepkey/stepkey/token"
)

// rewrite makes the request for the application of the one that was judged. It runs after
// the headers that Connection names are gone, so that ours cannot be named there
// (CVE-2026-29054).
func (p *Proxy) rewrite(pr *httputil.ProxyRequest, in incoming, who Visitor) {
	out := pr.Out
	out.URL = upstreamURL(p.Upstream, in.Target)
	out.Host = in.host
	// Servers that put trailers among the headers would take the client's for ours.
	out.Trailer = nil
	for name := range out.Header {
		if isOurs(name) {
			delete(out.Header, name)
		}
	}
	if !in.webSocket {
		out.Header.Del("Connection")
		out.Header.Del("Upgrade")
	}
	withoutOurCookies(out.Header)
	identify(out.Header, who)
	if p.RemoteHeaders && who.Level.Satisfies(token.LevelPassword) {
		out.Header.Set("Remote-User", out.Header.Get("X-Stepkey-Name"))
		for _, name := range []string{"Name", "Email", "Groups"} {
			out.Header.Set("Remote-"+name, out.Header.Get("X-Stepkey-"+name))
		}
	}
	out.Header.Set(forwardedHost, in.host)
	out.Header.Set(forwardedProto, in.scheme)
	if addr := p.ClientIP(pr.In); addr.IsValid() {
		out.Header.Set("X-Forwarded-For", addr.String())
	}
}

// upstreamURL returns a URL that is written with exactly the bytes of target. ReverseProxy
// would encode the path again, and drop what it cannot read of the query.
func upstreamURL(upstream *url.URL, target string) *url.URL {
	path, query, found := strings.Cut(target, "?")
	return &url.URL{Scheme: upstream.Scheme, Host: upstream.Host, Opaque: path, RawQuery: query, ForceQuery: found}
}

// isOurs reports whether an application takes a header for one that a proxy sets: the
// user's identity, the address, host and path that were asked for. Those of clients are
// removed.
func isOurs(name string) bool {
	if !strings.ContainsAny(name[:1], "XxFfRrHhPp") { // most names
		return false
	}
	plain := plainName(name)
	for _, prefix := range []string{"x-stepkey-", "x-forwarded-", "x-original-"} {
		if strings.HasPrefix(plain, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"forwarded", "x-real-ip", "x-rewrite-url", "remote-user", "remote-name", "remote-email", "remote-groups",
		"http2-settings", // of an upgrade that is not passed on
		"proxy",          // HTTP_PROXY to a CGI program (CVE-2016-5385)
	}, plain)
}

// withoutOurCookies removes the cookies that Stepkey sets. The others stay byte for byte.
func withoutOurCookies(header http.Header) {
	lines := header["Cookie"]
	kept := lines[:0]
	for _, line := range lines {
		if line = withoutOurs(line); line != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(header, "Cookie")
		return
	}
	header["Cookie"] = kept
}

// appCookies returns the cookies of a request in one line without those that Stepkey sets.
// Some proxies read only the first of several lines.
func appCookies(header http.Header) string {
	return withoutOurs(strings.Join(header.Values("Cookie"), "; "))
}

func withoutOurs(line string) string {
	var kept strings.Builder
	kept.Grow(len(line))
	for i, rest, more := 0, line, true; more; {
		var part string
		if part, rest, more = strings.Cut(rest, ";"); isOurCookie(part) {
			continue
		}
		if i++; i > 1 {
			kept.WriteByte(';')
		}
		kept.WriteString(part)
	}
	if kept.Len() == len(line) {
		return line
	}
	return strings.TrimLeft(kept.String(), " \t")
}

// isOurCookie reports whether a part of a Cookie header is Stepkey's. Some servers ignore
// case and trim spaces beyond ASCII.
func isOurCookie(part string) bool {
	name, _, _ := strings.Cut(part, "=")
	name = strings.ToLower(strings.TrimFunc(name, unicode.IsSpace))
	name = strings.TrimPrefix(strings.TrimPrefix(name, "__host-"), "__secure-")
	return name == "stepkey" || strings.HasPrefix(name, "stepkey-")
}
