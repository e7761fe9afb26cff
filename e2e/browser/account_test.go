package browser

import (
	"fmt"
	"strings"
	"testing"
)

// account is a page that is signed in at /account, at password level, with a passkey if asked for. Adding the first raises
// a session, so that one is left.
func account(t *testing.T, withPasskey bool, settings ...string) (*tab, Authenticator) {
	t.Helper()
	if !withPasskey {
		return accountAfter(t, "", "Skip the password next time.", settings...)
	}
	return accountAfter(t, `await s.registerPasskey(); await s.signIn(`+credentials+`);`, "Added today", settings...)
}

// accountAtFull is the account page of mira in the session that added her passkey.
func accountAtFull(t *testing.T, settings ...string) (*tab, Authenticator) {
	t.Helper()
	return accountAfter(t, `await s.registerPasskey();`, "Added today", settings...)
}

func accountAfter(t *testing.T, script, passkeys string, settings ...string) (*tab, Authenticator) {
	t.Helper()
	p := client(t, settings...)
	device := p.Authenticator(true)
	p.run(enter + script)
	p.Go(p.server.URL() + "/account")
	p.See("passkeys", passkeys)
	return p, device
}

// said waits for what screen readers are told.
func (p *tab) said(text string) {
	p.t.Helper()
	p.Wait(text, `document.getElementById("status").textContent.startsWith("`+text+`")`)
}

// act runs a script with the page's own client.
func (p *tab) act(body string) string {
	p.t.Helper()
	return Eval[string](p.Page, `import("/stepkey.js").then(async ({ stepkey }) => { `+body+` }).then(v => v ?? "")`)
}

// dialog waits for a dialog that says something.
func (p *Page) dialog(text string) {
	p.tb.Helper()
	p.Wait("the dialog "+text, fmt.Sprintf(`document.getElementById("dialog")?.innerText.includes(%q)`, text))
}

func (p *tab) closed() {
	p.t.Helper()
	p.Wait("the dialog to close", `!document.getElementById("dialog")`)
}

func TestAccountSignIn(t *testing.T) {
	p, device := account(t, true)
	p.expect("401 /auth/login")
	device.Present(false) // or the list of the username field would be answered at once
	p.Press("top", "Sign out")
	p.See("gate", "Sign in with a passkey")
	p.Press("signin", "Sign in")
	p.See("signin", "Type a password.")
	p.Type("username", "mira")
	p.Type("password-now", "something else")
	p.Keys("\r")
	p.See("signin", "Username or password is not right.")
	p.Type("password-now", password)
	p.Press("signin", "Sign in")
	p.See("passkeys", "Added today")
	p.See("who", "Changes ask for your passkey first.")
	device.Present(true) // before the list asks: a request that found nobody there stays unanswered
	p.Press("top", "Sign out")
	p.See("who", "For 5 min you can make changes.")
}

func TestAccountPasskeys(t *testing.T) {
	p, device := account(t, false)
	p.expect("403 /passkeys/register/options")
	p.Press("passkeys", "Add a passkey")
	p.dialog("It stays on your device")
	p.Press("dialog", "Make the new one")
	p.closed()
	p.See("passkeys", "Add a second on another device")

	p.See("level", "Full level")
	p.act(`await stepkey.signIn(` + credentials + `)`)
	p.See("who", "Changes ask for your passkey first.")
	id := p.act(`return (await stepkey.call("GET", "/passkeys")).passkeys[0].id`)
	p.expect("403 /passkeys/"+id, "403 /passkeys/"+id+"?last=true")
	p.Press("passkeys", "Rename")
	p.Keys("\b\r")
	p.See("passkeys", "Type a name.")
	p.Keys("Laptop at home\r")
	p.dialog("Confirm it’s you")
	p.Press("dialog", "Verify with a passkey")
	p.said("Renamed.")
	p.See("passkeys", "Laptop at home")
	p.Press("passkeys", "Rename")
	p.Keys("\bNever mind\x1b")
	p.See("passkeys", "Laptop at home")

	// A passkey check in the middle of a deletion: at password level again, the deletion asks for it and carries on.
	p.act(`await stepkey.signIn(` + credentials + `)`)
	p.See("who", "Changes ask for your passkey first.")
	p.Press("passkeys", "Delete")
	p.dialog("Delete your last passkey?")
	p.Press("dialog", "Keep it")
	p.closed()
	p.Press("passkeys", "Delete")
	p.Press("dialog", "Delete passkey")
	p.dialog("Confirm it’s you")
	device.Present(false)
	p.Press("dialog", "Verify with a passkey")
	p.dialog("Follow your device")
	p.Press("dialog", "Stop")
	p.dialog("Verify with a passkey")
	device.Present(true)
	p.Press("dialog", "Verify with a passkey")
	p.said("Passkey deleted.")
	p.See("passkeys", "Skip the password next time.")
	p.See("level", "Password level")
	if held := device.Credentials(); len(held) != 0 {
		t.Errorf("the browser was not told: it still offers %d passkeys", len(held))
	}
}

