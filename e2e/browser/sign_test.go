package browser

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// signing is a Stepkey whose pages sign people in for an application on another port.
type signing struct {
	*tab
	app string // an address of the application, with a query and a fragment
}

func startSigning(t *testing.T, settings ...string) *signing {
	t.Helper()
	origin := "http://localhost:" + frontEnd(t)
	p := start(t, append(settings, "STEPKEY_RETURN_ORIGINS="+origin+",https://app.example.com", "STEPKEY_CORS_ORIGINS="+origin)...)
	return &signing{p, origin + "/?page=2#part"}
}

// ask opens one of the pages as the application does, with more parameters.
func (p *signing) ask(page string, more ...string) {
	p.t.Helper()
	query := url.Values{"return_to": {p.app}}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	p.Go("about:blank") // or the same address with a fragment would load nothing
	p.Go(p.server.URL() + page + "?" + query.Encode())
}

// arrives waits for the application, and reads there as whom and at which level somebody came.
func (p *signing) arrives(want string) {
	p.t.Helper()
	p.Wait("the application", `location.href === "`+p.app+`" && document.readyState === "complete"`)
	got := Eval[string](p.Page, `import("/stepkey.js").then(m => m.createStepkey({ base: "`+p.server.URL()+`" }).refresh()).then(s => s ? s.claims.username + " " + s.authLevel : "nobody")`)
	if got != want {
		p.t.Errorf("at the application: %q, want %q", got, want)
	}
}

// signOut ends the session.
func (p *signing) signOut() {
	p.t.Helper()
	p.Go(p.server.URL() + "/not-me")
	Eval[bool](p.Page, `import("/stepkey.js").then(async m => { await m.refresh(); await m.signOut(); return true; })`)
}

// signUp makes an account for the application, up to the offer of a passkey.
func (p *signing) signUp(name string) {
	p.t.Helper()
	p.ask("/sign-up")
	p.Type("username", name)
	p.Type("password", password)
	p.Press("signup", "Create account")
	p.See("offer", "Skip the password")
}

// silent says what the browser has against the page, including what other tests expect of a new account.
func (p *signing) silent() {
	p.t.Helper()
	if left := p.Complaints(); len(left) > 0 {
		p.t.Errorf("the browser complains:\n%s", strings.Join(left, "\n"))
	}
}

// One prompt of the device leads from nothing to full level, in both languages.
func TestSignUpForAnApplication(t *testing.T) {
	for _, language := range []string{"en", "de"} {
		t.Run(language, func(t *testing.T) {
			says, check := words(t, language), func(*tab, string) {}
			if language == "de" {
				check = notGerman(t)
			}
			p := startSigning(t)
			p.Authenticator(true)
			p.ask("/sign-in", "ui_locales", language)
			p.See("for", "localhost:")
			check(p.tab, "signing in")
			Eval[bool](p.Page, `(document.querySelector(".ways a").click(), true)`)
			p.Wait("the other page", `location.pathname === "/sign-up" && document.readyState === "complete"`)
			p.See("gate", says["pages.signUp.act"])
			check(p.tab, "signing up")
			p.Type("username", "mira")
			p.Type("password", password)
			p.Press("signup", says["pages.signUp.act"])
			p.See("offer", says["pages.demo.add.text"])
			check(p.tab, "the offer")
			p.Press("offer", says["pages.demo.add.act"])
			p.arrives("mira full")
			p.Happened("added")
			p.ask("/verify", "max_age", "0")
			p.See("gate", says["pages.demo.verify.text"])
			check(p.tab, "verifying")
			p.Press("gate", says["pages.demo.verify.act"])
			p.arrives("mira full")
			p.silent()
		})
	}
}

// Somebody who refuses the offer goes on, and is not asked again at the next sign-in.
func TestNotNowForAnApplication(t *testing.T) {
	p := startSigning(t)
	p.Authenticator(true)
	p.signUp("mira")
	p.Press("offer", "Not now")
	p.arrives("mira password")
	p.signOut()
	p.ask("/sign-in")
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signin", "Sign in")
	p.arrives("mira password")
	p.silent()
}

// Somebody who is signed in goes on at once, and a second time stops: an application that does not see the session would send
// people in circles.
func TestSignedInGoesOnOnce(t *testing.T) {
	p := startSigning(t)
	p.ask("/sign-up")
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signup", "Create account") // without an authenticator there is nothing to offer
	p.arrives("mira password")
	for _, page := range []string{"/sign-in", "/sign-up"} {
		p.Go(p.server.URL() + "/not-me")
		Eval[bool](p.Page, `(sessionStorage.clear(), true)`)
		p.ask(page)
		p.arrives("mira password")
		p.ask(page)
		p.See("leaving", "Continue to localhost:")
		p.Wait("the focus", `document.activeElement.id === "leaving-title"`)
		Eval[bool](p.Page, `(document.getElementById("leaving-link").click(), true)`)
		p.arrives("mira password")
	}
}

