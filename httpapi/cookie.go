package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// cookies are the names of a service's cookies, and whether browsers must restrict
// them to secure connections.
type cookies struct {
	refresh string

	// device is the prefix of the names of device cookies, which mark the browser as
	// a known device of a user. Each user has a separate one, so that two users who
	// share a browser do not replace each other's.
	device string

	secure bool
}

// hostCookies have a name prefix that makes browsers accept a cookie only if it is
// Secure and for exactly this host, with the path / (RFC 6265bis §4.1.3.2).
var hostCookies = cookies{refresh: "__Host-stepkey-refresh", device: "__Host-stepkey-device-", secure: true}

// cookiesFor returns the cookies of a service whose pages have these origins.
//
// WebKit does not treat http://localhost as secure and drops such cookies there. If
// every page is on localhost, the cookies are not Secure and have no prefix. Their
// names then contain the port of the main origin: cookies are shared by all ports
// of a host, and two installations must not sign each other out.
func cookiesFor(pageOrigins []string) cookies {
	if len(pageOrigins) == 0 || slices.ContainsFunc(pageOrigins, isSecure) {
		return hostCookies
	}
	port := "80"
	if u, err := url.Parse(pageOrigins[0]); err == nil && u.Port() != "" {
		port = u.Port()
	}
	return cookies{refresh: "stepkey-refresh-" + port, device: "stepkey-device-" + port + "-"}
}

// isSecure reports whether origin is not plain http, which is only allowed for
// localhost.
func isSecure(origin string) bool { return !strings.HasPrefix(origin, "http://") }

func (c cookies) set(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// setRefresh stores a refresh token in the browser where no script can read it.
func (c cookies) setRefresh(w http.ResponseWriter, value string, lifetime time.Duration) {
	c.set(w, c.refresh, value, max(1, int(lifetime.Seconds())))
}

func (c cookies) clearRefresh(w http.ResponseWriter) { c.set(w, c.refresh, "", -1) }

// refreshOf returns the request's refresh token, or an empty string. If there are two
// cookies with that name, one is not ours, and neither is used.
func (c cookies) refreshOf(r *http.Request) string {
	found := r.CookiesNamed(c.refresh)
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// setDevice stores a device token where no script can read it. Only our own pages
// send it, and it gives no access.
func (c cookies) setDevice(w http.ResponseWriter, userID, value string, lifetime time.Duration) {
	digest := sha256.Sum256([]byte(userID))
	c.set(w, c.device+hex.EncodeToString(digest[:4]), value, int(lifetime.Seconds()))
}

func (c cookies) devicesOf(r *http.Request) []string {
	var tokens []string
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, c.device) {
			tokens = append(tokens, cookie.Value)
		}
	}
	return tokens
}

// ownPage reports whether a request comes from a page that may act for its user.
// Browsers say so in Origin or Sec-Fetch-Site, which no page can forge; a
// request with neither does not come from a browser that can be trusted with a
// cookie. SameSite alone would admit every page on a sibling domain.
func (a *api) ownPage(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		return slices.Contains(a.pageOrigins, origin)
	}
	return r.Header.Get("Sec-Fetch-Site") == "same-origin"
}
