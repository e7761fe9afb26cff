package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

func TestCookiesOverHTTPS(t *testing.T) {
	throughBoth(t, func(t *testing.T, s *site) {
		c := s.from("127.0.0.1")
		c.signUp("mira")
		login := c.do("POST", origin+"/auth/login", account("mira", "cookie"), "Origin", origin).want(http.StatusCreated)
		if got := login.header.Values("Strict-Transport-Security"); len(got) != 1 || got[0] != "max-age=31536000" {
			t.Errorf("Strict-Transport-Security %q", got)
		}
		for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cache-Control"} {
			if got := login.header.Values(name); len(got) != 1 {
				t.Errorf("%s %q, want it once", name, got)
			}
		}
		cookies := (&http.Response{Header: login.header}).Cookies()
		if len(cookies) != 2 || cookies[0].Name != "__Host-stepkey-refresh" || !strings.HasPrefix(cookies[1].Name, "__Host-stepkey-device-") {
			t.Fatalf("cookies %v", cookies)
		}
		for _, k := range cookies {
			if !k.Secure || !k.HttpOnly || k.Domain != "" || k.Path != "/" || k.SameSite != http.SameSiteStrictMode {
				t.Errorf("cookie %v", k)
			}
		}

		refresh := func(headers ...string) answer { return c.do("POST", origin+"/auth/refresh", object{}, headers...) }
		for _, other := range []string{"https://" + stranger, "https://" + sibling, "http://" + host, "null"} {
			if a := refresh("Origin", other); a.status != http.StatusForbidden || a.code() != "cross_site" {
				t.Errorf("refresh from %s: %d %s", other, a.status, a.body)
			}
		}
		next := decode[struct{ AccessToken string }](refresh("Origin", origin).want(http.StatusOK)).AccessToken
		c.do("GET", origin+"/users/profile", nil, bearer(next)...).want(http.StatusOK)
		c.do("POST", origin+"/auth/logout", object{}, "Origin", origin).want(http.StatusOK)
		refresh("Origin", origin).want(http.StatusUnauthorized)
	})
}

// network is what the session of a token shows of where it comes from.
func (c client) network(token string) string {
	c.t.Helper()
	list := decode[struct {
		Sessions []struct {
			Address string
			Current bool
		}
	}](c.do("GET", origin+"/auth/sessions", nil, bearer(token)...).want(http.StatusOK))
	for _, session := range list.Sessions {
		if session.Current {
			return session.Address
		}
	}
	c.t.Fatal("the session is not there")
	return ""
}

var forgeries = map[string][]string{
	"nothing":           nil,
	"X-Forwarded-For":   {"X-Forwarded-For", "203.0.113.9"},
	"two lines":         {"X-Forwarded-For", "203.0.113.9", "X-Forwarded-For", "198.51.100.7"},
	"trusted addresses": {"X-Forwarded-For", "203.0.113.9, 127.0.0.1"},
	"garbage":           {"X-Forwarded-For", "203.0.113.9,"},
	"other headers":     {"X-Real-IP", "203.0.113.9", "Forwarded", "for=203.0.113.9", "True-Client-IP", "203.0.113.9"},
	"connection option": {"X-Forwarded-For", "203.0.113.9", "Connection", "X-Forwarded-For"},
}

func TestClientAddressBehindATrustedProxy(t *testing.T) {
	throughBoth(t, func(t *testing.T, s *site) {
		c := s.from("127.0.5.7")
		c.signUp("mira")
		for what, headers := range forgeries {
			if got := c.network(c.signIn("mira", "", headers...)); got != "127.0.5.0/24" {
				t.Errorf("%s: the session comes from %s, want 127.0.5.0/24", what, got)
			}
		}
	}, trusting)
}

func TestClientAddressBehindAProxyThatIsNotTrusted(t *testing.T) {
	throughBoth(t, func(t *testing.T, s *site) {
		c := s.from("127.0.5.7")
		c.signUp("mira")
		for what, headers := range forgeries {
			if got := c.network(c.signIn("mira", "", headers...)); got != "127.0.0.0/24" {
				t.Errorf("%s: the session comes from %s, want the proxy's 127.0.0.0/24", what, got)
			}
		}
	})
}

func TestForgedHostsChangeNothing(t *testing.T) {
	throughBoth(t, func(t *testing.T, s *site) {
		c := s.from("127.0.0.1")
		token := c.newUser("mira")
		forged := append(bearer(token), "X-Forwarded-Host", stranger, "X-Forwarded-Proto", "http", "Forwarded", "host="+stranger)
		for _, at := range []string{origin, "https://" + stranger} { // the other one is led here too
			options := decode[struct{ RP struct{ ID string } }](c.do("POST", at+"/passkeys/register/options", nil, forged...).want(http.StatusOK))
			if options.RP.ID != host {
				t.Errorf("at %s passkeys are for %q", at, options.RP.ID)
			}
			profile := decode[struct{ Iss string }](c.do("GET", at+"/users/profile", nil, forged...).want(http.StatusOK))
			if profile.Iss != origin {
				t.Errorf("at %s the issuer is %q", at, profile.Iss)
			}
		}
	}, trusting)
}

