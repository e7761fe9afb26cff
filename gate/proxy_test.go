package gate

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/token"
)

func TestProxyCorpus(t *testing.T) {
	for _, test := range slices.Concat(corpus, []attempt{
		{"RFC 9112 section 3.2.2", "GET", "http://app.example.com/public/", nil, 400},
		{"the same, another host", "GET", "https://other.example.com/public/", nil, 400},
		{"asterisk form", "OPTIONS", "*", nil, 400},
		{"authority form", "CONNECT", "app.example.com:443", nil, 400},
		{"CONNECT with a path", "CONNECT", "/public/", nil, 400},
		{"TRACE", "TRACE", "/public/", nil, 400},
		{"no Host", "GET", "/public/", []string{"Host: "}, 400},
		{"two Hosts", "GET", "/public/", []string{"+Host: other.example.com"}, 400},
		{"userinfo in Host", "GET", "/public/", []string{"Host: app.example.com@other.example.com"}, 400},
		{"zone in Host", "GET", "/public/", []string{"Host: [fe80::1%25eth0]"}, 400},
		{"another Host", "GET", "/public/", []string{"Host: other.example.com"}, 403},
		{"capitals in Host", "GET", "/admin", []string{"Host: APP.Example.com"}, 401},
		{"X-Forwarded-Host twice", "GET", "/public/", []string{"X-Forwarded-Host: app.example.com", "+X-Forwarded-Host: app.example.com"}, 400},
		{"X-Forwarded-Proto twice", "GET", "/public/", []string{"+X-Forwarded-Proto: https"}, 400},
		{"other characters for -", "GET", "/public/", []string{"X!Stepkey~User: root"}, 400},
		{"X-Forwarded-Method", "DELETE", "/admin", []string{"X-Forwarded-Method: GET", "X-Forwarded-Uri: /public/"}, 401},
		{"space in the target", "GET", "/public/ x", nil, 400},
		{"chunked and something", "POST", "/public/", []string{"Transfer-Encoding: chunked, identity"}, 501},
		{"two lengths", "POST", "/public/", []string{"Content-Length: 0", "+Content-Length: 1"}, 400},
		{"a folded header", "GET", "/public/", []string{"X-A: b\r\n c"}, 200},
		{"a space before the colon", "GET", "/public/", []string{"X-Stepkey-User : root"}, 400},
	}) {
		p := newProxied(t, "", nil)
		response, reached := p.try(t, test.method, test.uri, test.headers...)
		if response.StatusCode != test.want || (reached != nil) != (test.want == 200) {
			t.Errorf("%s: %s %.60q: %d, want %d; reached: %v", test.source, test.method, test.uri, response.StatusCode, test.want, reached != nil)
		}
	}
	p := newProxied(t, "", nil)
	for text, want := range map[string]int{
		"GET /public/\r\n\r\n": 400, // HTTP/0.9
		"GET /public/ HTTP/1.0\r\nX-Forwarded-Proto: https\r\n\r\n":                                      400,
		"GET /public/ HTTP/1.0\r\nX-Forwarded-Proto: https\r\nHost: app.example.com\r\n\r\n":             200,
		"GET /public/ HTTP/2.0\r\nX-Forwarded-Proto: https\r\nHost: app.example.com\r\n\r\n":             505,
		"GET /public/ HTTP/1.1 \r\nX-Forwarded-Proto: https\r\nHost: app.example.com\r\n\r\n":            400,
		" GET /public/ HTTP/1.1\r\nX-Forwarded-Proto: https\r\nHost: app.example.com\r\n\r\n":            400,
		"GET\t/public/\tHTTP/1.1\r\nX-Forwarded-Proto: https\r\nHost: app.example.com\r\n\r\n":           400,
		"GET /public/\x00 HTTP/1.1\r\nX-Forwarded-Proto: https\r\nHost: app.example.com\r\n\r\n":         400,
		"GET /public/ HTTP/1.1\r\nX-Forwarded-Proto: https\r\nHost: app.example.com\r\nX\x00: a\r\n\r\n": 400,
	} {
		response, reached := p.tryText(t, text)
		if response.StatusCode != want || (reached != nil) != (want == 200) {
			t.Errorf("%q: %d, want %d", text, response.StatusCode, want)
		}
	}
}

