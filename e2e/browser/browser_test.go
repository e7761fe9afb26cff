package browser

import (
	"context"
	"fmt"
	"net/http"
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
	if chrome == nil {
		const message = "Chromium is missing; on Debian and Ubuntu: apt-get install chromium"
		if os.Getenv("CI") == "true" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	server, err := Serve(program, t.TempDir(), settings...)
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
	// A new account's first question, whether it has a passkey, is answered with 400.
	tab := &tab{Page: page, t: t, server: server, expected: []string{"400 /passkeys/authenticate/options"}}
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

// addPasskey goes on from signIn to an account with a passkey.
func (p *tab) addPasskey(name string) {
	p.t.Helper()
	p.signIn(name)
	p.Press("add", "Add a passkey")
	p.Current("verify")
}

func wholePath(t *testing.T, settings ...string) *tab {
	p := start(t, settings...)
	p.expect("401 /users/histories", "403 /users/histories")
	p.Authenticator(true)

	p.See("badge", "Signed out")
	p.Press("open", "Open the page")
	p.See("open", "Sign in first.")
	p.addPasskey("Mira")
	p.See("badge", "Password level")
	p.See("claims", `"password"`)
	p.See("signup", "Mira")
	p.Press("open", "Open the page")
	p.See("open", "This page needs full level.")
	p.Press("verify", "Verify with a passkey")
	p.Current("open")
	p.See("badge", "Full level")
	p.See("claims", `"full"`)
	p.Press("open", "Open the page")
	p.See("open", `200 {"success":true}`)
	return p
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
	for _, want := range []string{`"origin": "` + p.server.URL(), `"UV": true`, "navigator.credentials.get()"} {
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
			p.Current("verify")
			p.See("log", fmt.Sprintf(`"publicKeyAlgorithm": %d`, algorithm))
			if held := len(device.Credentials()); held != 1 {
				t.Errorf("the authenticator holds %d passkeys, want 1", held)
			}
			p.Press("verify", "Verify with a passkey")
			p.Current("open")
		})
	}
}

