package browser

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/pgtest"
)

// The stepkey binary under test and the browser, made once for all tests by TestMain. The browser is nil where none is
// installed.
var (
	program string
	chrome  context.Context
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "stepkey-browser-*")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if program, err = Build(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if Executable() != "" {
			ctx, cancel, err := Launch(filepath.Join(dir, "profile"))
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			defer cancel()
			chrome = ctx
		}
		return pgtest.Main(m)
	}())
}

// keepPages has the tabs of a test open in a browser of its own, which keeps pages for its back button.
func keepPages(t *testing.T) {
	t.Helper()
	needChromium(t)
	own, end, err := Launch(filepath.Join(t.TempDir(), "profile"), WithBackForwardCache)
	if err != nil {
		t.Fatal(err)
	}
	shared := chrome
	chrome = own
	t.Cleanup(func() {
		end()
		chrome = shared
	})
}

// tab is a page under test: what the browser holds against it at the end fails the test.
type tab struct {
	*Page
	t        *testing.T
	server   *Server
	expected []string
}

// start serves stepkey with the settings and opens its page in a profile of its own.
func start(t *testing.T, settings ...string) *tab {
	t.Helper()
	return startOn(t, func() (*Server, error) { return Serve(program, t.TempDir(), settings...) })
}

// startOn is start for a server that serve starts.
func startOn(t *testing.T, serve func() (*Server, error)) *tab {
	t.Helper()
	needChromium(t)
	server, err := serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("stop stepkey: %v", err)
		}
		if t.Failed() {
			t.Logf("stepkey wrote:\n%s", server.Log())
		}
	})
	page, cancel := Open(t, chrome)
	return watch(t, server, page, cancel)
}

// watch opens stepkey's page and, at the end of the test, asks what the browser held against it.
func watch(t *testing.T, server *Server, page *Page, cancel context.CancelFunc) *tab {
	t.Helper()
	tab := &tab{Page: page, t: t, server: server}
	t.Cleanup(func() {
		if left := page.Complaints(tab.expected...); len(left) > 0 {
			t.Errorf("the browser complains:\n%s", strings.Join(left, "\n"))
		}
		cancel()
	})
	page.Go(server.URL())
	return tab
}

// expect names refusals, by status and path, that the test provokes.
func (p *tab) expect(refusals ...string) { p.expected = append(p.expected, refusals...) }

const password = "stairs and a keyhole"

// signIn makes an account and signs in with it.
func (p *tab) signIn(name string) {
	p.t.Helper()
	p.Type("new-name", name)
	p.Type("new-password", password)
	p.Press("signup", "Create account")
	p.Current("signin")
	p.Press("signin", "Sign in")
	p.Current("add")
}

// signInAgain signs in to an account that exists, in the form that is open for it.
func (p *tab) signInAgain(name string) {
	p.t.Helper()
	p.Current("signin")
	p.Type("name", name)
	p.Type("password", password)
	p.Press("signin", "Sign in")
}

// addPasskey goes on from signIn to an account with a passkey. Being the first, it raises the session to level full.
func (p *tab) addPasskey(name string) {
	p.t.Helper()
	p.signIn(name)
	p.Press("add", "Add a passkey")
	p.Current("open")
}

// addPasskeyForLater goes on from addPasskey to a new session, at password level, in which the passkey is still to be verified.
func (p *tab) addPasskeyForLater(name string) {
	p.t.Helper()
	p.addPasskey(name)
	p.act(fmt.Sprintf(`await stepkey.signIn({ username: %q, password: %q })`, name, password))
	p.Current("verify")
}

func wholePath(t *testing.T, settings ...string) *tab {
	p := start(t, settings...)
	p.expect("401 /users/histories", "403 /users/histories")
	p.Authenticator(true)

	p.See("badge", "Signed out")
	p.Press("open", "Open the page")
	p.See("open", "Sign in first.")
	p.signIn("Mira")
	p.See("badge", "Password level")
	p.See("claims", `"password"`)
	p.See("signup", "Mira")
	p.Press("open", "Open the page")
	p.See("open", "This page needs full level.")
	p.Press("add", "Add a passkey")
	p.Current("open")
	p.See("verify", "Adding your first passkey verified it, too.")
	p.See("badge", "Full level")
	p.See("claims", `"full"`)
	p.Press("open", "Open the page")
	p.See("open", `200 {"success":true}`)
	return p
}

