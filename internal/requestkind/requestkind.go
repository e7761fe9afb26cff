// Package requestkind tells what sent a request, and so in what form it can be refused.
package requestkind

import (
	"net/http"
	"strings"
)

// Kind says in what form a request can be refused so that its sender can go on.
type Kind int

const (
	// Script is fetch, XMLHttpRequest, EventSource, a WebSocket handshake, HEAD,
	// OPTIONS, a client that is no browser, and all that is unknown: a status and a
	// problem document, never a redirect, which fetch would follow into a page.
	Script Kind = iota

	// DocumentGet is a navigation: it can be redirected to the verify page.
	DocumentGet

	// DocumentPost is the post of a form: it can be answered with the verify page.
	DocumentPost

	// Framed is a document inside a page: the verify page cannot be framed, so the
	// answer is a link that opens in the whole tab.
	Framed

	// HTMX follows HX-Redirect with any status.
	HTMX

	// TurboGet is a visit by Turbo, which follows a redirect and reloads if the page
	// asks for it.
	TurboGet

	// TurboOther is a form that Turbo sends by fetch.
	TurboOther

	// Inertia follows X-Inertia-Location of a 409.
	Inertia

	// Speculative is a prefetch or prerender. A status other than success has the
	// browser discard it and ask again when the user gets there; a redirect would
	// show the verify page without a new request for the guarded one.
	Speculative
)

// IsNavigation reports whether a person sees the answer as a page.
func (k Kind) IsNavigation() bool {
	return k == DocumentGet || k == DocumentPost || k == TurboGet
}

// Of tells what sent a request with this method and these headers. Headers are all there is to
// tell by, and what they claim changes the form of a refusal, never whether there is one.
func Of(method string, h http.Header) Kind {
	switch {
	case isSpeculative(h):
		return Speculative
	case method == http.MethodHead || method == http.MethodOptions || isWebSocket(h):
		return Script
	case h.Get("HX-Request") != "":
		return HTMX
	case h.Get("X-Turbo-Request-Id") != "":
		if method == http.MethodGet {
			return TurboGet
		}
		return TurboOther
	case h.Get("X-Inertia") != "":
		return Inertia
	case isFramed(h):
		return Framed
	case !isDocument(h):
		return Script
	case method == http.MethodGet:
		return DocumentGet
	case method == http.MethodPost:
		return DocumentPost
	}
	return Script
}

// isWebSocket reports whether a request is the handshake of a WebSocket, or another upgrade. A
// proxy that asks about a request may leave Upgrade out of the question, because that header is
// for one connection only (RFC 9110 §7.6.1).
func isWebSocket(h http.Header) bool {
	return h.Get("Upgrade") != "" || h.Get("Sec-WebSocket-Key") != ""
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
