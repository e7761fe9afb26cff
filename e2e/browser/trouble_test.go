package browser

import (
	"fmt"
	"strings"
	"testing"
)

// A challenge answers once: the same options again are too late.
func TestUsedChallenge(t *testing.T) {
	p := start(t)
	p.expect("400 /passkeys/authenticate/verify")
	p.Before(`const send = fetch; let options;
		window.fetch = async request => {
			const response = await send(request);
			if (!request.url.endsWith("/passkeys/authenticate/options") || !response.ok) return response;
			return new Response(options ??= await response.text(), { status: 200 });
		};`)
	device := p.Authenticator(true)
	p.Go(p.server.URL())
	p.addPasskeyForLater("mira")
	p.Press("verify", "Verify with a passkey")
	p.Current("open")
	device.Present(false)
	p.Press("top", "Sign out")
	p.signInAgain("mira")
	p.Current("verify")
	device.Present(true)
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
	refused("signin", "", password, "name", "Type a username.")
	refused("signin", "mira", "", "password", "Type a password.")
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

// When the access token has run out the page gets the next one, or says that the session is over.
func TestSessionRunsOut(t *testing.T) {
	p := start(t)
	p.expect("401 /auth/refresh")
	p.signIn("mira")
	const later = `(() => { const now = Date.now.bind(Date); Date.now = () => now() + 16 * 60 * 1000; return true; })()`
	Eval[bool](p.Page, later)
	p.See("log", "POST /auth/refresh")
	p.See("badge", "Password level")
	Eval[bool](p.Page, `import("/stepkey.js").then(({ stepkey }) => fetch("/auth/logout/all", {
		method: "POST", headers: { Authorization: "Bearer " + stepkey.session.accessToken } })).then(response => response.ok)`)
	Eval[bool](p.Page, later)
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