// prefer makes the tab's devices see one algorithm first.
func (p *tab) prefer(algorithm int) {
	p.t.Helper()
	Eval[bool](p.Page, fmt.Sprintf(`(() => {
		const parse = PublicKeyCredential.parseCreationOptionsFromJSON.bind(PublicKeyCredential);
		PublicKeyCredential.parseCreationOptionsFromJSON = options =>
			parse({ ...options, pubKeyCredParams: options.pubKeyCredParams.toSorted((a, b) => (b.alg === %[1]d) - (a.alg === %[1]d)) });
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
	p.addPasskey("mira")
	p.Press("verify", "Verify with a passkey")
	p.Current("open")
}

// A passkey is bound to the name localhost; a page opened by address cannot use it, and says where to go.
func TestWrongHost(t *testing.T) {
	p := start(t)
	p.Authenticator(true)
	p.Go("http://127.0.0.1:" + p.server.Port)
	p.signIn("mira")
	p.Press("add", "Add a passkey")
	p.See("add", "Passkeys do not work at this address.")
	p.Press("add", "Open "+p.server.URL())
	p.Wait("the right address", fmt.Sprintf("location.origin === %q", p.server.URL()))
}

// On another port the browser lets the passkey be made, and the server refuses the origin.
func TestWrongOrigin(t *testing.T) {
	p := start(t, "RP_ORIGIN=http://localhost:1", "STEPKEY_HOST=localhost")
	p.expect("401 /passkeys/register/verify")
	p.Authenticator(true)
	p.signIn("mira")
	p.Press("add", "Add a passkey")
	p.See("add", "This passkey was not added.")
	p.See("badge", "Password level")
}

func TestAuthenticatorThatCannotVerify(t *testing.T) {
	p := start(t)
	p.Authenticator(false)
	p.signIn("mira")
	p.Press("add", "Add a passkey")
	p.See("add", "No passkey was used.")
	p.See("add", "Try again")
}

// A device that claims not to have verified anybody is refused by the server, and the page stays at password level.
func TestAnswerWithoutVerification(t *testing.T) {
	p := start(t)
	p.expect("401 /passkeys/authenticate/verify")
	device := p.Authenticator(true)
	p.addPasskey("mira")
	device.Override(false, true)
	p.Press("verify", "Verify with a passkey")
	p.See("verify", "This passkey did not work.")
	p.See("badge", "Password level")
}

func TestBogusSignature(t *testing.T) {
	p := start(t)
	p.expect("401 /passkeys/authenticate/verify")
	device := p.Authenticator(true)
	p.addPasskey("mira")
	device.Override(true, false)
	p.Press("verify", "Verify with a passkey")
	p.See("verify", "This passkey did not work.")
	p.See("badge", "Password level")
	device.Override(false, false)
	p.Press("verify", "Try again")
	p.Current("open")
	p.See("badge", "Full level")
}

// Two tabs of one person have each asked the server for a challenge before either is answered; neither spoils the other's.
func TestTwoTabs(t *testing.T) {
	first := start(t)
	device := first.Authenticator(true)
	first.prefer(-7) // the kind that can be copied
	first.addPasskey("mira")
	first.Press("top", "Sign out")
	first.signInAgain("mira")
	first.Current("verify")

	page, cancel := first.Beside()
	second := watch(t, first.server, page, cancel)
	other := second.Authenticator(true)
	second.Press("signup", "Sign in")
	second.signInAgain("MIRA")
	second.Current("verify")
	second.See("add", "You have one")

	first.Press("verify", "Verify with a passkey")
	first.See("badge", "Full level")
	second.See("badge", "Password level")
	copyPasskey(device, other) // with the counter where it stands now
	second.Press("verify", "Verify with a passkey")
	second.See("badge", "Full level")
}

func TestStopAndCancel(t *testing.T) {
	p := start(t)
	device := p.Authenticator(true)
	p.signIn("mira")
	device.Present(false)
	p.Press("add", "Add a passkey")
	p.See("add", "Follow your device")
	p.Press("add", "Stop")
	p.See("status", "Stopped.")
	p.See("add", "Add a passkey")
	p.Press("add", "Add a passkey")
	p.See("add", "Follow your device")
	p.Keys("\x1b")
	p.See("status", "Stopped.")

	// The person closes the browser's own window.
	device.Present(true)
	device.Verified(false)
	p.Press("add", "Add a passkey")
	p.See("add", "No passkey was used.")
	if title := Eval[string](p.Page, "document.title"); title != "Error: Add a passkey – Stepkey" {
		t.Errorf("title = %q", title)
	}
	device.Verified(true)
	p.Press("add", "Try again")
	p.Current("verify")
}

// A browser that never answers and ignores the signal is left behind after its time, and after Stop.
func TestDeviceThatNeverAnswers(t *testing.T) {
	p := start(t)
	p.Before(`navigator.credentials.create = () => new Promise(() => {});
		const later = setTimeout;
		window.setTimeout = (run, ms, ...rest) => later(run, ms > 300000 ? 300 : ms, ...rest);`)
	p.Authenticator(true)
	p.Go(p.server.URL())
	p.signIn("mira")
	p.Press("add", "Add a passkey")
	p.See("add", "Your device did not answer.")
	Eval[bool](p.Page, `(window.setTimeout = (run, ms, ...rest) => ms > 300000 ? 0 : Reflect.apply(later, window, [run, ms, ...rest]), true)`)
	p.Press("add", "Try again")
	p.See("add", "Follow your device")
	p.Press("add", "Stop")
	p.See("add", "Add a passkey")
}

// What browsers report, and what the page says. The first column is the name of the DOMException.
func TestDeviceFailures(t *testing.T) {
	p := start(t)
	p.Before(`navigator.credentials.create = async () => { throw new DOMException("library text", window.failure); };`)
	p.Go(p.server.URL())
	p.signIn("mira")
	for _, c := range [][2]string{
		{"NotAllowedError", "No passkey was used."},
		{"InvalidStateError", "This device is ready."},
		{"NotSupportedError", "This device cannot make a passkey we accept."},
		{"ConstraintError", "This device cannot check it is you."},
		{"SecurityError", "Passkeys do not work at this address."},
		{"UnknownError", "Your device could not finish."},
		{"OperationError", "Your device could not finish."},
		{"TimeoutError", "Your device did not answer."},
		{"DataError", "Something broke on our side."},
	} {
		p.Go(p.server.URL())
		p.Press("signup", "Sign in")
		p.signInAgain("mira")
		p.Current("add")
		Eval[bool](p.Page, fmt.Sprintf("(window.failure = %q, true)", c[0]))
		p.Press("add", "Add a passkey")
		p.See("add", c[1])
		if text := Eval[string](p.Page, "document.body.innerText"); strings.Contains(text, "library text") {
			t.Errorf("%s: the browser's own text is shown", c[0])
		}
	}
}

// The device that holds a passkey makes no second one; and a second one anywhere needs the first verified.
func TestAnotherPasskey(t *testing.T) {
	p := start(t)
	p.expect("403 /passkeys/register/options")
	p.Authenticator(true)
	p.addPasskey("mira")
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
	p.addPasskey("mira")
	p.Press("open", "Open the page")
	p.Press("open", "Verify with a passkey")
	p.See("open", "The server saw full level and let you in.")
}

// A challenge answers once: the same options again are too late.
func TestUsedChallenge(t *testing.T) {
	p := start(t)
	p.expect("400 /passkeys/authenticate/verify")
	p.Before(`const send = fetch; let options;
		window.fetch = async (path, init) => {
			const response = await send(path, init);
			if (path !== "/passkeys/authenticate/options" || !response.ok) return response;
			return new Response(options ??= await response.text(), { status: 200 });
		};`)
	p.Authenticator(true)
	p.Go(p.server.URL())
	p.addPasskey("mira")
	p.Press("verify", "Verify with a passkey")
	p.Current("open")
	p.Press("top", "Sign out")
	p.signInAgain("mira")
	p.Current("verify")
	p.Press("verify", "Verify with a passkey")
	p.See("verify", "That took too long.")
	p.See("verify", "Start again")
}

func TestFormsSayWhatIsWrong(t *testing.T) {
	p := start(t)
	p.expect("400 /auth/signup", "409 /auth/signup", "401 /auth/login")
	refused := func(step, name, word, field, sentence string) {
		t.Helper()
		prefix := map[string]string{"signup": "new-"}[step]
		p.Type(prefix+"name", name)
		p.Type(prefix+"password", word)
		p.Keys("\r")
		p.See(step, sentence)
		id := prefix + field
		p.Wait(id+" marked and focused", fmt.Sprintf(
			`document.activeElement.id === %[1]q && document.activeElement.getAttribute("aria-invalid") === "true" &&
			document.activeElement.getAttribute("aria-describedby").split(" ").some(id => document.getElementById(id).textContent === %[2]q)`, id, sentence))
		if title := Eval[string](p.Page, "document.title"); !strings.HasPrefix(title, "Error: ") {
			t.Errorf("title = %q, want it to begin with Error", title)
		}
	}
	refused("signup", "", password, "name", "Type a username.")
	refused("signup", "mira", "", "password", "Type a password.")
	refused("signup", "no spaces, please", password, "name", "Use 1 to 64 letters, digits or the signs . _ - @ + and begin with a letter or digit.")
	refused("signup", "mira", "short", "password", "Use at least 8 characters. A few words in a row work well.")
	refused("signup", "mira", strings.Repeat("long", 300), "password", "Use at most 1,024 characters.")
	refused("signup", "mira", "password123", "password", "This password is on a list of common ones. Choose another.")
	refused("signup", "mirabelle", "mirabelle-0", "password", "Leave your username out of it.")
	p.Type("new-name", "mira")
	p.Type("new-password", password)
	p.Keys("\r")
	p.Current("signin")
	p.Press("signin", "Create an account")
	refused("signup", "Mira", password, "name", "This username is taken. Try another one.")
	p.Press("signup", "Sign in")
	refused("signin", "mira", "not "+password, "name", "Username or password is not right. Check both, then try again.")
	refused("signin", "nobody", password, "name", "Username or password is not right. Check both, then try again.")
}

// The server is out of reach, busy, broken, or has forgotten the session: fetch is made to say so.
func TestServerTrouble(t *testing.T) {
	p := start(t)
	p.Before(`const send = fetch;
		window.fetch = async (path, init) => {
			if (!window.trouble) return send(path, init);
			const [status, body, headers] = window.trouble;
			if (!status) throw new TypeError("library text");
			return new Response(JSON.stringify(body), { status, headers });
		};`)
	p.Go(p.server.URL())
	p.signIn("mira")
	trouble := func(answer, sentence string) {
		t.Helper()
		Eval[bool](p.Page, "(window.trouble = "+answer+", true)")
		p.Press("add", "Add a passkey")
		p.See("add", sentence)
		Eval[bool](p.Page, "(window.trouble = null, true)")
	}
	again := func() {
		t.Helper()
		p.Go(p.server.URL())
		p.Press("signup", "Sign in")
		p.signInAgain("mira")
		p.Current("add")
	}
	trouble(`[0]`, "We can’t reach the server.")
	again()
	trouble(`[500, {code: "internal", requestId: "7f3a91c2"}, {}]`, "If it stays, tell us 7f3a91c2.")
	again()
	trouble(`[502, {}, {}]`, "Something broke on our side.")
	again()
	trouble(`[429, {}, {"Retry-After": "300"}]`, "Too many tries. Wait 5 minutes.")
	again()
	trouble(`[503, {code: "overloaded"}, {"Retry-After": "2"}]`, "The server is busy. Wait 2 seconds.")
	p.See("add", "Try again")
	again()
	trouble(`[403, {code: "reauthentication_required"}, {}]`, "Sign in once more.")
	again()
	trouble(`[409, {code: "passkey_exists"}, {}]`, "This passkey is taken.")
	again()
	trouble(`[409, {code: "too_many_passkeys"}, {}]`, "This account holds all the passkeys it can.")
	again()
	Eval[bool](p.Page, `(window.trouble = [401, {code: "unauthorized"}, {}], true)`)
	p.Press("add", "Add a passkey")
	p.Current("signin")
	p.See("signin", "You have been signed out.")
	p.Wait("the name kept", `document.getElementById("name").value === "mira"`)
	Eval[bool](p.Page, `(dispatchEvent(new Event("offline")), Object.defineProperty(navigator, "onLine", {get: () => false, configurable: true}), dispatchEvent(new Event("offline")), true)`)
	p.See("notices", "You are offline.")
	Eval[bool](p.Page, `(Object.defineProperty(navigator, "onLine", {get: () => true, configurable: true}), dispatchEvent(new Event("online")), true)`)
	p.Wait("the notice gone", `!document.getElementById("notices").innerText.trim()`)
}

func TestSessionRunsOut(t *testing.T) {
	p := start(t)
	p.signIn("mira")
	Eval[bool](p.Page, `(() => { const now = Date.now.bind(Date); Date.now = () => now() + 16 * 60 * 1000; return true; })()`)
	p.Current("signin")
	p.See("no-token", "Your session ended.")
	p.See("badge", "Signed out")
}

func TestBrowserWithoutPasskeys(t *testing.T) {
	p := start(t)
	p.Before(`delete window.PublicKeyCredential;`)
	p.Go(p.server.URL())
	p.signIn("mira")
	p.See("add", "This browser cannot use passkeys.")
	p.Wait("no button", `![...document.querySelectorAll("#add button")].some(b => b.checkVisibility())`)
}

// The whole path with Tab, Enter and letters alone. Every stop has to be visible where the focus is.
func TestKeyboardOnly(t *testing.T) {
	p := start(t)
	p.expect("403 /users/histories")
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
	p.Current("verify")
	tabTo("Open the page")
	p.Keys("\r")
	p.See("open", "This page needs full level.")
	p.Wait("focus on the offered way", `document.activeElement.innerText === "Verify with a passkey"`)
	p.Keys("\r")
	p.See("open", "The server saw full level and let you in.")
	tabTo("Copy token")
	tabTo("Copy")
	tabTo("Server")
	p.Keys(" ")
}

// Whoever guesses at the account from elsewhere does not keep out who signed in here.
func TestDeviceIsKnownAgain(t *testing.T) {
	p := start(t, "STEPKEY_LIMITS=on")
	p.signIn("mira")
	if names := p.Cookies(); len(names) != 1 || !strings.HasPrefix(names[0], "__Host-stepkey-device-") {
		t.Fatalf("cookies %v", names)
	}
	for i := range 11 {
		response, err := http.Post(p.server.URL()+"/auth/login", "application/json",
			strings.NewReader(`{"username":"mira","password":"somebody guesses"}`))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if want := map[bool]int{true: 429, false: 401}[i == 10]; response.StatusCode != want {
			t.Errorf("guess %d: %d, want %d", i+1, response.StatusCode, want)
		}
	}
	p.Press("top", "Sign out")
	p.signInAgain("mira")
	p.Current("add")
}

// What outlives the page on the device opens nothing, and no script can read it.
func TestReloadForgets(t *testing.T) {
	p := start(t)
	p.signIn("mira")
	p.Go(p.server.URL())
	p.See("badge", "Signed out")
	if got := Eval[int](p.Page, "localStorage.length + sessionStorage.length + document.cookie.length"); got != 0 {
		t.Errorf("%d things are stored, want none", got)
	}
}

// Nothing is cut off or needs sideways scrolling on a small phone, in any state of the path.
func TestNarrowScreen(t *testing.T) {
	p := start(t)
	p.expect("403 /users/histories")
	p.Authenticator(true)
	p.Look(320, "light")
	fits := func() {
		t.Helper()
		if over := Eval[int](p.Page, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
			t.Errorf("the page is %d px too wide", over)
		}
		cut := Eval[[]string](p.Page, `[...document.querySelectorAll("body *")]
			.filter(e => e.scrollWidth > e.clientWidth + 1 && /hidden|clip/.test(getComputedStyle(e).overflowX) && !e.matches(".vh"))
			.map(e => e.tagName + "." + e.className)`)
		if len(cut) > 0 {
			t.Errorf("cut off: %q", cut)
		}
		small := Eval[[]string](p.Page, `[...document.querySelectorAll("main .btn, nav a, footer a")]
			.filter(b => b.checkVisibility() && !b.matches(".small") && b.getBoundingClientRect().height < 44).map(b => b.innerText)`)
		if len(small) > 0 {
			t.Errorf("lower than 44 px: %q", small)
		}
	}
	fits()
	p.addPasskey("a-rather-long-name-that-somebody-may-well-have-chosen@example")
	fits()
	p.Press("open", "Open the page")
	p.See("open", "This page needs full level.")
	fits()
	p.Press("open", "Verify with a passkey")
	p.See("open", "The server saw full level")
	fits()
}

func TestReference(t *testing.T) {
	p := start(t)
	p.Go(p.server.URL() + "/docs#step_up_required")
	p.Wait("the list", `!document.getElementById("operations").hasAttribute("aria-busy")`)
	p.See("operations", "/passkeys/register/options")
	p.Wait("the problem in view", `(r => r.top >= 0 && r.top < innerHeight)(document.getElementById("step_up_required").getBoundingClientRect())`)
	listed := Eval[[]string](p.Page, `[...document.querySelectorAll(".problem")].map(p => p.id)`)
	if !slices.Contains(listed, "challenge_expired") {
		t.Errorf("problems = %q", listed)
	}
}

// copyPasskey puts the passkey of one authenticator into another, as a synced one would be.
func copyPasskey(from, to Authenticator) {
	from.page.tb.Helper()
	for _, credential := range from.Credentials() {
		to.Add(credential)
	}
}