// The list at the field and the button may both have a passkey at hand. Only one of them signs in: a second session would end the
// first one under the page.
func TestOneSignInWithPasskeyAtATime(t *testing.T) {
	p := startSigning(t)
	device := p.Authenticator(true)
	p.signUp("mira")
	p.Press("offer", "Add a passkey")
	p.arrives("mira full")
	p.signOut()

	device.Present(false)
	p.ask("/sign-in")
	Eval[bool](p.Page, `(sessionStorage.sent = "", (fetch => {
		window.fetch = request => (sessionStorage.sent += new URL(request.url).pathname + " ", fetch(request));
	})(window.fetch), true)`)
	p.Wait("the list", `performance.getEntriesByType("resource").some(({ name, responseEnd }) => name.endsWith("/login/options") && responseEnd)`)
	p.Latency(time.Second)
	p.Press("signin", "Sign in with a passkey")
	p.See("gate", "Follow your device")
	device.Present(true) // whatever asks it first, while the button's own options are under way
	p.Latency(0)
	p.arrives("mira full")
	p.Go(p.server.URL() + "/not-me")
	if sent := Eval[string](p.Page, `sessionStorage.sent`); strings.Count(sent, "/passkeys/login/verify") != 1 {
		t.Errorf("the page sent %s, want one sign-in", sent)
	}
}

func TestSignInForAnApplication(t *testing.T) {
	p := startSigning(t)
	p.expect("401 /auth/login")
	device := p.Authenticator(true)
	p.signUp("mira")
	p.Press("offer", "Add a passkey")
	p.arrives("mira full")
	p.Happened("added")
	p.signOut()

	device.Present(false) // or the list at the field would be answered at once
	p.ask("/sign-in")
	p.Press("signin", "Sign in")
	p.See("signin", "Type a username.")
	p.Type("username", "mira")
	p.Press("signin", "Sign in")
	p.See("signin", "Type a password.")
	p.Type("password", "something else")
	p.Press("signin", "Sign in")
	p.See("signin", "Username or password is not right.")
	p.Wait("the focus", `document.activeElement.id === "username" && document.activeElement.ariaInvalid === "true"`)

	// The address is all that the page knows, so it outlives a reload, another language and the way there and back.
	Eval[bool](p.Page, `(window.old = true, location.reload(), true)`)
	p.Wait("the reload", `!window.old`)
	p.See("for", "localhost:")
	Eval[bool](p.Page, `(document.querySelector('.languages [lang="de"]').click(), true)`)
	p.See("gate", "Anmelden")
	p.See("for", "localhost:")
	Eval[bool](p.Page, `(document.querySelector('.languages [lang="en"]').click(), true)`)
	p.See("gate", "Create an account")
	Eval[bool](p.Page, `(document.querySelector("[data-carry]").click(), true)`)
	p.See("gate", "Create account")
	Eval[bool](p.Page, `(history.back(), true)`)
	p.See("gate", "Sign in with a passkey")
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signin", "Sign in")
	p.arrives("mira password")
	p.signOut()

	p.ask("/sign-in")
	p.Press("signin", "Sign in with a passkey")
	p.See("gate", "Follow your device")
	device.Present(true)
	p.arrives("mira full")
	p.signOut()

	p.ask("/sign-in") // the list at the field is answered at once
	p.arrives("mira full")
}

// After a refused password the passkeys are in the list of the field again.
func TestListAfterAWrongPassword(t *testing.T) {
	p := startSigning(t)
	p.expect("401 /auth/login")
	p.Before(`window.unused = true;` + lists)
	p.Authenticator(true)
	p.ask("/sign-in")
	p.Wait("the list", `lists === 1`)
	p.Type("username", "nobody")
	p.Type("password", password)
	p.Press("signin", "Sign in")
	p.See("signin", "Username or password is not right.")
	p.Wait("the list again", `lists === 2`)
}

