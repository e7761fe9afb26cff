package stepkey_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stepkey/stepkey"
)

func TestUnsafeConfigIsRefusedWithARemedy(t *testing.T) {
	f := newFixture(t)
	for _, test := range []struct {
		name   string
		change func(*stepkey.Config)
		says   string
	}{
		{"RP ID of another domain", func(c *stepkey.Config) { c.RPID = "example.org" }, "set RP_ID=app.example.com"},
		{"RP ID that is a suffix of the text only", func(c *stepkey.Config) { c.RPID = "ple.com" }, "set RP_ID=app.example.com"},
		{"RP ID that is a public suffix", func(c *stepkey.Config) { c.RPID = "com" }, "RP"},
		{"RP ID below the origin", func(c *stepkey.Config) { c.RPID = "www.app.example.com" }, "set RP_ID=app.example.com"},
		{"second origin elsewhere", func(c *stepkey.Config) { c.Origins = append(c.Origins, "https://example.org") }, "RP_ORIGIN https://example.org"},
		{"IPv4 as RP ID", func(c *stepkey.Config) { c.RPID = "127.0.0.1" }, "use localhost"},
		{"IPv6 as RP ID", func(c *stepkey.Config) { c.RPID = "[::1]" }, "use localhost"},
		{"IP address as origin", func(c *stepkey.Config) { c.Origins = []string{"https://127.0.0.1"} }, "use localhost"},
		{"RP ID with scheme", func(c *stepkey.Config) { c.RPID = "https://app.example.com" }, "without scheme"},
		{"plain http", func(c *stepkey.Config) { c.Origins = []string{"http://app.example.com"} }, "use https://app.example.com"},
		{"host that only begins like localhost", func(c *stepkey.Config) { c.Origins = []string{"http://localhost.example.com"} }, "use https://"},
		{"origin with a slash", func(c *stepkey.Config) { c.Origins = []string{"https://app.example.com/"} }, "use https://app.example.com"},
		{"origin with the scheme's port", func(c *stepkey.Config) { c.Origins = []string{"https://app.example.com:443"} }, "use https://app.example.com"},
		{"origin in upper case", func(c *stepkey.Config) { c.Origins = []string{"https://APP.example.com"} }, "use https://app.example.com"},
		{"no origin", func(c *stepkey.Config) { c.Origins = []string{"app.example.com"} }, "https://app.example.com"},
		{"weak shared secret", func(c *stepkey.Config) { c.SharedSecret = "thel@stFlyD0g" }, "openssl rand -base64 32"},
		{"weak shared secret beside localhost", func(c *stepkey.Config) {
			c.SharedSecret, c.RPID = "thel@stFlyD0g", "localhost"
			c.Origins = []string{"http://localhost:3000", "https://x.localhost.example"}
		}, "JWT_SECRET has 13 bytes"},
		{"no secret", func(c *stepkey.Config) { c.Secret = "" }, "32 bytes in base64"},
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
	for name, change := range map[string]func(*stepkey.Config){
		"parent domain": func(c *stepkey.Config) { c.RPID = "example.com" },
		"two origins": func(c *stepkey.Config) {
			c.RPID, c.Origins = "example.com", []string{origin, "https://example.com:8443"}
		},
		"localhost": func(c *stepkey.Config) { c.Origins = []string{"http://localhost:3000"} },
		"original's sample": func(c *stepkey.Config) {
			c.Origins, c.SharedSecret = []string{"http://localhost:3000"}, "thel@stFlyD0g"
		},
		"shared secret, strong": func(c *stepkey.Config) { c.SharedSecret = strings.Repeat("s", 32) },
	} {
		f := newFixture(t)
		c := f.config()
		change(&c)
		if _, err := stepkey.New(t.Context(), c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOtherSecretIsRefused(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	c.Secret = strings.Repeat("b3RoZXIh", 5) + "b3Q="
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
	c.SharedSecret = strings.Repeat("s", 32)
	f.service = f.newService(c)
	if keys := f.service.PublicKeys().Keys; len(keys) != 0 {
		t.Errorf("public keys: %+v, want none", keys)
	}
	f.signUp("mira")
	granted, err := f.service.LogIn(t.Context(), stepkey.LogIn{Username: "mira", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.service.Verifier().Verify(t.Context(), granted.AccessToken); err != nil {
		t.Error(err)
	}
}
