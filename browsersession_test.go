package stepkey_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

const behindTheGate = "https://app.example.com"

// browse starts a browser session and returns its cookie.
func (f *fixture) browse(c stepkey.Caller, origin string) string {
	f.Helper()
	code, err := f.service.IssueBrowserCode(f.Context(), c, origin, storage.DigestBrowser("secret"))
	if err != nil {
		f.Fatal(err)
	}
	cookie, err := f.service.StartBrowserSession(f.Context(), code, "secret", origin)
	if err != nil {
		f.Fatal(err)
	}
	return cookie
}

func TestBrowserSession(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		grant := f.logInForRefresh("mira")
		code, err := f.service.IssueBrowserCode(f.Context(), grant.Caller(), behindTheGate, storage.DigestBrowser("secret"))
		if err != nil {
			f.Fatal(err)
		}
		start := func(code, secret, origin string) error {
			return second(f.service.StartBrowserSession(f.Context(), code, secret, origin))
		}
		wantError(f.TB, "without the secret", start(code, "another", behindTheGate), stepkey.ErrUnauthorized)
		wantError(f.TB, "at another origin", start(code, "secret", "https://shop.example.net"), stepkey.ErrUnauthorized)
		cookie, err := f.service.StartBrowserSession(f.Context(), code, "secret", behindTheGate)
		wantError(f.TB, "StartBrowserSession", err, nil)
		wantError(f.TB, "the code again", start(code, "secret", behindTheGate), stepkey.ErrUnauthorized)

		b, err := f.service.BrowserSession(f.Context(), cookie, behindTheGate)
		want := grant.Claims
		want.ID = ""
		if diff := cmp.Diff(want, b.Claims); err != nil || diff != "" {
			f.Errorf("BrowserSession: %v, -want +got:\n%s", err, diff)
		}
		if b.Assertion == "" || b.Address != "" {
			f.Errorf("assertion %q, address %q", b.Assertion, b.Address)
		}
		visit := func(cookie, origin string) error {
			return second(f.service.BrowserSession(f.Context(), cookie, origin))
		}
		wantError(f.TB, "the cookie elsewhere", visit(cookie, "https://shop.example.net"), stepkey.ErrUnauthorized)
		wantError(f.TB, "no cookie", visit("", behindTheGate), stepkey.ErrUnauthorized)
		wantError(f.TB, "the code as a cookie", visit(code, behindTheGate), stepkey.ErrUnauthorized)

		other := f.browse(grant.Caller(), "https://shop.example.net")
		wantError(f.TB, "EndBrowserSession at another origin", f.service.EndBrowserSession(f.Context(), cookie, "https://shop.example.net"), nil)
		wantError(f.TB, "after that", visit(cookie, behindTheGate), nil)
		wantError(f.TB, "EndBrowserSession", f.service.EndBrowserSession(f.Context(), cookie, behindTheGate), nil)
		wantError(f.TB, "EndBrowserSession again", f.service.EndBrowserSession(f.Context(), cookie, behindTheGate), nil)
		wantError(f.TB, "after the end", visit(cookie, behindTheGate), stepkey.ErrUnauthorized)
		wantError(f.TB, "elsewhere after the end", visit(other, "https://shop.example.net"), stepkey.ErrUnauthorized)
		f.wantRefused("the session after the end", grant.RefreshToken)
	})
}

// A step-up counts at every application, and a session falls back there as it does in a refresh.
func TestBrowserSessionHasTheSessionsLevel(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	device := authenticator.New(authenticator.Config{})
	c := f.logInForRefresh("mira").Caller()
	f.register(c, device)
	cookie := f.browse(c, behindTheGate)
	f.stepUp(c, device)
	level := func() token.Level {
		t.Helper()
		b, err := f.service.BrowserSession(t.Context(), cookie, behindTheGate)
		if err != nil {
			t.Fatal(err)
		}
		return b.Claims.Level
	}
	if got := level(); got != token.LevelFull {
		t.Errorf("after the step-up: %s", got)
	}
	f.clock.Advance(stepkey.FullIdle)
	if got := level(); got != token.LevelPassword {
		t.Errorf("an hour later: %s", got)
	}
}

// The code is good for half a minute.
func TestBrowserCodeExpires(t *testing.T) {
	f := newFixture(t)
	f.signUp("mira")
	c := f.logInForRefresh("mira").Caller()
	code, err := f.service.IssueBrowserCode(t.Context(), c, behindTheGate, storage.DigestBrowser("secret"))
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(stepkey.BrowserCodeLifetime)
	wantError(t, "half a minute later", second(f.service.StartBrowserSession(t.Context(), code, "secret", behindTheGate)), stepkey.ErrUnauthorized)
	wantError(t, "LogOut", f.service.LogOut(t.Context(), c), nil)
	_, err = f.service.IssueBrowserCode(t.Context(), c, behindTheGate, storage.DigestBrowser("secret"))
	wantError(t, "after the sign-out", err, stepkey.ErrUnauthorized)
	_, err = f.service.IssueBrowserCode(t.Context(), stepkey.Caller{}, behindTheGate, storage.DigestBrowser("secret"))
	wantError(t, "nobody", err, stepkey.ErrUnauthorized)
}

// A recovery code leads to a passkey and to no application.
func TestNoBrowserCodeAtLevelRecovery(t *testing.T) {
	f := newFixture(t)
	_, _, codes := f.withCodes("mira")
	recovering := f.recovered(f.logIn("mira"), codes[0])
	_, err := f.service.IssueBrowserCode(t.Context(), recovering, behindTheGate, storage.DigestBrowser("secret"))
	wantError(t, "IssueBrowserCode", err, stepkey.ErrUnauthorized)
}
