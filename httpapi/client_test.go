package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stepkey/stepkey"
)

// requests come from 192.0.2.1 here, which is httptest's.
func TestClientOf(t *testing.T) {
	behind, err := BehindProxies([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, "")
	if err != nil {
		t.Fatal(err)
	}
	service := newService(t)
	for _, test := range []struct {
		name     string
		clientIP func(*http.Request) netip.Addr
		peer     string
		want     stepkey.Client
	}{
		{"peer", peerIP, "203.0.113.77:1", stepkey.Client{Network: "203.0.113.0/24", IP: netip.MustParseAddr("203.0.113.77")}},
		{"IPv6 peer", peerIP, "[2001:db8:1:2::6]:1", stepkey.Client{Network: "2001:db8:1::/48", IP: netip.MustParseAddr("2001:db8:1:2::6")}},
		{"proxy that is not trusted", peerIP, "192.0.2.1:1", stepkey.Client{Network: "192.0.2.0/24", IP: netip.MustParseAddr("192.0.2.1")}},
		{"proxy", behind, "192.0.2.1:1", stepkey.Client{Network: "198.51.100.0/24", IP: netip.MustParseAddr("198.51.100.7")}},
		{"nobody knows", peerIP, "@", stepkey.Client{}},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = test.peer
		r.Header.Set("User-Agent", "Firefox Linux")
		r.Header.Set("X-Forwarded-For", "203.0.113.200, 198.51.100.7")
		test.want.Device = "Firefox on Linux"
		if got := (&api{clientIP: test.clientIP, service: service}).clientOf(r); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestSessionsShowTheNetworkOfTheClient(t *testing.T) {
	service := newService(t)
	behind, err := BehindProxies([]netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, "")
	if err != nil {
		t.Fatal(err)
	}
	for want, options := range map[string]Options{
		"192.0.2.0/24":    {},
		"198.51.100.0/24": {ClientIP: behind},
	} {
		h := newHandler(service, options)
		send(h, "POST", "/auth/signup", `{"username":"mira","password":"correct horse battery"}`)
		token := tokensOf(t, logInWith(h, "", "X-Forwarded-For", "203.0.113.200, 198.51.100.7")).AccessToken
		var list struct {
			Sessions []struct {
				Address string
				Current bool
			}
		}
		answer := send(h, "GET", "/auth/sessions", "", "Authorization", "Bearer "+token)
		if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
			t.Fatal(err)
		}
		for _, s := range list.Sessions {
			if s.Current && s.Address != want {
				t.Errorf("address %s, want %s", s.Address, want)
			}
		}
	}
}

func TestUnsafeProxiesAreRefused(t *testing.T) {
	if _, err := BehindProxies([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, ""); err == nil {
		t.Error("everybody is a trusted proxy")
	}
}

// The service takes its own address from its configuration, and not from the headers of requests
// and proxies.
func TestForgedHostsChangeNothing(t *testing.T) {
	const evil = "evil.example"
	behind, err := BehindProxies([]netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, "")
	if err != nil {
		t.Fatal(err)
	}
	h := newHandler(newService(t), Options{ClientIP: behind, CORSOrigins: []string{"https://app.example.com"}})
	forged := []string{
		"X-Forwarded-Host", evil, "X-Forwarded-Proto", "https", "X-Forwarded-Port", "8443", "X-Original-Host", evil,
		"Forwarded", "for=198.51.100.7;host=" + evil + ";proto=https", "X-Forwarded-Server", evil, "X-Forwarded-Prefix", "/" + evil,
	}
	// ask sends a request to the wrong host, and looks for that in the answer.
	ask := func(method, path, body string, headers ...string) (*http.Response, string) {
		t.Helper()
		r := send(h, method, "https://"+evil+path, body, append(headers, forged...)...)
		text, _ := io.ReadAll(r.Body)
		for name, values := range r.Header {
			if strings.Contains(strings.Join(values, " "), evil) {
				t.Errorf("%s %s: %s: %s", method, path, name, values)
			}
		}
		if strings.Contains(string(text), evil) {
			t.Errorf("%s %s: %s", method, path, text)
		}
		return r, string(text)
	}
	ask("POST", "/auth/signup", `{"username":"mira","password":"correct horse battery"}`)
	login, text := ask("POST", "/auth/login", `{"username":"mira","password":"correct horse battery","refresh":"cookie"}`, "Origin", page)
	var granted tokens
	if err := json.Unmarshal([]byte(text), &granted); err != nil || granted.AccessToken == "" {
		t.Fatalf("login: %d %s", login.StatusCode, text)
	}
	if c := cookieOf(t, login); c.Domain != "" || c.Path != "/" || c.Secure {
		t.Errorf("cookie: %+v", c)
	}
	bearer := []string{"Authorization", "Bearer " + granted.AccessToken}
	var claims struct{ Iss, Aud string }
	_, text = ask("GET", "/users/profile", "", bearer...)
	if err := json.Unmarshal([]byte(text), &claims); err != nil || claims.Iss != page || claims.Aud != page {
		t.Errorf("profile: %s", text)
	}
	var options struct{ RP struct{ ID string } }
	_, text = ask("POST", "/passkeys/register/options", "", bearer...)
	if err := json.Unmarshal([]byte(text), &options); err != nil || options.RP.ID != "localhost" {
		t.Errorf("options: %s", text)
	}
	// A page of that host is nobody's, and a page of ours stays ours.
	if r, _ := ask("POST", "/auth/login", `{"username":"mira","password":"correct horse battery","refresh":"cookie"}`, "Origin", "https://"+evil); r.StatusCode != 403 {
		t.Errorf("cookie for a page of %s: %d", evil, r.StatusCode)
	}
	for _, path := range []string{"/nothing", "/openapi.json", "/.well-known/jwks.json", "/auth//login", "//localhost/..", "/users/histories"} {
		ask("GET", path, "", bearer...)
	}
}