// Two tabs are one session; of others, one is ended, then all; and a session that is ended elsewhere leaves the page.
func TestAccountSessions(t *testing.T) {
	p, _ := account(t, false)
	url := p.server.URL()
	for range 3 {
		post(t, url+"/auth/login", "", object{"username": "mira", "password": password, "refresh": "body"}, 201)
	}
	other, closeOther := p.Beside()
	defer closeOther()
	other.Go(url + "/account")
	other.See("sessions", "This device")
	other.Press("sessions", "End all others")
	other.dialog("End 3 other sessions?")
	other.Press("dialog", "Cancel")
	other.Press("sessions", "End\n")
	other.Wait("the row to go", `document.querySelectorAll("#sessions li").length === 3`)
	other.Press("sessions", "End all others")
	other.Press("dialog", "End all others")
	other.Wait("the rows to go", `document.querySelectorAll("#sessions li").length === 1`)

	answer := post(t, url+"/auth/login", "", object{"username": "mira", "password": password}, 201)
	token, _ := answer["accessToken"].(string)
	post(t, url+"/auth/logout/all", token, object{}, 200)
	p.expect("401 /account/recovery/codes", "401 /auth/refresh")
	p.Press("recovery", "Make codes")
	p.See("gate", "You have been signed out.")
	if name := Eval[string](p.Page, `document.getElementById("username").value`); name != "mira" {
		t.Errorf("the name in the form is %q", name)
	}
	other.See("gate", "Sign in")
	p.Type("password-now", password)
	p.Keys("\r")
	p.See("sessions", "This device")
	other.See("sessions", "This device")
}

func TestAccountRecoveryCodes(t *testing.T) {
	p, _ := account(t, true)
	p.expect("403 /account/recovery/codes")
	p.Press("recovery", "Make codes")
	p.Press("dialog", "Verify with a passkey")
	p.See("recovery", "Keep these now.")
	codes := Eval[[]string](p.Page, `[...document.querySelectorAll(".codes li")].map(li => li.textContent)`)
	if len(codes) != 10 || strings.Count(codes[0], "-") != 5 {
		t.Errorf("the codes are %q", codes)
	}
	p.See("recovery", "10 left.")
	p.Press("recovery", "Download")
	p.Press("recovery", "I have saved them")
	p.Wait("the codes to go", `!document.querySelector(".codes")`)
	p.Press("recovery", "Make new codes")
	p.dialog("The old ones stop working at once.")
	p.Press("dialog", "Cancel")
	p.closed()
}

func TestAccountPassword(t *testing.T) {
	p, _ := account(t, false)
	p.expect("403 /account/password", "400 /account/password")
	p.See("email", "This service sends no e-mail.")
	p.Press("password", "Change password")
	p.Type("current", "something else")
	p.Type("next", "another keyhole and stairs")
	p.Keys("\r")
	p.dialog("The current password is not right.")
	p.Type("current", password)
	p.Type("next", "short")
	p.Keys("\r")
	p.dialog("Use at least 8 characters.")
	p.Type("next", "another keyhole and stairs")
	p.Keys("\r")
	p.See("password", "All other sessions were ended.")
	post(t, p.server.URL()+"/auth/login", "", object{"username": "mira", "password": "another keyhole and stairs"}, 201)
}

