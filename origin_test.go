package stepkey_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

// otherApp is the origin of another Android app.
var otherApp = "android:apk-key-hash:" + strings.Repeat("A", 43)

// A passkey works from every origin that is listed, and from no other.
func TestOriginsOfACeremony(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	c.RPID = "example.com"
	c.Origins = []string{origin, "https://example.com:8443", app}
	c.RelatedOrigins = []string{"https://shop.example.net"}
	c.AppOrigins = []string{"https://app2.example.com", otherApp}
	f.service = f.newService(c)
	f.signUp("mira")
	for _, at := range []string{origin, "https://example.com:8443", app, "https://shop.example.net", "https://app2.example.com", otherApp} {
		wantError(t, "register at "+at, f.registerAt(at), nil)
	}
	for _, at := range []string{
		"https://example.com", "https://shop.example.com", "https://example.net", "https://www.shop.example.net",
		"https://shop.example.net:8443", "http://shop.example.net", app + "=", app[:len(app)-1] + "F", "android:apk-key-hash:", "null",
	} {
		wantError(t, "register at "+at, f.registerAt(at), stepkey.ErrVerificationFailed)
	}
}

// registerAt makes the first passkey of an account at an origin, and verifies it
// there. The client takes every origin, so that the service has to decide.
func (f *fixture) registerAt(at string) error {
	f.Helper()
	name := "user" + string(rune('a'+f.events(storage.EventSignedUp)))
	f.signUp(name)
	claims, key, anywhere := f.logIn(name), device(), authenticator.Hostile{IgnoreOptions: true}
	answer, err := key.CreateWith(at, f.registrationOptions(claims), anywhere)
	created := parsed[stepkey.RegistrationResponse](f, answer, err)
	if _, err := f.service.FinishRegistration(f.Context(), claims, created, ""); err != nil {
		return err
	}
	answer, err = key.GetWith(at, f.stepUpOptions(claims), anywhere)
	_, err = f.service.FinishStepUp(f.Context(), claims, parsed[stepkey.AssertionResponse](f, answer, err))
	return err
}

// Pages may ask in a user's name; an app's origin is nobody's page.
func TestOriginsArePages(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	c.Origins = []string{origin, app}
	c.RPID, c.AppOrigins = "example.com", []string{"https://example.com", otherApp}
	c.RelatedOrigins = []string{"https://shop.example.net"}
	service := f.newService(c)
	if diff := cmp.Diff([]string{origin, "https://shop.example.net"}, service.Origins()); diff != "" {
		t.Errorf("Origins, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(c.RelatedOrigins, service.RelatedOrigins()); diff != "" {
		t.Errorf("RelatedOrigins, -want +got:\n%s", diff)
	}
}

// A page that may read answers from elsewhere is taken as strictly as one that uses passkeys, and on any domain.
func TestCheckPageOrigin(t *testing.T) {
	for _, origin := range []string{"https://app.example.com", "https://example.org:8443", "http://localhost:5173", "http://app.localhost:5173", "https://[2001:db8::1]:8443", "https://xn--mller-kva.example"} {
		if err := stepkey.CheckPageOrigin("STEPKEY_CORS_ORIGINS", origin); err != nil {
			t.Errorf("%s: %v", origin, err)
		}
	}
	for origin, says := range map[string]string{
		"": "write it like", "*": "write it like", "null": "write it like", "app.example.com": "write it like", "file:///": "write it like", app: "write it like",
		"https://app.example.com https://shop.example.com": "write it like", "https://app.example.com:x": "write it like",
		"https://app.example.com/":      "use https://app.example.com",
		"https://app.example.com/login": "use https://app.example.com",
		"https://App.example.com":       "use https://app.example.com",
		"https://app.example.com:443":   "use https://app.example.com",
		"https://[2001:db8::1]:443":     "use https://[2001:db8::1]",
		"http://localhost:80":           "use http://localhost",
		"https://mira@app.example.com":  "use https://app.example.com",
		"https://*.example.com":         "each host by itself",
		"https://müller.example":        "xn--",
		"https://app.example.com:0443":  "how browsers write a port",
		"http://app.example.com":        "use https://app.example.com",
		"http://localhost.example.com":  "use https://localhost.example.com",
	} {
		err := stepkey.CheckPageOrigin("STEPKEY_CORS_ORIGINS", origin)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "STEPKEY_CORS_ORIGINS") {
			t.Errorf("%q: %v, want it to say %q", origin, err, says)
		}
	}
}
