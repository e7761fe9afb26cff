package gate_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stepkey/stepkey/e2e/browser"
	"github.com/stepkey/stepkey/e2e/front"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// The host names of the examples.
const (
	appHost  = "app.example.com"
	shopHost = "shop.example.net"
	authHost = "auth.example.com"
)

// site is Stepkey and two apps, and a proxy in front of them.
type site struct {
	t           *testing.T
	proxy       string // its name
	https, http string // where it listens
	certificate front.Certificate
	stepkey     string // its address
	apps        map[string]*app

	// sessions are access tokens: of nobody, of mira, who gave her password, and of noor, who has verified a passkey. A
	// user's id is what X-Stepkey-User says.
	sessions map[string]session
}

type session struct{ token, id string }

// newSite starts all but the proxy.
func newSite(t *testing.T) *site {
	t.Helper()
	rules, err := filepath.Abs(examples + "rules.toml")
	if err != nil {
		t.Fatal(err)
	}
	server, err := browser.Serve(program, t.TempDir(), "RP_ORIGIN=https://"+authHost, "STEPKEY_HOST=127.0.0.1", "STEPKEY_LIMITS=on",
		"STEPKEY_TRUSTED_PROXIES=127.0.0.1", "STEPKEY_RULES="+rules)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("stepkey wrote:\n%s", server.Log())
		}
		if err := server.Stop(); err != nil {
			t.Errorf("stop stepkey: %v", err)
		}
	})
	s := &site{
		t: t, certificate: front.NewCertificate(t, appHost, shopHost, authHost, "*.example.com", "*.example.net"),
		stepkey: "127.0.0.1:" + server.Port,
		apps:    map[string]*app{"app": startApp(t), "shop": startApp(t)},
	}
	mira, noor := s.signIn("mira"), s.signIn("noor")
	s.sessions = map[string]session{"": {}, "mira": s.session(mira), "noor": s.session(s.addPasskey(noor))}
	return s
}

// behind returns the site for a proxy that is to be started, and a test of its own.
func (s *site) behind(t *testing.T, proxy string) *site {
	other := *s
	other.t, other.proxy = t, proxy
	return &other
}

// call sends JSON to Stepkey itself, and decodes its answer.
func (s *site) call(method, path, token string, body, answer any) []byte {
	s.t.Helper()
	raw, ready := body.([]byte)
	if !ready {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			s.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.stepkey+path, bytes.NewReader(raw))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Timeout: patience.Long}
	response, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %d %s, %v", method, path, response.StatusCode, read, err)
	}
	if answer != nil {
		if err := json.Unmarshal(read, answer); err != nil {
			s.t.Fatalf("%s: %v: %s", path, err, read)
		}
	}
	return read
}

type tokens struct{ AccessToken string }

func (s *site) signIn(name string) string {
	s.t.Helper()
	account := map[string]string{"username": name, "password": "stairs and a keyhole"}
	s.call("POST", "/auth/signup", "", account, nil)
	var got tokens
	s.call("POST", "/auth/login", "", account, &got)
	return got.AccessToken
}

// addPasskey adds a first one, which verifies it.
func (s *site) addPasskey(token string) string {
	s.t.Helper()
	options := s.call("POST", "/passkeys/register/options", token, nil, nil)
	created, err := authenticator.New(authenticator.Config{}).Create("https://"+authHost, options)
	if err != nil {
		s.t.Fatal(err)
	}
	var got tokens
	s.call("POST", "/passkeys/register/verify", token, []byte(created), &got)
	return got.AccessToken
}

func (s *site) session(token string) session {
	s.t.Helper()
	var profile struct{ Sub string }
	s.call("GET", "/users/profile", token, nil, &profile)
	if token == "" || profile.Sub == "" {
		s.t.Fatal("no session")
	}
	return session{token, profile.Sub}
}