// Shadow mode passes what the rules refuse, but not what cannot be passed on as it came.
func TestProxyShadow(t *testing.T) {
	p := newProxied(t, "mode = 'shadow'\nuntil = '"+time.Now().Add(48*time.Hour).Format(time.DateOnly)+"'\n", nil)
	for target, want := range map[string]int{
		"/admin": 200, "/internal": 200, "/public/..": 200, "/a%2fb;c": 200, "/a#b": 200,
		"//admin": 400, "http://app.example.com/admin": 400, "*": 400,
	} {
		response, reached := p.try(t, "GET", target, "X-Stepkey-User: root")
		if response.StatusCode != want {
			t.Errorf("%s: %d, want %d", target, response.StatusCode, want)
		}
		if want == 200 && (reached.RequestURI != target || reached.Header.Get("X-Stepkey-User") != "") {
			t.Errorf("%s: the application got %s with %v", target, reached.RequestURI, reached.Header)
		}
	}
}

// The bytes that were judged are those that are passed on.
func TestProxyPassesTargetsOnAsTheyCame(t *testing.T) {
	p := newProxied(t, "", nil)
	for _, target := range []string{
		"/public/", "/public", "/public/%61%7E~!$&'()*+,=:@-._", "/public/a%20b", "/public/\"<>[]^`{|}", "/public/%C3%A4",
		"/public/?", "/public/??", "/public/?a;b=c&%zz", "/public/?//x/../y", "/public/?q=\xff\xc3\xa4", "/public/?a=1&a=2&&",
		"/public/?http://x", "/public/?" + strings.Repeat("a&", 6000)[:8000],
	} {
		response, reached := p.try(t, "GET", target)
		if response.StatusCode != 200 || reached.RequestURI != target {
			t.Errorf("%.60q: %d %v", target, response.StatusCode, reached)
		}
	}
}

// The application gets what the gate knows of the user and of the connection, and nothing that a
// client claims.
func TestProxySetsHeaders(t *testing.T) {
	p := newProxied(t, "", func(o *ProxyOptions) {
		o.RemoteHeaders = true
		o.Sessions = asserted{o.Sessions}
		o.ClientIP = func(*http.Request) netip.Addr { return netip.MustParseAddr("203.0.113.9") }
	})
	forged := []string{
		"X-Stepkey-User: root", "+x-stepkey-user: root", "X-Stepkey-Groups: ops", "X-Stepkey-Anything: x", "X-Stepkey-Assertion: forged",
		"X-Original-URL: /admin", "X-Rewrite-URL: /admin", "X-Forwarded-Prefix: /x", "X-Forwarded-Port: 1", "Forwarded: for=10.0.0.1",
		"X-Forwarded-For: 10.0.0.1", "X-Real-IP: 10.0.0.1", "Remote-User: root", "Remote_User: root", "remote.groups: ops", "X_Original_URL: /x",
		"Proxy: http://x", "X-Other: kept", "X_Other: kept", "Authorization: Bearer x",
		"Connection: X-Stepkey-User, X-Stepkey-Level, X-Stepkey-Assertion, X-Forwarded-For, Remote-User, close",
	}
	_, reached := p.try(t, "GET", "/public/", forged...)
	for _, name := range identity {
		if values := reached.Header.Values(name); !slices.Equal(values, []string{""}) {
			t.Errorf("without a session %s is %q", name, values)
		}
	}
	for name := range reached.Header {
		if !slices.Contains(append(identity, "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Other", "X_other", "Authorization"), name) {
			t.Errorf("without a session the application got %s", name)
		}
	}
	full := "Authorization: " + p.access(t, token.LevelFull, 0)
	_, reached = p.try(t, "GET", "/fresh", append(forged, full)...)
	for name, want := range map[string]string{
		"X-Stepkey-User": "7f", "X-Stepkey-Name": "Mir%C3%A4%2C%201", "X-Stepkey-Level": "full", "X-Stepkey-Groups": "", "X-Stepkey-Assertion": "signed for 7f at https://app.example.com", "X-Stepkey-Email": "mira@example.com",
		"Remote-User": "Mir%C3%A4%2C%201", "Remote-Name": "Mir%C3%A4%2C%201", "Remote-Groups": "", "Remote-Email": "mira@example.com",
		"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "app.example.com", "X-Forwarded-Proto": "https", "X-Other": "kept",
	} {
		if values := reached.Header.Values(name); !slices.Equal(values, []string{want}) {
			t.Errorf("%s is %q, want %q", name, values, want)
		}
	}
	if reached.Host != "app.example.com" {
		t.Errorf("Host is %s", reached.Host)
	}
	// A trailer is a header to some servers.
	_, reached = p.tryText(t, strings.TrimSuffix(p.head("POST", "/public/", "Transfer-Encoding: chunked", "Trailer: X-Stepkey-User"), "\r\n")+
		"\r\n1\r\na\r\n0\r\nX-Stepkey-User: root\r\n\r\n")
	if len(reached.Trailer) > 0 {
		t.Errorf("trailers %v", reached.Trailer)
	}
}

