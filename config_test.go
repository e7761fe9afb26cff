package stepkey_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/stepkey/stepkey"
)

// app is an Android app's origin.
const app = "android:apk-key-hash:-_8jcJtgyfrbH09yT3MOOxaQvYBN2iI4VUdL3lqkfpE"

func TestUnsafeConfigIsRefusedWithARemedy(t *testing.T) {
	f := newFixture(t)
	for _, test := range []struct {
		name   string
		change func(*stepkey.Config)
		says   string
	}{
		{"RP ID of another domain", func(c *stepkey.Config) { c.RPID = "example.org" }, "set Config.RPID to app.example.com"},
		{"RP ID that is a public suffix", func(c *stepkey.Config) { c.RPID = "com" }, "RP"},
		{"IP address as origin", func(c *stepkey.Config) { c.Origins = []string{"https://127.0.0.1"} }, "use localhost"},
		{"plain http", func(c *stepkey.Config) { c.Origins = []string{"http://app.example.com"} }, "use https://app.example.com"},
		{"only an app", func(c *stepkey.Config) { c.Origins = []string{app} }, "put the origin of a page first"},
		{"related origin of the same domain", func(c *stepkey.Config) { c.RelatedOrigins = []string{"https://x.app.example.com"} }, "list it in Config.Origins"},
		{"app origin that is a page's", func(c *stepkey.Config) { c.AppOrigins = []string{origin} }, "which Config.Origins has as well"},
		{"short secret beside an app elsewhere", func(c *stepkey.Config) {
			c.SharedSecret, c.Origins, c.AppOrigins = "thel@stFlyD0g", []string{"http://localhost:3000"}, []string{app}
		}, "Config.SharedSecret has 13 bytes"},
		{"weak shared secret beside an app", func(c *stepkey.Config) {
			c.SharedSecret, c.Origins = "thel@stFlyD0g", []string{"http://localhost:3000", app}
		}, "Config.SharedSecret has 13 bytes"},
		{"weak shared secret", func(c *stepkey.Config) { c.SharedSecret = "thel@stFlyD0g" }, "openssl rand -base64 32"},
		{"weak shared secret beside localhost", func(c *stepkey.Config) {
			c.SharedSecret, c.RPID = "thel@stFlyD0g", "localhost"
			c.Origins = []string{"http://localhost:3000", "https://x.localhost.example"}
		}, "Config.SharedSecret has 13 bytes"},
		{"links over http", func(c *stepkey.Config) { c.PublicURL = "http://app.example.com" }, "use https://app.example.com"},
		{"links over http, below a path", func(c *stepkey.Config) { c.PublicURL = "http://app.example.com/auth" }, "use https://app.example.com/auth"},
		{"links with a slash", func(c *stepkey.Config) { c.PublicURL = origin + "/" }, "use " + origin},
		{"links with a slash after the path", func(c *stepkey.Config) { c.PublicURL = origin + "/auth/" }, "use " + origin + "/auth"},
		{"links with two slashes", func(c *stepkey.Config) { c.PublicURL = origin + "//auth" }, "use " + origin + "/auth"},
		{"links with dots", func(c *stepkey.Config) { c.PublicURL = origin + "/auth/%2e%2e" }, "Config.PublicURL"},
		{"links with a query", func(c *stepkey.Config) { c.PublicURL = origin + "/auth?x" }, "Config.PublicURL"},
		{"links with a fragment", func(c *stepkey.Config) { c.PublicURL = origin + "/auth#" }, "Config.PublicURL"},
		{"links with a user", func(c *stepkey.Config) { c.PublicURL = "https://x@app.example.com/auth" }, "Config.PublicURL"},
		{"links without a scheme", func(c *stepkey.Config) { c.PublicURL = "app.example.com" }, "Config.PublicURL"},
		{"no secret", func(c *stepkey.Config) { c.Secret = "" }, "32 bytes in base64"},
		{"secret of zeros", func(c *stepkey.Config) { c.Secret = base64.StdEncoding.EncodeToString(make([]byte, 32)) }, "openssl rand -base64 32"},
		{"secret that is a pattern", func(c *stepkey.Config) { c.Secret = strings.Repeat("c2VjcmV0", 5) + "c2U=" }, "guessed from its pattern"},
		{"shared secret of one letter", func(c *stepkey.Config) { c.SharedSecret = strings.Repeat("s", 32) }, "guessed from its pattern"},
		{"shared secret of one letter, on localhost", func(c *stepkey.Config) {
			c.Origins, c.SharedSecret = []string{"http://localhost:3000"}, strings.Repeat("s", 32)
		}, "guessed from its pattern"},
		{"short shared secret of one letter, on localhost", func(c *stepkey.Config) {
			c.Origins, c.SharedSecret = []string{"http://localhost:3000"}, "aaaaaaaa"
		}, "guessed from its pattern"},
		{"previous shared secret that is a pattern", func(c *stepkey.Config) {
			c.SharedSecret, c.PreviousSharedSecrets = sharedSecret, []string{strings.Repeat("password", 4)}
		}, "guessed from its pattern"},
		{"one secret for two purposes", func(c *stepkey.Config) { c.SharedSecret = c.Secret }, "root of all keys"},
		{"one secret for two purposes, in bytes", func(c *stepkey.Config) {
			raw, _ := base64.StdEncoding.DecodeString(c.Secret)
			c.SharedSecret = string(raw)
		}, "root of all keys"},
		{"one secret for two purposes, previously", func(c *stepkey.Config) {
			c.SharedSecret, c.PreviousSharedSecrets = sharedSecret, []string{c.Secret}
		}, "root of all keys"},
	} {
		c := f.config()
		test.change(&c)
		_, err := stepkey.New(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want it to say %q", test.name, err, test.says)
		}
		if err != nil && strings.Contains(err.Error(), "thel@st") {
			t.Errorf("%s: the error holds the secret", test.name)
		}
	}
}