func TestPlainHTTPLeadsToHTTPS(t *testing.T) {
	throughBoth(t, func(t *testing.T, s *site) {
		a := s.from("127.0.0.1").do("GET", "http://"+host+"/docs?x=y", nil)
		location := a.header.Get("Location")
		if a.status != http.StatusPermanentRedirect || location != origin+"/docs?x=y" {
			t.Errorf("%d to %q", a.status, location)
		}
	})
}

func TestTooMuchIsRefused(t *testing.T) {
	throughBoth(t, func(t *testing.T, s *site) {
		c := s.from("127.0.0.1")
		body := func(size int) []byte {
			return fmt.Appendf(nil, `{"username":"mira","password":"%s"}`, bytes.Repeat([]byte("x"), size))
		}
		if a := c.do("POST", origin+"/auth/login", body(40<<10)).want(http.StatusRequestEntityTooLarge); a.code() != "payload_too_large" {
			t.Errorf("40 KiB: %s", a.body)
		}
		for range 4 { // no instance is given up for it
			c.do("POST", origin+"/auth/login", body(200<<10)).want(http.StatusRequestEntityTooLarge)
			c.do("GET", origin+"/livez", nil).want(http.StatusOK)
		}
		for range 4 {
			// Of a body without a length Caddy learns only on the way that it is too large, and says 502.
			if status := c.post(origin+"/auth/login", io.MultiReader(bytes.NewReader(body(200<<10)))); status != http.StatusRequestEntityTooLarge && status != http.StatusBadGateway {
				t.Errorf("200 KiB without a length: %d", status)
			}
			c.do("GET", origin+"/livez", nil).want(http.StatusOK)
		}
		for _, size := range []int{40 << 10, 200 << 10} {
			a := c.do("GET", origin+"/livez", nil, "X-Large", strings.Repeat("x", size))
			if a.status != http.StatusBadRequest && a.status != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("a header of %d bytes: %d", size, a.status)
			}
			c.do("GET", origin+"/livez", nil, "X-Large", strings.Repeat("x", 4<<10)).want(http.StatusOK)
		}
	})
}

// post sends JSON of unknown length and returns the status.
func (c client) post(url string, body io.Reader) int {
	c.t.Helper()
	response, err := c.http.Post(url, "application/json", body)
	if err != nil {
		c.t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// The instances take turns, so that one gives the options and the other verifies the answer.
func TestCeremonyOverTwoInstances(t *testing.T) {
	throughBoth(t, func(t *testing.T, s *site) {
		c := s.from("127.0.0.1")
		split := 0
		for i := range 5 {
			token, device := c.newUser(fmt.Sprint("user", i)), authenticator.New(authenticator.Config{})
			options := c.do("POST", origin+"/passkeys/register/options", nil, bearer(token)...).want(http.StatusOK)
			created, err := device.Create(origin, options.body)
			if err != nil {
				t.Fatal(err)
			}
			c.do("POST", origin+"/passkeys/register/verify", created, bearer(token)...).want(http.StatusCreated)
			options = c.do("POST", origin+"/passkeys/authenticate/options", nil, bearer(token)...).want(http.StatusOK)
			signed, err := device.Get(origin, options.body)
			if err != nil {
				t.Fatal(err)
			}
			verified := c.do("POST", origin+"/passkeys/authenticate/verify", signed, bearer(token)...).want(http.StatusCreated)
			if s.answeredBy(options) != s.answeredBy(verified) {
				split++
			}
			full := decode[struct{ AccessToken string }](verified).AccessToken
			c.do("GET", origin+"/users/histories", nil, bearer(full)...).want(http.StatusOK)
			c.do("GET", origin+"/users/histories", nil, bearer(token)...).want(http.StatusForbidden)
		}
		if split == 0 {
			t.Error("one instance did both halves of every ceremony")
		}
	})
}

func TestOneInstanceIsGone(t *testing.T) {
	throughBoth(t, func(t *testing.T, s *site) {
		c := s.from("127.0.0.1")
		token := c.newUser("mira")
		gone := s.instances[0]
		s.instances[0] = nil
		if err := gone.Stop(); err != nil {
			t.Fatal(err)
		}
		for range 8 {
			c.do("POST", origin+"/passkeys/register/options", nil, bearer(token)...).want(http.StatusOK)
		}
	})
}
