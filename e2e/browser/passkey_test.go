package browser

import (
	"fmt"
	"strings"
	"testing"
)

// passkeyAlone is a page on which mira, who has a passkey, has signed out; nobody is at her device.
func passkeyAlone(t *testing.T) (p *tab, device Authenticator) {
	t.Helper()
	p = start(t)
	device = p.Authenticator(true)
	p.addPasskey("mira")
	device.Present(false)
	p.Press("top", "Sign out")
	p.Current("signin")
	return p, device
}

// A passkey alone does what a password and a passkey do, and the page claims no password that nobody typed.
func (p *tab) seePasskeyAlone() {
	p.t.Helper()
	p.Current("open")
	p.See("badge", "Full level")
	p.See("signin", "With a passkey")
	p.See("add", "You have one")
	p.See("verify", "Full level")
	p.See("claims", "a passkey alone")
	if said := Eval[string](p.Page, `document.querySelector(".stand").innerText`); strings.Contains(said, "a password") {
		p.t.Errorf("where you stand speaks of a password: %s", said)
	}
}

func TestSignInWithPasskey(t *testing.T) {
	p, device := passkeyAlone(t)
	p.Wait("the list", listed)
	p.Press("signin", "Sign in with a passkey")
	p.See("signin", "Follow your device")
	device.Verified(false) // or a list that begins would be answered as soon as somebody is there
	p.Press("signin", "Stop")
	p.See("status", "Stopped.")
	device.Present(true)
	p.Press("signin", "Sign in with a passkey")
	p.See("signin", "No passkey was used.")
	p.Wait("the list to be closed", closed)
	device.Verified(true)
	p.Press("signin", "Try again")
	p.seePasskeyAlone()
	p.Press("open", "Open the page")
	p.See("open", "The server saw full level and let you in.")
}

// asked is how often the autofill list was begun.
const asked = `[...document.querySelectorAll("#log pre")].filter(pre => pre.textContent.includes('"mediation": "conditional"')).length`

// asking is the last request to the device in the log.
const asking = `[...document.querySelectorAll("#log li")].findLast(li => li.querySelector(".who.device"))`

// listed tells whether that is a list that waits, and closed whether it is one that was closed.
const (
	listed = asking + `?.querySelector(".out").textContent.startsWith("waiting") && ` + asking + `.querySelector("pre").textContent.includes('"mediation": "conditional"')`
	closed = asking + `?.querySelector(".out").textContent.startsWith("not used")`
)

// The list of the username field offers the passkey; a list that was closed says nothing and is there again when it is
// looked for.
func TestSignInFromAutofillList(t *testing.T) {
	p, device := passkeyAlone(t)
	p.Wait("the list", listed)
	if got := Eval[string](p.Page, `document.getElementById("name").autocomplete`); got != "username webauthn" {
		t.Errorf("autocomplete = %q", got)
	}
	// A button's request ends the list, and so does a password that is sent.
	p.Press("signin", "Sign in with a passkey")
	device.Verified(false)
	p.Press("signin", "Stop")
	p.See("status", "Stopped.")
	p.expect("401 /auth/login")
	p.Type("password", "something else")
	p.Press("signin", "Sign in")
	p.See("signin", "Username or password is not right.")

	device.Present(true)
	p.Go(p.server.URL())
	p.Press("signup", "Sign in")
	p.Wait("the list to be closed", closed)
	if got := Eval[string](p.Page, `document.querySelector("#signin .slot").innerText`); got != "" {
		t.Errorf("a list that was closed says %q", got)
	}
	device.Verified(true)
	Eval[bool](p.Page, `(document.activeElement.blur(), document.getElementById("name").focus(), true)`)
	p.seePasskeyAlone()
}

// slow holds the server's answers to a passkey alone back until the page is told to go on.
const slow = `const quick = fetch; window.fetch = async request => {
	const response = await quick(request);
	if (request.url.endsWith("/passkeys/login/verify")) await new Promise(done => { window.goOn = done; });
	return response;
};`