// asserted are sessions whose users have an address and an assertion.
type asserted struct{ Sessions }

func (s asserted) Visitor(r *http.Request, origin string, maxAge time.Duration) (Visitor, error) {
	who, err := s.Sessions.Visitor(r, origin, maxAge)
	if who.ID != "" {
		who.Email, who.Assertion = "mira@example.com", "signed for "+who.ID+" at "+origin
	}
	return who, err
}

// Nothing is added that was not asked for. The host is the one that a trusted proxy says.
func TestProxyWithoutOptions(t *testing.T) {
	p := newProxied(t, "", nil)
	_, reached := p.try(t, "GET", "/", "Host: gate.internal:3000", "X-Forwarded-Host: app.example.com", "Authorization: "+p.access(t, token.LevelPassword, 0))
	if reached == nil || reached.Host != "app.example.com" || reached.Header.Get("X-Stepkey-User") != "7f" {
		t.Fatalf("the application got %v", reached)
	}
	for _, name := range []string{"Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups"} {
		if _, ok := reached.Header[name]; ok {
			t.Errorf("the application got %s", name)
		}
	}
}

// A peer that is not trusted is believed nothing but its connection.
func TestProxyBelievesOnlyTrustedPeers(t *testing.T) {
	p := newProxied(t, "", nil)
	p.trusted.Store(false)
	tlsServer := httptest.NewTLSServer(p.proxy)
	defer tlsServer.Close()
	request := func(proto, host string) (int, *http.Request) {
		r, err := http.NewRequest("GET", tlsServer.URL+"/public/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		r.Header.Set("X-Forwarded-Proto", proto)
		r.Header.Set("X-Forwarded-Host", "other.example.com")
		response, err := tlsServer.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		select {
		case reached := <-p.reached:
			return response.StatusCode, reached
		default:
			return response.StatusCode, nil
		}
	}
	status, reached := request("http", "app.example.com")
	if status != 200 || reached.Header.Get("X-Forwarded-Proto") != "https" || reached.Host != "app.example.com" ||
		reached.Header.Get("X-Forwarded-Host") != "app.example.com" || reached.Header.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("%d %v", status, reached)
	}
	p.trusted.Store(true)
	if status, _ := request("https", "app.example.com"); status != 403 {
		t.Errorf("another host of a trusted proxy: %d", status)
	}
}