// Nobody is sent to an address whose origin is not on the list, however it is written.
func TestNoOpenRedirect(t *testing.T) {
	p := startSigning(t)
	origin := p.server.URL()
	for _, c := range []struct{ to, want string }{
		{"https://app.example.com/a?b=c#d", "https://app.example.com/a?b=c#d"},
		{"HTTPS://APP.EXAMPLE.COM:443/", "https://app.example.com/"},
		{"/account#passkeys", origin + "/account#passkeys"},
		{"https://evil.example/", ""},
		{"http://app.example.com/", ""},
		{"https://app.example.com:8443/", ""},
		{"https://app.example.com.evil.com/", ""},
		{"https://evil.com/https://app.example.com/", ""},
		{"https://app.example.com@evil.com/", ""},
		{"https://mira:secret@app.example.com/", ""},
		{"https://sub.app.example.com/", ""},
		{"//evil.com", ""},
		{`/\evil.com`, ""},
		{`\\evil.com`, ""},
		{"\t//evil.com", ""},
		{"javascript:alert(1)", ""},
		{"java\nscript:alert(1)", ""},
		{"blob:https://app.example.com/0", ""},
		{"data:text/html,x", ""},
		{"filesystem:https://app.example.com/x", ""},
		{"https://", ""},
		{"", ""},
		{" ", ""},
		{"#", ""},
	} {
		p.Go(origin + "/sign-up?" + url.Values{"return_to": {c.to}}.Encode())
		p.Wait("the form", `document.getElementById("gate").checkVisibility()`)
		want := c.want
		if want == "" {
			want = origin + "/account"
			p.See("notice", "We do not know the app that sent you here.")
		}
		if got := Eval[string](p.Page, `import("/assets/sign/returning.js").then(m => m.destination.href)`); got != want {
			t.Errorf("%q leads to %s, want %s", c.to, got, want)
		}
	}
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signup", "Create account")
	p.Wait("the account", `location.href === "`+origin+`/account"`)
}

func TestVerifyForAnApplication(t *testing.T) {
	p := startSigning(t)
	p.expect("401 /passkeys/authenticate/options")
	device := p.Authenticator(true)
	p.signUp("mira")
	p.Press("offer", "Add a passkey")
	p.arrives("mira full")
	p.ask("/verify") // fresh
	p.arrives("mira full")
	p.ask("/verify") // again at once
	p.See("leaving", "Continue to localhost:")
	p.signOut()
	p.Happened("added")

	// Signing in comes first, and leads back.
	device.Present(false)
	p.ask("/verify", "max_age", "60")
	p.See("gate", "Create an account")
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signin", "Sign in")
	p.See("gate", "Confirm it’s you")
	p.See("check", "mira")
	p.Wait("the focus", `document.activeElement.id === "verify"`)
	p.Happened() // nothing is asked of the device by itself
	p.Press("check", "Verify with a passkey")
	p.See("gate", "Follow your device")
	p.Press("gate", "Stop")
	p.See("check", "Verify with a passkey")
	device.Present(true)
	p.Press("check", "Verify with a passkey")
	p.arrives("mira full")
	p.Happened("asserted")

	device.Verified(false)
	p.ask("/verify", "max_age", "0")
	p.Press("check", "Verify with a passkey")
	p.See("notice", "No passkey was used.")
	device.Verified(true)
	p.Press("check", "Verify with a passkey")
	p.arrives("mira full")

	// Somebody signs out in another tab, or has the session ended on another device.
	for what, end := range map[string]string{
		"another tab":    `m.signOut()`,
		"another device": `fetch("/auth/logout/all", { method: "POST", headers: { Authorization: "Bearer " + m.stepkey.session.accessToken } })`,
	} {
		p.ask("/verify", "max_age", "0")
		p.See("check", "mira")
		page, cancel := p.Beside()
		page.Go(p.server.URL() + "/not-me")
		Eval[bool](page, `import("/stepkey.js").then(async m => { await m.refresh(); await `+end+`; return true; })`)
		cancel()
		device.Present(false)
		p.Press("check", "Verify with a passkey")
		p.See("gate", "Create an account")
		if !strings.Contains(Eval[string](p.Page, `location.href`), "verify") {
			t.Errorf("%s: the page forgot where to go", what)
		}
		p.Type("username", "mira")
		p.Type("password", password)
		p.Press("signin", "Sign in")
		p.See("check", "mira")
		device.Present(true)
		p.Press("check", "Verify with a passkey")
		p.arrives("mira full")
	}
}

func TestVerifyWithoutAPasskey(t *testing.T) {
	p := startSigning(t)
	p.Authenticator(true)
	p.signUp("mira")
	p.Press("offer", "Not now")
	p.arrives("mira password")
	p.ask("/verify")
	p.Press("offer", "Add a passkey")
	p.arrives("mira full")
	p.Happened("added")
	p.silent()
}