// A path without a mistake has one prompt of the device, and leaves the console empty.
func TestFlawlessPath(t *testing.T) {
	p := start(t)
	p.Authenticator(true)
	p.addPasskey("mira")
	p.Press("open", "Open the page")
	p.See("open", "The server saw full level and let you in.")
	const prompts = `[...document.querySelectorAll("#log li")].filter(call => call.querySelector(".who.device") && !call.textContent.includes('"mediation": "conditional"')).length`
	if asked := Eval[int](p.Page, prompts); asked != 1 {
		t.Errorf("the device was asked %d times, want once", asked)
	}
	p.act(fmt.Sprintf(`await stepkey.signIn({ username: "mira", password: %q })`, password))
	p.Go(p.server.URL())
	p.Current("verify")
	p.Press("verify", "Verify with a passkey")
	p.Current("open")
	p.See("verify", "Full level")
	p.Wait("no word of adding", `!document.getElementById("verify").innerText.includes("Adding")`)
	if complaints := p.Complaints(); len(complaints) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(complaints, "\n"))
	}
}

func TestWholePathOnSQLite(t *testing.T) {
	p := wholePath(t)
	if got := Eval[string](p.Page, `document.body.innerText`); strings.Contains(got, password) {
		t.Error("the page shows the password")
	}
	log := Eval[string](p.Page, `document.getElementById("log").textContent`)
	if strings.Contains(log, password) || strings.Count(log, "eyJ") > strings.Count(log, "••••••••") {
		t.Error("the log shows a password or a token")
	}
	for _, want := range []string{`"origin": "` + p.server.URL(), `"UV": true`, "navigator.credentials.create()"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

func TestWholePathOnPostgreSQL(t *testing.T) {
	wholePath(t, "DATABASE_URL="+pgtest.NewDatabase(t))
}

// The original's settings sign tokens with a shared secret; the page must not care.
func TestWholePathWithSharedSecret(t *testing.T) {
	wholePath(t, "JWT_SECRET=a shared secret for the tests of the page")
}

// Both kinds of key that a device may make pass through the page. The virtual authenticator makes the one that is named
// first.
func TestKeyKinds(t *testing.T) {
	for name, algorithm := range map[string]int{"Ed25519": -8, "ES256": -7} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			device := p.Authenticator(true)
			p.signIn("mira")
			p.prefer(algorithm)
			p.Press("add", "Add a passkey")
			p.Current("open")
			held := device.Credentials()
			if len(held) != 1 {
				t.Fatalf("the authenticator holds %d passkeys, want 1", len(held))
			}
			key, err := x509.ParsePKCS8PrivateKey(held[0].PrivateKey)
			if got := map[string]string{"ed25519.PrivateKey": "Ed25519", "*ecdsa.PrivateKey": "ES256"}[fmt.Sprintf("%T", key)]; got != name {
				t.Errorf("the authenticator made %T (%v), want %s", key, err, name)
			}
			p.act(fmt.Sprintf(`await stepkey.signIn({ username: "mira", password: %q })`, password))
			p.Press("verify", "Verify with a passkey")
			p.Current("open")
		})
	}
}

// prefer makes the tab's devices see one algorithm first.
func (p *tab) prefer(algorithm int) {
	p.t.Helper()
	Eval[bool](p.Page, fmt.Sprintf(`(() => {
		const create = navigator.credentials.create.bind(navigator.credentials);
		navigator.credentials.create = ({ publicKey, ...rest }) => create({ ...rest, publicKey: { ...publicKey,
			pubKeyCredParams: publicKey.pubKeyCredParams.toSorted((a, b) => (b.alg === %[1]d) - (a.alg === %[1]d)) } });
		return true;
	})()`, algorithm))
}

// Safari before 18.4 and others have no JSON methods; some password managers answer with objects whose toJSON throws.
func TestFallbacksForOlderBrowsers(t *testing.T) {
	p := start(t)
	p.Authenticator(true)
	p.Before(`delete PublicKeyCredential.parseCreationOptionsFromJSON;
		delete PublicKeyCredential.parseRequestOptionsFromJSON;
		PublicKeyCredential.prototype.toJSON = () => { throw new TypeError("no"); };`)
	p.Go(p.server.URL())
	p.addPasskeyForLater("mira")
	p.Press("verify", "Verify with a passkey")
	p.Current("open")
}

// A passkey is bound to the name localhost, and sessions to its origin; a page opened elsewhere says so.
func TestWrongAddress(t *testing.T) {
	p := start(t)
	p.expect("403 /auth/login")
	p.Go("http://127.0.0.1:" + p.server.Port)
	p.Type("new-name", "mira")
	p.Type("new-password", password)
	p.Press("signup", "Create account")
	p.Current("signin")
	p.Press("signin", "Sign in")
	p.See("signin", "Passkeys do not work at this address.")
	p.See("signin", "Open Stepkey at its own address instead.")
	p.See("badge", "Signed out")
}

// Tabs share one session: what is done in one is seen in the other.
func TestTwoTabs(t *testing.T) {
	first := start(t)
	device := first.Authenticator(true)
	first.addPasskeyForLater("mira")

	page, cancel := first.Beside()
	second := watch(t, first.server, page, cancel)
	second.Current("verify")
	second.See("add", "You have one")
	first.Press("verify", "Verify with a passkey")
	first.See("badge", "Full level")
	second.See("badge", "Full level")
	device.Present(false)
	second.Press("top", "Sign out")
	first.See("signin", "You have been signed out.")
	first.See("badge", "Signed out")
}