// appCookiesOf are what applications get of the cookies that a browser sends.
var appCookiesOf = map[string]string{
	"a=1; __Host-stepkey=x; b=2":                       "a=1; b=2",
	"__Host-stepkey=x; a=1":                            "a=1",
	"a=1;__Host-stepkey-refresh=x;  b= 2 ;c":           "a=1;  b= 2 ;c",
	"__Secure-stepkey=x":                               "",
	"stepkey-refresh-3000=x; stepkey-device-3000-ab=y": "",
	"__host-STEPKEY=x; a=1":                            "a=1",
	"a=1; \u2000__Host-stepkey=x":                      "a=1",
	"a=1; __Host-stepkey":                              "a=1",
	"a=1; mystepkey=2; __Host-step=3; stepkeys=4":      "a=1; mystepkey=2; __Host-step=3; stepkeys=4",
	"a=\"b;c\" ;; =x; b=__Host-stepkey":                "a=\"b;c\" ;; =x; b=__Host-stepkey",
	"a=1;;b=2;":                                        "a=1;;b=2;",
}

// The cookies of Stepkey stay with the gate, and the others are as they came.
func TestProxyKeepsItsCookies(t *testing.T) {
	p := newProxied(t, "", nil)
	for sent, want := range appCookiesOf {
		_, reached := p.try(t, "GET", "/public/", "Cookie: "+sent)
		if got := reached.Header.Get("Cookie"); got != want {
			t.Errorf("%q became %q, want %q", sent, got, want)
		}
	}
	_, reached := p.try(t, "GET", "/public/", "Cookie: stepkey-x=1", "+Cookie: a=1", "+Cookie: __Host-stepkey-start=2; b=3")
	if got := reached.Header["Cookie"]; strings.Join(got, "|") != "a=1|b=3" {
		t.Errorf("%q", got)
	}
}

// Proxies that ask get the application's cookies in the answer, in one line.
func TestForwardAuthKeepsItsCookies(t *testing.T) {
	f := newFixture(t, "", endedState{})
	for sent, want := range appCookiesOf {
		if got := f.ask(ForwardAuthPath, "GET", "/public/", "Cookie: "+sent).Header.Values("Cookie"); !slices.Equal(got, []string{want}) {
			t.Errorf("%q became %q, want %q", sent, got, want)
		}
	}
	got := f.ask(ForwardAuthPath, "GET", "/public/", "Cookie: a=1", "+Cookie: __Host-stepkey=2; b=3", "+Cookie: c=4").Header.Values("Cookie")
	if !slices.Equal(got, []string{"a=1; b=3; c=4"}) {
		t.Errorf("several lines became %q", got)
	}
	if got := f.ask(ForwardAuthPath, "GET", "/public/").Header.Values("Cookie"); !slices.Equal(got, []string{""}) {
		t.Errorf("no cookies became %q", got)
	}
	if got := f.ask(ForwardAuthPath, "GET", "/admin", "Cookie: a=1").Header.Values("Cookie"); got != nil {
		t.Errorf("a refusal, which the client sees, has %q", got)
	}
}

// Stepkey's own paths never reach the application, and no others reach Stepkey.
func TestProxyPages(t *testing.T) {
	p := newProxied(t, "", func(o *ProxyOptions) {
		o.Pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(299) })
	})
	for target, want := range map[string]int{
		"/_stepkey": 299, "/_stepkey/": 299, "/_stepkey/sign-in?a": 299, "/%5fstepkey/x": 299, "/_stepkey%2fx": 299,
		"/_stepkeys": 401, "/public/_stepkey/": 200,
	} {
		response, _ := p.try(t, "GET", target)
		if response.StatusCode != want {
			t.Errorf("%s: %d, want %d", target, response.StatusCode, want)
		}
	}
	for target, want := range map[string]int{"/_stepkey/": 403, "/_stepkey/readyz": 299, "/_stepkey/livez": 299, "/_stepkey/livez/x": 403} {
		response, _ := p.try(t, "GET", target, "Host: 192.0.2.1:3000")
		if response.StatusCode != want {
			t.Errorf("%s of another host: %d, want %d", target, response.StatusCode, want)
		}
	}
}

