package guard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// CORSOptions say which pages of other origins may call a service.
type CORSOptions struct {
	// Origins lists the origins of the pages, each exactly as a browser writes it,
	// such as https://app.example.com. They are compared byte by byte; there are no
	// patterns.
	Origins []string

	// Headers lists request headers that those pages may send in addition to
	// Authorization, Content-Type and [ActionHeader].
	Headers []string

	// Expose lists response headers that those pages may read in addition to
	// WWW-Authenticate, Retry-After, X-Request-Id and the ones that every page may
	// read.
	Expose []string

	// Credentials allows requests with cookies. A service that accepts access
	// tokens only in Authorization does not need it.
	Credentials bool
}

// preflightMaxAge is how many seconds a browser may cache the answer to a
// preflight.
const preflightMaxAge = "600"

// CORS returns middleware that lets pages of the listed origins call the routes
// behind it, guarded or not, and read every answer, including refusals, so that a
// client knows when to step up and how long to wait. It answers preflights itself,
// because they carry no token. Put it around all routes, outside the guards.
//
// Pages of other origins get no permission, and nothing else changes for them: CORS
// keeps a page from reading an answer, and the guard decides what a request may do.
//
// CORS panics if an origin is not one that a page can have, in particular for
// `*` and null. With `*`, every site could read the service's answers; null is
// the origin of every sandboxed frame and local file, no matter who made it.
func CORS(options CORSOptions) func(http.Handler) http.Handler {
	for _, origin := range options.Origins {
		if !isPageOrigin(origin) {
			panic("guard: CORS: " + origin + " is not the origin of a page; write it like https://app.example.com")
		}
	}
	origins := slices.Clone(options.Origins)
	methods := "GET, HEAD, POST, PUT, PATCH, DELETE"
	headers := strings.Join(append([]string{"Authorization", "Content-Type", ActionHeader}, options.Headers...), ", ")
	expose := strings.Join(append([]string{"WWW-Authenticate", "Retry-After", "X-Request-Id"}, options.Expose...), ", ")
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			// Caches must not serve the answer for one origin to another.
			h.Add("Vary", "Origin")
			origin := r.Header.Get("Origin")
			if !slices.Contains(origins, origin) {
				next.ServeHTTP(w, r)
				return
			}
			h.Set("Access-Control-Allow-Origin", origin)
			if options.Credentials {
				h.Set("Access-Control-Allow-Credentials", "true")
			}
			if !isPreflight(r) {
				h.Set("Access-Control-Expose-Headers", expose)
				next.ServeHTTP(w, r)
				return
			}
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", headers)
			h.Set("Access-Control-Max-Age", preflightMaxAge)
			w.WriteHeader(http.StatusNoContent)
		})
	}
}

// isPreflight reports whether a browser asks if it may send a request (Fetch
// standard, CORS-preflight request).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// isPageOrigin reports whether text is an http or https origin as a browser writes
// it: no default port, no path, no capitals.
func isPageOrigin(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || strings.Contains(u.Host, "*") || strings.HasSuffix(u.Host, ":") {
		return false
	}
	defaultPort, known := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	return known && u.Port() != defaultPort && text == u.Scheme+"://"+strings.ToLower(u.Host)
}
