package httpapi

import (
	"net/http"
	"slices"
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