func TestSafeConfigs(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*stepkey.Config)
	}{
		{"parent domain", func(c *stepkey.Config) { c.RPID = "example.com" }},
		{"two origins", func(c *stepkey.Config) {
			c.RPID, c.Origins = "example.com", []string{origin, "https://example.com:8443"}
		}},
		{"an app", func(c *stepkey.Config) { c.Origins = append(c.Origins, app) }},
		{"app origins", func(c *stepkey.Config) { c.RPID, c.AppOrigins = "example.com", []string{"https://example.com", app} }},
		{"related origins", func(c *stepkey.Config) {
			c.RelatedOrigins = []string{"https://app.example.net", "https://example.com.example.net:8443", "https://example.com"}
		}},
		{"localhost", func(c *stepkey.Config) { c.Origins = []string{"http://localhost:3000"} }},
		{"original's sample", func(c *stepkey.Config) {
			c.Origins, c.SharedSecret = []string{"http://localhost:3000"}, "thel@stFlyD0g"
		}},
		{"links elsewhere", func(c *stepkey.Config) { c.PublicURL = "https://example.net:8443" }},
		{"links below a path", func(c *stepkey.Config) { c.PublicURL = origin + "/a%20b/c.d" }},
		{"shared secret, strong", func(c *stepkey.Config) { c.SharedSecret = sharedSecret }},
	} {
		f := newFixture(t)
		c := f.config()
		test.change(&c)
		if _, err := stepkey.New(t.Context(), c); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestOtherSecretIsRefused(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	c.Secret = "KMEDipbrIz/4VgOPJkZmtdPQkwlXdju07MXZ+Q/dIrU="
	if _, err := stepkey.New(t.Context(), c); !errors.Is(err, stepkey.ErrOtherSecret) {
		t.Fatalf("New: %v, want ErrOtherSecret", err)
	}
	f.newService(f.config())
}

// Instances that start at once, and those that start later, sign with one key.
func TestInstancesShareTheSigningKey(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.exec(`DELETE FROM signing_keys`)
		f.exec(`DELETE FROM settings WHERE name LIKE 'signing_key_after_%'`)
		services := make([]*stepkey.Service, 4)
		for _, err := range race(len(services), func(i int) (err error) {
			services[i], err = stepkey.New(f.Context(), f.config())
			return err
		}) {
			if err != nil {
				f.Fatal(err)
			}
		}
		services = append(services, f.newService(f.config()))
		want := services[0].PublicKeys()
		for i, s := range services {
			got := s.PublicKeys()
			if len(got.Keys) != 1 || got.Keys[0] != want.Keys[0] {
				f.Errorf("instance %d publishes %+v, instance 0 %+v", i, got, want)
			}
		}
	})
}

func TestSharedSecretPublishesNothing(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	c.SharedSecret = sharedSecret
	f.service = f.newService(c)
	if keys := f.service.PublicKeys().Keys; len(keys) != 0 {
		t.Errorf("public keys: %+v, want none", keys)
	}
	f.signUp("mira")
	granted, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.service.Verifier().Verify(t.Context(), granted.AccessToken); err != nil {
		t.Error(err)
	}
}
