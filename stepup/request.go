package stepup

import (
	"net/http"
	"strings"
)

// requestKind says in what form a request can be refused so that its sender can go on.
type requestKind int

const (
	// scriptRequest is fetch, XMLHttpRequest, EventSource, a WebSocket handshake, HEAD,
	// OPTIONS, a client that is no browser, and all that is unknown: a status and a
	// problem document, never a redirect, which fetch would follow into a page.
	scriptRequest requestKind = iota

	// documentGet is a navigation: it can be redirected to the verify page.
	documentGet

	// documentPost is the post of a form: it can be answered with the verify page.
	documentPost

	// framed is a document inside a page: the verify page cannot be framed, so the
	// answer is a link that opens in the whole tab.
	framed

	// htmx follows HX-Redirect with any status.
	htmx

	// turboGet is a visit by Turbo, which follows a redirect and reloads if the page
	// asks for it.
	turboGet

	// turboOther is a form that Turbo sends by fetch.
	turboOther

	// inertia follows X-Inertia-Location of a 409.
	inertia

	// speculative is a prefetch or prerender. A status other than success has the
	// browser discard it and ask again when the user gets there; a redirect would
	// show the verify page without a new request for the guarded one.
	speculative
)

// isNavigation reports whether a person sees the answer as a page.
func (k requestKind) isNavigation() bool {
	return k == documentGet || k == documentPost || k == turboGet
}

// classify tells what sent the request. Headers are all there is to tell by, and what
// they claim changes the form of a refusal, never whether there is one.
func classify(r *http.Request) requestKind {
	switch {
	case isSpeculative(r.Header):
		return speculative
	case r.Method == http.MethodHead || r.Method == http.MethodOptions || r.Header.Get("Upgrade") != "":
		return scriptRequest
	case r.Header.Get("HX-Request") != "":
		return htmx
	case r.Header.Get("X-Turbo-Request-Id") != "":
		if r.Method == http.MethodGet {
			return turboGet
		}
		return turboOther
	case r.Header.Get("X-Inertia") != "":
		return inertia
	case isFramed(r.Header):
		return framed
	case !isDocument(r.Header):
		return scriptRequest
	case r.Method == http.MethodGet:
		return documentGet
	case r.Method == http.MethodPost:
		return documentPost
	}
	return scriptRequest
}

// isSpeculative reports whether a browser, or Turbo by X-Sec-Purpose, fetches a page
// that the user may never visit.
func isSpeculative(h http.Header) bool {
	for _, name := range []string{"Sec-Purpose", "X-Sec-Purpose"} {
		if value := h.Get(name); strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") {
			return true
		}
	}
	return false
}

func isFramed(h http.Header) bool {
	switch h.Get("Sec-Fetch-Dest") {
	case "iframe", "frame", "fencedframe", "embed", "object":
		return true
	}
	return false
}

// isDocument reports whether the answer is shown as a page. Browsers say so in
// Sec-Fetch-* (Fetch Metadata), but not over plain HTTP and not before 2020 or, for
// Safari, 2023. Then a document accepts HTML, as the fetch of no script does by default,
// and is not an XMLHttpRequest of a library.
func isDocument(h http.Header) bool {
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false
	}
	if dest := h.Get("Sec-Fetch-Dest"); dest != "" {
		return dest == "document"
	}
	return h.Get("X-Requested-With") == "" && strings.Contains(strings.ToLower(strings.Join(h.Values("Accept"), ",")), "text/html")
}
