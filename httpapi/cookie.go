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

// cookies are the cookies of a service: what they are called, and whether browsers
// have to keep them to secure connections.
type cookies struct {
	refresh string

	// device begins the names of the cookies that tell on which devices somebody has
	// signed in before. There is one for each user, so that two who share a browser
	// do not replace each other's.
	device string

	secure bool
}

// hostCookies have the prefix with which browsers take a cookie only if it is secure,
// for the whole host and for no other (RFC 6265bis §4.1.3.2).
var hostCookies = cookies{refresh: "__Host-stepkey-refresh", device: "__Host-stepkey-device-", secure: true}

// cookiesFor returns the cookies of a service whose pages have these origins.
//
// WebKit does not take http://localhost for secure and drops such cookies there, so
// where every page is on it they go without. They are then named after the port of
// the main origin: cookies are shared by all ports of a host, and two installations
// must not sign each other out.
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

// isSecure reports whether origin is anything but plain http, which is allowed for
// localhost alone.
func isSecure(origin string) bool { return !strings.HasPrefix(origin, "http://") }

func (c cookies) set(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// setRefresh hands a refresh token to the browser where no script can read it.
func (c cookies) setRefresh(w http.ResponseWriter, value string, lifetime time.Duration) {
	c.set(w, c.refresh, value, max(1, int(lifetime.Seconds())))
}

func (c cookies) clearRefresh(w http.ResponseWriter) { c.set(w, c.refresh, "", -1) }

// refreshOf returns the request's refresh token, or nothing. Two cookies of that name
// cannot come from us.
func (c cookies) refreshOf(r *http.Request) string {
	found := r.CookiesNamed(c.refresh)
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// setDevice keeps a device token where no script can read it. It is sent along by
// pages of ours only, and opens nothing.
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
// A browser says so in Origin or in Sec-Fetch-Site, which no page can forge; a
// request with neither does not come from a browser that we could trust with a
// cookie. SameSite alone would let in every page of a sibling domain.
func (a *api) ownPage(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		return slices.Contains(a.pageOrigins, origin)
	}
	return r.Header.Get("Sec-Fetch-Site") == "same-origin"
}