// The device that holds a passkey makes no second one; and a second one anywhere needs the first verified.
func TestAnotherPasskey(t *testing.T) {
	p := start(t)
	p.expect("403 /passkeys/register/options")
	p.Authenticator(true)
	p.addPasskeyForLater("mira")
	p.Press("add", "Add another passkey")
	p.See("add", "1 of 2: verify a passkey you have.")
	p.Press("add", "Verify with a passkey")
	p.See("add", "1 of 2 is done.")
	p.Press("add", "Make the new one")
	p.See("add", "This device is ready.")
	p.Press("add", "Verify with a passkey")
	p.See("badge", "Full level")
}

// A refused page offers the way up and, once there, opens by itself.
func TestStepUpFromTheProtectedPage(t *testing.T) {
	p := start(t)
	p.expect("403 /users/histories")
	p.Authenticator(true)
	p.addPasskeyForLater("mira")
	p.Press("open", "Open the page")
	p.See("open", "This page needs full level.")
	p.Wait("focus on the offered way", `document.activeElement.innerText === "Verify with a passkey"`)
	p.Press("open", "Verify with a passkey")
	p.See("open", "The server saw full level and let you in.")
}

// The whole path with Tab, Enter and letters alone. Every stop has to be visible where the focus is.
func TestKeyboardOnly(t *testing.T) {
	p := start(t)
	p.Authenticator(true)
	tabTo := func(words string) {
		t.Helper()
		for range 40 {
			p.Keys("\t")
			at := Eval[string](p.Page, `(() => {
				const a = document.activeElement, style = getComputedStyle(a);
				if (a !== document.body && (style.outlineStyle === "none" || !a.checkVisibility())) return "no visible focus on " + a.outerHTML;
				return a.labels?.[0]?.innerText ?? a.innerText;
			})()`)
			if strings.HasPrefix(at, "no visible focus") {
				t.Fatal(at)
			}
			if strings.HasPrefix(strings.TrimSpace(at), words) {
				return
			}
		}
		t.Fatalf("Tab does not reach %q", words)
	}
	tabTo("Skip to the content")
	p.Keys("\r")
	tabTo("Username")
	p.Keys("mira")
	tabTo("Password")
	p.Keys(password)
	tabTo("Show")
	p.Keys(" ")
	p.Wait("the password in the clear", `document.getElementById("new-password").type === "text"`)
	tabTo("Create account")
	p.Keys("\r")
	p.Current("signin")
	tabTo("Sign in")
	p.Keys("\r")
	p.Current("add")
	tabTo("Add a passkey")
	p.Keys("\r")
	p.Current("open")
	tabTo("Open the page")
	p.Keys("\r")
	p.See("open", "The server saw full level and let you in.")
	tabTo("Copy token")
	tabTo("Copy")
	tabTo("Server")
	p.Keys(" ")
}

// A reload takes the session up again by a cookie that no script can read; what scripts can read is that there is one.
func TestReloadComesBack(t *testing.T) {
	p := start(t)
	p.signIn("mira")
	p.Go(p.server.URL())
	p.See("badge", "Password level")
	p.Current("add")
	if got := Eval[string](p.Page, "JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie"); got != `{"stepkey:":"1"}` {
		t.Errorf("scripts can read %s, want the mark alone", got)
	}
	// The page goes before the answer comes, so the next one asks again, and may hear that the session has ended.
	p.expect("401 /auth/logout")
	p.Press("top", "Sign out")
	p.Go(p.server.URL())
	p.See("badge", "Signed out")
}

// Nothing is cut off or needs sideways scrolling on a small phone, in any state of the path.
func TestNarrowScreen(t *testing.T) {
	p := start(t)
	p.expect("403 /users/histories")
	p.Authenticator(true)
	p.Look(320, "light")
	p.fits("a step of the demo")
	p.addPasskeyForLater("a-rather-long-name-that-somebody-may-well-have-chosen@example")
	p.fits("a step of the demo")
	p.Press("open", "Open the page")
	p.See("open", "This page needs full level.")
	p.fits("a step of the demo")
	p.Press("open", "Verify with a passkey")
	p.See("open", "The server saw full level")
	p.fits("a step of the demo")
}

func TestReference(t *testing.T) {
	p := start(t)
	p.Go(p.server.URL() + "/docs#step_up_required")
	p.See("operations", "/passkeys/register/options")
	p.Wait("the problem in view", `(r => r.top >= 0 && r.top < innerHeight)(document.getElementById("step_up_required").getBoundingClientRect())`)
	listed := Eval[[]string](p.Page, `[...document.querySelectorAll(".problem")].map(p => p.id)`)
	if !slices.Contains(listed, "challenge_expired") {
		t.Errorf("problems = %q", listed)
	}
}
