package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

// refreshCookie has the prefix with which browsers take a cookie only if it is
// secure, for the whole host and for no other (RFC 6265bis §4.1.3.2). Browsers
// treat http://localhost as secure.
const refreshCookie = "__Host-stepkey-refresh"

// setRefreshCookie hands a refresh token to the browser where no script can read
// it.
func setRefreshCookie(w http.ResponseWriter, value string, lifetime time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: refreshCookie, Value: value, Path: "/", MaxAge: max(1, int(lifetime.Seconds())),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

func clearRefreshCookie(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{
		Name: refreshCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// refreshCookieOf returns the request's refresh token, or nothing. Two cookies of
// that name cannot come from us.
func refreshCookieOf(r *http.Request) string {
	cookies := r.CookiesNamed(refreshCookie)
	if len(cookies) != 1 {
		return ""
	}
	return cookies[0].Value
}

// deviceCookie begins the names of the cookies that tell on which devices somebody
// has signed in before. There is one for each user, so that two who share a browser
// do not replace each other's.
const deviceCookie = "__Host-stepkey-device-"

// setDeviceCookie keeps a device token where no script can read it. It is sent along
// by pages of ours only, and opens nothing.
func setDeviceCookie(w http.ResponseWriter, userID, value string, lifetime time.Duration) {
	digest := sha256.Sum256([]byte(userID))
	http.SetCookie(w, &http.Cookie{
		Name: deviceCookie + hex.EncodeToString(digest[:4]), Value: value, Path: "/", MaxAge: int(lifetime.Seconds()),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

func deviceCookiesOf(r *http.Request) []string {
	var tokens []string
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, deviceCookie) {
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