// Between the pick and the server's answer the form says that it is at work, and takes no second press.
func TestPickFromAutofillListIsAtWork(t *testing.T) {
	for path, at := range map[string]struct{ form, place, words string }{
		"/":        {"signin", "signin", "Signing in…"},
		"/account": {"signin", "gate", "One moment…"},
	} {
		t.Run(path, func(t *testing.T) {
			p := client(t)
			p.Authenticator(true)
			p.run(enter + `await s.registerPasskey(); await s.signOut();`)
			p.Before(slow)
			p.Go(p.server.URL() + path)
			if path == "/" {
				p.Press("signup", "Sign in")
			}
			p.said("Signing you in…")
			p.See(at.form, at.words)
			p.Wait("the place to be busy", `document.querySelector("#`+at.place+`[aria-busy=true], #`+at.place+` [aria-busy=true]")`)
			p.Press(at.form, at.words)
			if said := Eval[string](p.Page, `[...document.querySelectorAll("#`+at.form+` .wrong")].map(e => e.innerText).join("")`); said != "" {
				t.Errorf("a second press is answered with %q", said)
			}
			p.Wait("the answer", `window.goOn`)
			Eval[bool](p.Page, `(goOn(), true)`)
			p.See("top", "Full level")
			if calls := p.calls("/passkeys/login/verify") + p.calls("/auth/login"); calls != 1 {
				t.Errorf("%d sign-ins, want one", calls)
			}
		})
	}
}

// calls counts the requests of the page for a path.
func (p *tab) calls(path string) int {
	p.t.Helper()
	return Eval[int](p.Page, `performance.getEntriesByName(location.origin + "`+path+`").length`)
}

// The button asks the device at once, with options that came before the press: a browser may want to be asked within the press.
func TestOptionsAreFetchedAhead(t *testing.T) {
	for path, show := range map[string]func(*tab){
		"/":        func(p *tab) { p.Press("signup", "Sign in") },
		"/account": func(p *tab) { p.See("gate", "Sign in with a passkey") },
	} {
		t.Run(path, func(t *testing.T) {
			p := client(t)
			device := p.Authenticator(true)
			p.run(enter + `await s.registerPasskey(); await s.signOut();`)
			device.Present(false)
			p.Before(lists)
			p.Go(p.server.URL() + path)
			show(p)
			p.Wait("the list", `lists === 1`)
			Eval[bool](p.Page, `(document.getElementById("by-passkey").focus(), true)`)
			p.Wait("options for the list and the button", `performance.getEntriesByName(location.origin + "/passkeys/login/options").length === 2`)
			Eval[bool](p.Page, `(performance.clearResourceTimings(), true)`)
			p.Press("signin", "Sign in with a passkey")
			p.See("main", "Follow your device")
			p.Wait("the device to be asked", `asks === 1`)
			if calls := p.calls("/passkeys/login/options"); calls != 0 {
				t.Errorf("the press asked the server for options %d times", calls)
			}
			// Stop leads back to the form; then there are options again, fresh ones.
			Eval[bool](p.Page, `(window.unused = true)`)
			p.Press("main", "Stop")
			p.said("Stopped.")
			device.Present(true)
			p.Press("signin", "Sign in with a passkey")
			p.See("top", "Full level")
		})
	}
}

// A passkey that was deleted says so, and the list is there again.
func TestAutofillListOffersDeletedPasskey(t *testing.T) {
	p := start(t)
	p.expect("401 /passkeys/login/verify")
	device := p.Authenticator(true)
	p.addPasskey("mira")
	Eval[bool](p.Page, `import("/stepkey.js").then(async ({ stepkey }) => {
		const { passkeys } = await stepkey.call("GET", "/passkeys");
		await stepkey.call("DELETE", "/passkeys/" + passkeys[0].id + "?last=true");
		return true;
	})`)
	before := Eval[int](p.Page, asked)
	p.Press("top", "Sign out")
	p.See("signin", "It may have been removed from your account.")
	p.Wait("the list again", fmt.Sprintf("%s === %d", asked, before+2))
	if held := device.Credentials(); len(held) != 0 {
		t.Errorf("the device still offers %d passkeys that the server does not know", len(held))
	}
}

