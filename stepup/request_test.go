package stepup

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The header sets of Chromium were recorded in version 156.
func TestClassify(t *testing.T) {
	const html = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
	type headers map[string]string
	for _, test := range []struct {
		name, method string
		headers      headers
		want         requestKind
	}{
		{"a link", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-User": "?1", "Accept": html}, documentGet},
		{"a link on another site", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site", "Accept": html}, documentGet},
		{"the address bar", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "Accept": html}, documentGet},
		{"a form", "POST", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin", "Accept": html, "Origin": "https://app.example"}, documentPost},
		{"a form with no-referrer", "POST", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin", "Accept": html, "Origin": "null"}, documentPost},
		{"an iframe", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "same-origin", "Accept": html}, framed},
		{"a form in an iframe", "POST", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "same-origin", "Accept": html}, framed},
		{"a frame", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "frame", "Accept": html}, framed},
		{"a fenced frame", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "fencedframe", "Accept": html}, framed},
		{"embed", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "embed", "Accept": html}, framed},
		{"object", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object", "Accept": html}, framed},
		{"EventSource", "GET", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin", "Accept": "text/event-stream"}, scriptRequest},
		{"EventSource over plain HTTP", "GET", headers{"Accept": "text/event-stream"}, scriptRequest},
		{"a WebSocket", "GET", headers{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Origin": "https://app.example"}, scriptRequest},
		{"a WebSocket of a client that accepts HTML", "GET", headers{"Upgrade": "websocket", "Connection": "Upgrade", "Accept": html}, scriptRequest},
		{"link rel=prefetch", "GET", headers{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin", "Accept": html, "Sec-Purpose": "prefetch"}, speculative},
		{"speculation rules", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "Accept": html, "Sec-Purpose": "prefetch;prerender"}, speculative},
		{"Turbo's prefetch", "GET", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html, application/xhtml+xml", "X-Sec-Purpose": "prefetch", "X-Turbo-Request-Id": "1"}, speculative},
		{"another purpose", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": html, "Sec-Purpose": "other"}, documentGet},
		{"fetch", "GET", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin", "Accept": "*/*"}, scriptRequest},
		{"fetch for HTML", "GET", headers{"Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Dest": "empty", "Accept": html}, scriptRequest},
		{"fetch for HTML of a browser that names no destination", "GET", headers{"Sec-Fetch-Mode": "cors", "Accept": html}, scriptRequest},
		{"fetch with a body", "POST", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "*/*", "Content-Type": "application/json"}, scriptRequest},
		{"an image", "GET", headers{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Accept": "image/avif,*/*;q=0.8"}, scriptRequest},
		{"a navigation to no document", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "empty", "Accept": html}, scriptRequest},
		{"HEAD", "HEAD", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": html}, scriptRequest},
		{"HEAD by htmx", "HEAD", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "HX-Request": "true"}, scriptRequest},
		{"a preflight", "OPTIONS", headers{"Accept": "*/*", "Access-Control-Request-Method": "POST"}, scriptRequest},
		{"OPTIONS that accepts HTML", "OPTIONS", headers{"Accept": html, "HX-Request": "true"}, scriptRequest},
		{"PUT that accepts HTML", "PUT", headers{"Accept": html}, scriptRequest},
		{"htmx", "POST", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "*/*", "HX-Request": "true"}, htmx},
		{"Turbo", "GET", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html, application/xhtml+xml", "X-Turbo-Request-Id": "1"}, turboGet},
		{"a form by Turbo", "POST", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/vnd.turbo-stream.html, text/html", "X-Turbo-Request-Id": "1"}, turboOther},
		{"Inertia", "GET", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html, application/xhtml+xml", "X-Requested-With": "XMLHttpRequest", "X-Inertia": "true"}, inertia},
		{"a link over plain HTTP", "GET", headers{"Accept": html}, documentGet},
		{"a form over plain HTTP", "POST", headers{"Accept": "TEXT/HTML"}, documentPost},
		{"a library over plain HTTP", "GET", headers{"Accept": "text/html, */*; q=0.01", "X-Requested-With": "XMLHttpRequest"}, scriptRequest},
		{"fetch over plain HTTP", "GET", headers{"Accept": "*/*"}, scriptRequest},
		{"nothing at all", "GET", nil, scriptRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, "/payouts", nil)
			r.Header = http.Header{}
			for name, value := range test.headers {
				r.Header.Set(name, value)
			}
			if got := classify(r); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}