// The newest come first, and more when they are asked for; a page that does not come can be asked for again.
func TestAccountActivity(t *testing.T) {
	p, _ := account(t, false)
	p.See("activity", "Signed in")
	if Eval[bool](p.Page, `!document.querySelector("#activity [data-id=more]").hidden`) {
		t.Error("more is offered where there is none")
	}
	for range 30 {
		post(t, p.server.URL()+"/auth/login", "", object{"username": "mira", "password": password}, 201)
	}
	p.Go(p.server.URL() + "/account")
	rows := func(shown, focused int, offered bool) {
		t.Helper()
		p.Wait(fmt.Sprintf("%d events", shown), fmt.Sprintf(`document.querySelectorAll("#activity li").length === %d`, shown))
		p.Wait("the offer of more", fmt.Sprintf(`document.querySelector("#activity [data-id=more]").hidden === %t`, !offered))
		if focused > 0 {
			p.Wait("the focus", fmt.Sprintf(`document.activeElement === document.querySelectorAll("#activity li")[%d]`, focused-1))
		}
	}
	rows(10, 0, true)
	p.act(`globalThis.honest = fetch; globalThis.fetch = () => Promise.reject(new TypeError())`)
	p.Press("activity", "Show more")
	p.Wait("the way to try again", `document.querySelector("#activity .tell button")`)
	rows(10, 0, true)
	p.act(`globalThis.fetch = honest`)
	p.Press("activity", "Try again")
	rows(30, 11, true)
	p.Press("activity", "Show more")
	rows(32, 31, false)
	if calls := Eval[int](p.Page, `performance.getEntriesByName(location.origin + "/account/export").length`); calls != 0 {
		t.Errorf("the whole export was loaded %d times", calls)
	}
}

func TestAccountDeletion(t *testing.T) {
	p, device := account(t, true)
	p.expect("401 /auth/logout", "401 /auth/refresh")
	p.See("activity", "Passkey added")
	p.Press("delete", "Delete account")
	p.Press("dialog", "Verify with a passkey")
	p.dialog("Delete this account?")
	p.Type("erase-name", "someone")
	p.Press("dialog", "Delete for good")
	p.dialog("This is not your username.")
	device.Present(false) // or its passkey would be offered at once
	p.Type("erase-name", "mira")
	p.Press("dialog", "Delete for good")
	p.See("gate", "Account deleted.")
	post(t, p.server.URL()+"/auth/login", "", object{"username": "mira", "password": password}, 401)
}

// No state of the page is objected to by axe, or wider than a small phone.
func TestAccountAccessible(t *testing.T) {
	source := axe(t)
	p, device := account(t, true)
	p.expect("403 /account/recovery/codes")
	look := func(state string) {
		t.Helper()
		p.accessible(source, state)
		p.Look(320, "light")
		if width := Eval[int](p.Page, `document.documentElement.scrollWidth`); width > 320 {
			t.Errorf("%s is %d px wide", state, width)
		}
	}
	p.See("activity", "Passkey added")
	look("account")
	p.Press("passkeys", "Rename")
	look("rename")
	p.Keys("\x1b")
	p.Press("passkeys", "Delete")
	p.dialog("Delete your last passkey?")
	look("delete")
	p.Press("dialog", "Keep it")
	p.Press("recovery", "Make codes")
	p.dialog("Confirm it’s you")
	look("step-up")
	p.Press("dialog", "Verify with a passkey")
	p.See("recovery", "Keep these now.")
	look("codes")
	p.Press("recovery", "I have saved them")
	p.Press("password", "Change password")
	p.dialog("New password")
	look("password")
	p.Press("dialog", "Cancel")
	device.Present(false)
	p.Press("top", "Sign out")
	p.See("gate", "Sign in with a passkey")
	look("sign-in")
}