// Where a passkey alone lets nobody in, no page offers it, or asks for it: the browser would complain of the 404.
func TestPasskeyLoginOff(t *testing.T) {
	p := start(t, "STEPKEY_PASSKEY_LOGIN=off")
	p.Press("signup", "Sign in")
	p.Current("signin")
	if words := Eval[string](p.Page, `document.getElementById("signin").innerText`); strings.Contains(words, "with a passkey") {
		t.Errorf("the demo says %q", words)
	}
	post(t, p.server.URL()+"/auth/signup", "", object{"username": "mira", "password": password}, 201)
	p.Go(p.server.URL() + "/sign-in")
	p.See("gate", "Create an account")
	if words := Eval[string](p.Page, `document.getElementById("gate").innerText`); strings.Contains(words, "with a passkey") {
		t.Errorf("/sign-in says %q", words)
	}
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signin", "Sign in")
	(&signing{p, ""}).Wait("the account", `location.pathname === "/account"`)
}

// lingering has the browser take its time to end a request to the device.
const lingering = `const get = navigator.credentials.get.bind(navigator.credentials);
window.lists = 0; window.ending = 0;
navigator.credentials.get = options => {
	if (options.mediation === "conditional") lists++;
	return get(options).catch(async error => {
		ending++;
		await new Promise(done => { const at = window.goOn; window.goOn = () => { at?.(); done(); }; });
		throw error;
	});
};`

// A list that is asked for while the browser still ends the last one comes after it.
func TestListAfterOneThatEndsSlowly(t *testing.T) {
	p := client(t)
	device := p.Authenticator(true)
	p.run(enter + `await s.registerPasskey(); await s.signOut();`)
	device.Present(false)
	p.Before(lingering)
	p.Go(p.server.URL() + "/account")
	p.Wait("the list", `lists === 1`)
	p.Type("username", "mira")
	p.Type("password-now", password)
	p.Press("signin", "Sign in")
	p.See("passkeys", "Added today")
	p.Press("top", "Sign out")
	p.See("gate", "Sign in with a passkey")
	p.Wait("the first list to be ending", `ending === 1 && document.getElementById("by-passkey").checkVisibility()`)
	Eval[bool](p.Page, `(goOn(), true)`)
	p.Wait("the list again", `lists === 2`)
}

// overtaken holds back the options of every list until the page is told to go on.
const overtaken = `window.lists = 0; window.held = 0;
const get = navigator.credentials.get.bind(navigator.credentials);
navigator.credentials.get = options => { if (options.mediation === "conditional") lists++; return get(options); };
const quick = fetch, open = new Promise(done => { window.goOn = done; });
window.fetch = async request => {
	const response = await quick(request);
	if (request.url.endsWith("/passkeys/login/options") && ++held > 1) await open;
	return response;
};`

// A list whose options come after somebody has signed in with a password does not begin.
func TestListOvertakenByAPassword(t *testing.T) {
	p := client(t)
	device := p.Authenticator(true)
	p.run(enter + `await s.registerPasskey(); await s.signOut();`)
	device.Present(false)
	p.Before(overtaken)
	p.Go(p.server.URL() + "/account")
	p.Wait("the options of the list to be held", `held === 2`)
	p.Type("username", "mira")
	p.Type("password-now", password)
	p.Press("signin", "Sign in")
	p.See("passkeys", "Added today")
	// Late is no failure here: a list that begins after this is missed, and none is made up.
	if lists := Eval[int](p.Page, `(goOn(), new Promise(done => setTimeout(() => done(lists), 300)))`); lists != 0 {
		t.Error("the list began in the session")
	}
	p.Press("top", "Sign out")
	p.Wait("the list after signing out", `lists === 1`)
}
