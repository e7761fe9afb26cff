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

func TestCheckPageOrigin(t *testing.T) {
	for _, test := range []struct{ origin, says string }{
		{"http://app.localhost:5173", ""},
		{"https://app.example.com/", "STEPKEY_CORS_ORIGINS \"https://app.example.com/\" is not written as browsers write it, and would match none: use https://app.example.com"},
		{"http://app.example.com", "STEPKEY_CORS_ORIGINS has http://app.example.com, which is plain http"},
	} {
		err := stepkey.CheckPageOrigin("STEPKEY_CORS_ORIGINS", test.origin)
		if (err == nil) != (test.says == "") || err != nil && !strings.HasPrefix(err.Error(), test.says) {
			t.Errorf("%s: %v, want it to say %q", test.origin, err, test.says)
		}
	}
}