// Two ends of one request (RFC 9112 §6.1): nothing may follow it on the connection.
func TestProxyClosesAfterDoubtfulFraming(t *testing.T) {
	p := newProxied(t, "", nil)
	const smuggled = "GET /public/smuggled HTTP/1.1\r\nHost: app.example.com\r\nX-Forwarded-Proto: https\r\n\r\n"
	for name, text := range map[string]string{
		"both": p.head("POST", "/public/", "Transfer-Encoding: chunked", "Content-Length: 6") + "0\r\n\r\n" + smuggled,
		"HTTP/1.0 chunked": "POST /public/ HTTP/1.0\r\nHost: app.example.com\r\nX-Forwarded-Proto: https\r\nConnection: keep-alive\r\n" +
			"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + smuggled,
	} {
		w := p.dial(t)
		response := w.send(t, text)
		if response.StatusCode != 200 || !w.ends() {
			t.Errorf("%s: %d, or the connection goes on", name, response.StatusCode)
		}
		reached := <-p.reached
		if reached.Header.Get("Content-Length") != "" && len(reached.TransferEncoding) > 0 {
			t.Errorf("%s: the application got both", name)
		}
		if len(p.reached) > 0 {
			t.Errorf("%s: what followed reached the application", name)
		}
	}
	w := p.dial(t) // an honest connection goes on
	for range 2 {
		if response := w.send(t, p.head("POST", "/public/", "Content-Length: 1")+"a"); response.StatusCode != 200 || response.Close {
			t.Errorf("%d, closed: %v", response.StatusCode, response.Close)
		}
	}
}

func TestProxyUpgradesNothingElse(t *testing.T) {
	p := newProxied(t, "", nil)
	for _, lines := range [][]string{
		{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
		{"Connection: Upgrade", "Upgrade: websocket, h2c"},
		{"Connection: Upgrade", "Upgrade: websocket", "+Upgrade: h2c"},
		{"Connection: Upgrade", "Upgrade: TLS/1.2"},
		{"Upgrade: websocket"},
		{"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
	} {
		response, reached := p.try(t, "GET", "/public/", lines...)
		if response.StatusCode != 200 || reached.Header.Get("Upgrade")+reached.Header.Get("Connection")+reached.Header.Get("Http2-Settings") != "" {
			t.Errorf("%q: %d %v", lines, response.StatusCode, reached)
		}
	}
	p.serve(func(w http.ResponseWriter, _ *http.Request) { // and the application cannot either
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	})
	if response, _ := p.try(t, "GET", "/public/", "Connection: Upgrade", "Upgrade: h2c"); response.StatusCode != 502 {
		t.Errorf("%d", response.StatusCode)
	}
}

// A problem document says what is the matter with the application.
func TestProxyWithoutApplication(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	p := newProxied(t, "", func(o *ProxyOptions) { o.Upstream = &url.URL{Scheme: "http", Host: closed.Addr().String()} })
	wantProblem(t, p, 502, "upstream_unavailable")

	p = newProxied(t, "", nil)
	stop := make(chan struct{})
	p.serve(func(http.ResponseWriter, *http.Request) { <-stop })
	t.Cleanup(func() { close(stop) })
	p.proxy.reverse.Transport.(*http.Transport).ResponseHeaderTimeout = 50 * time.Millisecond
	wantProblem(t, p, 504, "upstream_timeout")
}

func wantProblem(t *testing.T, p *proxied, status int, code string) {
	t.Helper()
	response, _ := p.try(t, "GET", "/public/")
	var problem struct {
		Status int
		Code   string
	}
	if err := json.NewDecoder(response.Body).Decode(&problem); err != nil || response.StatusCode != status || problem.Status != status ||
		problem.Code != code || response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v %+v, %v", response.StatusCode, response.Header, problem, err)
	}
}

func TestNewProxyRefusesUpstreams(t *testing.T) {
	for _, text := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://x/app", "http://u:p@x", "http://x?a", "http://x#a", "unix:/x"} {
		u, _ := url.Parse(text)
		if _, err := NewProxy(ProxyOptions{Upstream: u}); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}
