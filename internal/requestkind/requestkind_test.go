package requestkind

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
		want         Kind
	}{
		{"a link", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-User": "?1", "Accept": html}, DocumentGet},
		{"a link on another site", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site", "Accept": html}, DocumentGet},
		{"the address bar", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "Accept": html}, DocumentGet},
		{"a form", "POST", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin", "Accept": html, "Origin": "https://app.example"}, DocumentPost},
		{"a form with no-referrer", "POST", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin", "Accept": html, "Origin": "null"}, DocumentPost},
		{"an iframe", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "same-origin", "Accept": html}, Framed},
		{"a form in an iframe", "POST", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "same-origin", "Accept": html}, Framed},
		{"a frame", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "frame", "Accept": html}, Framed},
		{"a fenced frame", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "fencedframe", "Accept": html}, Framed},
		{"embed", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "embed", "Accept": html}, Framed},
		{"object", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object", "Accept": html}, Framed},
		{"EventSource", "GET", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin", "Accept": "text/event-stream"}, Script},
		{"EventSource over plain HTTP", "GET", headers{"Accept": "text/event-stream"}, Script},
		{"a WebSocket", "GET", headers{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Origin": "https://app.example"}, Script},
		{"a WebSocket of a client that accepts HTML", "GET", headers{"Upgrade": "websocket", "Connection": "Upgrade", "Accept": html}, Script},
		{"a WebSocket behind a proxy that drops Upgrade", "GET", headers{"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Accept": html}, Script},
		{"link rel=prefetch", "GET", headers{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin", "Accept": html, "Sec-Purpose": "prefetch"}, Speculative},
		{"speculation rules", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "Accept": html, "Sec-Purpose": "prefetch;prerender"}, Speculative},
		{"Turbo's prefetch", "GET", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html, application/xhtml+xml", "X-Sec-Purpose": "prefetch", "X-Turbo-Request-Id": "1"}, Speculative},
		{"another purpose", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": html, "Sec-Purpose": "other"}, DocumentGet},
		{"fetch", "GET", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin", "Accept": "*/*"}, Script},
		{"fetch for HTML", "GET", headers{"Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Dest": "empty", "Accept": html}, Script},
		{"fetch for HTML of a browser that names no destination", "GET", headers{"Sec-Fetch-Mode": "cors", "Accept": html}, Script},
		{"fetch with a body", "POST", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "*/*", "Content-Type": "application/json"}, Script},
		{"an image", "GET", headers{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Accept": "image/avif,*/*;q=0.8"}, Script},
		{"a navigation to no document", "GET", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "empty", "Accept": html}, Script},
		{"HEAD", "HEAD", headers{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": html}, Script},
		{"HEAD by htmx", "HEAD", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "HX-Request": "true"}, Script},
		{"a preflight", "OPTIONS", headers{"Accept": "*/*", "Access-Control-Request-Method": "POST"}, Script},
		{"OPTIONS that accepts HTML", "OPTIONS", headers{"Accept": html, "HX-Request": "true"}, Script},
		{"PUT that accepts HTML", "PUT", headers{"Accept": html}, Script},
		{"htmx", "POST", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "*/*", "HX-Request": "true"}, HTMX},
		{"Turbo", "GET", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html, application/xhtml+xml", "X-Turbo-Request-Id": "1"}, TurboGet},
		{"a form by Turbo", "POST", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/vnd.turbo-stream.html, text/html", "X-Turbo-Request-Id": "1"}, TurboOther},
		{"Inertia", "GET", headers{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html, application/xhtml+xml", "X-Requested-With": "XMLHttpRequest", "X-Inertia": "true"}, Inertia},
		{"a link over plain HTTP", "GET", headers{"Accept": html}, DocumentGet},
		{"a form over plain HTTP", "POST", headers{"Accept": "TEXT/HTML"}, DocumentPost},
		{"a library over plain HTTP", "GET", headers{"Accept": "text/html, */*; q=0.01", "X-Requested-With": "XMLHttpRequest"}, Script},
		{"fetch over plain HTTP", "GET", headers{"Accept": "*/*"}, Script},
		{"nothing at all", "GET", nil, Script},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, "/payouts", nil)
			r.Header = http.Header{}
			for name, value := range test.headers {
				r.Header.Set(name, value)
			}
			if got := Of(r.Method, r.Header); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}
