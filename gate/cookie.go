package gate

import (
	"net/http"
	"net/url"
	"strings"
)

// cookies are the names of the gate's cookies at an origin, and whether browsers restrict them
// to secure connections.
type cookies struct {
	sessionName string // the browser session
	startName   string // the secret of a browser that is being signed in
	secure      bool
}

// cookiesAt returns the cookies of an application. The prefix makes browsers accept them only
// if they are Secure and for exactly this host (RFC 6265bis §4.1.3.2), so that no other
// application, not even one on a sibling host, can set them.
//
// WebKit does not treat http://localhost as secure. The names there contain the port, because all
// ports of a host share their cookies.
func cookiesAt(origin string) cookies {
	host, plain := strings.CutPrefix(origin, "http://")
	if !plain {
		return cookies{"__Host-stepkey", "__Host-stepkey-start", true}
	}
	port := "80"
	if u, err := url.Parse("http://" + host); err == nil && u.Port() != "" {
		port = u.Port()
	}
	return cookies{"stepkey-app-" + port, "stepkey-start-" + port, false}
}

// session returns the value of the request's session cookie. If there are two with that name,
// one is not ours, and neither is used.
func (c cookies) session(r *http.Request) (string, bool) { return only(r, c.sessionName) }

// start returns the secret of the browser.
func (c cookies) start(r *http.Request) (string, bool) { return only(r, c.startName) }

func only(r *http.Request, name string) (string, bool) {
	found := r.CookiesNamed(name)
	if len(found) != 1 || found[0].Value == "" {
		return "", false
	}
	return found[0].Value, true
}

// set sets a cookie for maxAge seconds; zero means until the browser closes, and -1 removes it.
// The site of the service's pages may be another one, and leads back by a redirect: hence Lax.
func (c cookies) set(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge, Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