// Where the server cannot be reached the page says so, and goes on when it is pressed later.
func TestVerifyWithoutAServer(t *testing.T) {
	p := startSigning(t)
	p.Authenticator(true)
	p.signUp("mira")
	p.Press("offer", "Add a passkey")
	p.arrives("mira full")
	p.Before(`const real = fetch; window.broken = location.pathname === "/verify"; window.fetch = (...request) => broken ? Promise.reject(new TypeError()) : real(...request);`)
	p.ask("/verify", "max_age", "0")
	p.See("notice", "We can’t reach the server.")
	Eval[bool](p.Page, `(broken = false, true)`)
	p.Press("check", "Verify with a passkey")
	p.See("check", "mira")
	p.Press("check", "Verify with a passkey")
	p.arrives("mira full")
}

func TestSignUpClosed(t *testing.T) {
	p := startSigning(t, "STEPKEY_SIGNUP=closed")
	p.expect("404 /sign-up")
	p.ask("/sign-in")
	p.See("gate", "Forgot your password?")
	if text := Eval[string](p.Page, `document.body.innerText`); strings.Contains(text, "Create an account") {
		t.Error("the page offers an account")
	}
	if response, err := http.Get(p.server.URL() + "/sign-up"); err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("/sign-up: %v, %v; want 404", response, err)
	}
}

// immediate has a browser offer passkeys at once without a press, as one that remembers the press of another page.
const immediate = `if (window.PublicKeyCredential) { Object.defineProperty(UserActivation.prototype, "isActive", { get: () => true });
	PublicKeyCredential.getClientCapabilities = async () => ({ immediateGet: true });
	const { get } = CredentialsContainer.prototype;
	CredentialsContainer.prototype.get = function ({ uiMode, ...rest }) {
		if (rest.mediation === "conditional") return new Promise((_, no) => rest.signal.addEventListener("abort", () => no(rest.signal.reason)));
		(window.modes ??= []).push(uiMode);
		return window.held ? get.call(this, rest) : Promise.reject(new DOMException("", "NotAllowedError"));
	}; }`

// A passkey that is at hand is offered when the page opens, in browsers that can; otherwise there is the form.
func TestSignInAtOnce(t *testing.T) {
	p := startSigning(t)
	p.Authenticator(true)
	p.signUp("mira")
	p.Press("offer", "Add a passkey")
	p.arrives("mira full")
	p.signOut()
	p.Before(immediate)
	p.ask("/sign-in")
	p.Wait("the attempt", `window.modes?.join() === "immediate"`)
	p.See("gate", "Sign in with a passkey")
	if text := Eval[string](p.Page, `document.getElementById("notice").innerText`); text != "" {
		t.Errorf("a passkey that is not there is worth the notice %q", text)
	}
	p.Before(`window.held = true;`)
	p.ask("/sign-in")
	p.arrives("mira full")
	p.silent()
}

// So does the press of the button with nothing typed, in a real browser.
func TestSignInAtOnceByAPress(t *testing.T) {
	p := startSigning(t)
	p.Before(`window.unused = true;` + lists)
	device := p.Authenticator(true)
	p.ask("/sign-in")
	p.Press("signin", "Sign in")
	p.See("signin", "Type a username.")
	p.signUp("mira")
	p.Press("offer", "Add a passkey")
	p.arrives("mira full")
	p.signOut()
	device.Verified(false)
	p.ask("/sign-in")
	p.Wait("the list", `lists === 1`)
	p.Press("signin", "Sign in")
	p.See("signin", "Type a username.")
	p.Wait("the list again", `lists === 2`)
	device.Verified(true)
	p.Press("signin", "Sign in")
	p.arrives("mira full")
	p.silent()
}

// A browser hears which passkeys there are when somebody signs in with one, so that it stops offering those that were
// deleted elsewhere.
func TestSignInTellsTheBrowserWhichPasskeysThereAre(t *testing.T) {
	p := startSigning(t)
	p.Before(`if (window.PublicKeyCredential) PublicKeyCredential.signalAllAcceptedCredentials = async ({ allAcceptedCredentialIds: { length } }) => { sessionStorage.told = length; };`)
	p.Authenticator(true)
	p.signUp("mira")
	p.Press("offer", "Add a passkey")
	p.arrives("mira full")
	p.Go(p.server.URL() + "/not-me")
	Eval[bool](p.Page, `delete sessionStorage.told && import("/stepkey.js").then(m => m.refresh().then(() => m.signOut())).then(() => true)`)
	p.ask("/sign-in") // the device answers the list of the username field at once
	p.arrives("mira full")
	p.Go(p.server.URL() + "/not-me")
	if got := Eval[string](p.Page, `sessionStorage.told ?? "nothing"`); got != "1" {
		t.Errorf("the browser heard of %s passkeys, want 1", got)
	}
}
