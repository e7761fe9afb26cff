package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"

	"github.com/stepkey/stepkey/internal/pgtest"
)

// A first passkey takes a password from the last minutes: it is asked for, and what was begun goes on in a new session that
// takes the place of the old one.
func TestAccountAsksForThePasswordAgain(t *testing.T) {
	dsn := pgtest.NewDatabase(t)
	p, _ := account(t, false, "DATABASE_URL="+dsn)
	p.expect("403 /passkeys/register/options", "401 /auth/login")
	db, err := pgx.Connect(t.Context(), dsn+"&search_path=stepkey")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `UPDATE sessions SET password_at = password_at - interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Press("passkeys", "Add a passkey")
	p.dialog("This change needs your password from the last few minutes.")
	p.Keys("\r")
	p.dialog("Type your password.")
	p.Type("again", "something else")
	p.Keys("\r")
	p.dialog("This password is not right.")
	p.accessible(axe(t), "a wrong password, asked for again")
	p.Press("dialog", "Cancel")
	p.closed()
	p.said("Stopped.")
	p.Press("passkeys", "Add a passkey")
	p.dialog("This change needs your password")
	p.Type("again", password)
	p.Press("dialog", "Continue")
	p.dialog("It stays on your device")
	p.Press("dialog", "Make the new one")
	p.said("Passkey added.")
	p.act(`await stepkey.refresh()`)
	p.Wait("one session alone", `document.querySelectorAll("#sessions li").length === 1`)
}

// Recovery codes can be copied, and printed without the rest of the page; the page says so if copying fails.
func TestAccountKeepsRecoveryCodes(t *testing.T) {
	p, _ := account(t, true)
	p.expect("403 /account/recovery/codes")
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		p.call("allow "+name, func() error {
			_, err := chromedp.Call(p.ctx, browser.SetPermission, browser.SetPermissionParams{
				Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted,
				Origin: p.server.URL(), BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
			})
			return err
		})
	}
	p.Press("recovery", "Make codes")
	p.Press("dialog", "Verify with a passkey")
	p.See("recovery", "Keep these now.")
	codes := Eval[string](p.Page, `[...document.querySelectorAll(".codes li")].map(li => li.textContent).join("\n")`)
	p.Press("recovery", "Copy")
	p.See("recovery", "Copied.")
	if got := Eval[string](p.Page, `navigator.clipboard.readText()`); !strings.HasPrefix(got, "Stepkey recovery codes\nlocalhost:"+p.server.Port+" · mira · ") || !strings.HasSuffix(got, "\n\n"+codes+"\n") {
		t.Errorf("copied: %q, want whose they are, and the codes %q", got, codes)
	}
	p.Wait("the button as before", `[...document.querySelectorAll(".codes button")].some(b => b.textContent === "Copy")`)
	p.act(`Object.defineProperty(navigator.clipboard, "writeText", { value: () => Promise.reject(new DOMException("", "NotAllowedError")) })`)
	p.Press("recovery", "Copy")
	p.See("recovery", "Copying failed. Select the text instead.")

	p.act(`window.printed = 0; window.print = () => { window.printed++; }`)
	p.Press("recovery", "Print")
	p.Wait("the window for printing", `printed === 1`)
	p.Media("print", "prefers-color-scheme", "light")
	sheet := Eval[[]string](p.Page, `document.body.innerText.split("\n").map(line => line.trim()).filter(Boolean)`)
	if len(sheet) != 13 || sheet[0] != "Stepkey recovery codes" || !strings.Contains(sheet[1], "mira") || strings.Join(sheet[3:], "\n") != codes {
		t.Errorf("on paper: %q", sheet)
	}
	p.Media("screen", "prefers-color-scheme", "light")

	// Leaving the page asks first: the codes are shown this once. Then they are gone.
	if asks := Eval[bool](p.Page, `!dispatchEvent(new Event("beforeunload", { cancelable: true }))`); !asks {
		t.Error("the page would go without a word")
	}
	p.Press("recovery", "I have saved them")
	p.Wait("the codes to go", `!document.querySelector(".codes")`)
	if asks := Eval[bool](p.Page, `!dispatchEvent(new Event("beforeunload", { cancelable: true }))`); asks {
		t.Error("the page asks when there is nothing to keep")
	}
}

// Without a network nothing is lost: what was pressed says so, and works when it is pressed again.
func TestAccountOffline(t *testing.T) {
	p, _ := account(t, true)
	url := p.server.URL()
	post(t, url+"/auth/login", "", object{"username": "mira", "password": password, "refresh": "body"}, 201)
	p.act(`await stepkey.stepUp()`)
	p.Wait("two sessions", `document.querySelectorAll("#sessions li").length === 2`)
	p.Offline(true)
	p.Press("passkeys", "Rename")
	p.Keys("\bLaptop\r")
	p.See("passkeys", "You are offline.")
	p.Press("recovery", "Make codes")
	p.See("recovery", "You are offline.")
	p.Press("sessions", "End\n")
	p.See("sessions", "You are offline.")
	p.accessible(axe(t), "offline")
	p.Offline(false)
	p.Press("passkeys", "Try again")
	p.said("Renamed.")
	p.See("passkeys", "Laptop")
	p.Press("recovery", "Try again")
	p.See("recovery", "Keep these now.")
	p.Press("sessions", "Try again")
	p.Wait("one session", `document.querySelectorAll("#sessions li").length === 1`)
	p.forgive("net::ERR_INTERNET_DISCONNECTED")
}

// A section that did not load says so and loads when it is asked to.
func TestAccountSectionThatDoesNotLoad(t *testing.T) {
	p, _ := account(t, true)
	p.Before(`const send = fetch; window.fetch = async request => {
		if (!window.up && request.url.endsWith("/auth/sessions")) throw new TypeError("library text");
		return send(request);
	};`)
	p.Go(p.server.URL() + "/account")
	p.See("sessions", "We can’t load this.")
	p.See("passkeys", "Added today")
	p.act(`window.up = true`)
	p.Press("sessions", "Try again")
	p.See("sessions", "This device")
}

// Where a passkey alone lets nobody in, the gate does not speak of it.
func TestAccountPasskeyLoginOff(t *testing.T) {
	p, _ := account(t, true, "STEPKEY_PASSKEY_LOGIN=off")
	p.Press("top", "Sign out")
	p.said("Signed out.")
	p.See("gate", "Sign in")
	if got := Eval[string](p.Page, `document.querySelector("#signin").innerText`); strings.Contains(got, "passkey") {
		t.Errorf("the form says %q", got)
	}
	p.Type("username", "mira")
	p.Type("password-now", password)
	p.Keys("\r")
	p.See("passkeys", "Added today")
}

// stale has the next answer to a request for options be the one before, as if the page had been left open for too long.
const stale = `const send = fetch, before = {}; window.fetch = async request => {
	const response = await send(request);
	if (!/passkeys.*options$/.test(request.url) || !response.ok) return response;
	const options = await response.text(), old = window.stale && before[request.url];
	before[request.url] ??= options;
	window.stale &&= !old;
	return new Response(old || options, { status: 200 });
};` + lists

// A challenge that is used up, or too old, says so, and the next press gets another.
func TestAccountChallengeTooLate(t *testing.T) {
	p, _ := account(t, true)
	p.expect("400 /passkeys/authenticate/verify", "400 /passkeys/login/verify")
	p.Before(stale)
	p.Go(p.server.URL() + "/account")
	p.See("passkeys", "Added today")
	p.act(`await stepkey.stepUp(); await stepkey.signIn(` + credentials + `); window.stale = true;`)
	id := p.act(`return (await stepkey.call("GET", "/passkeys")).passkeys[0].id`)
	p.expect("403 /passkeys/" + id)
	p.See("who", "Changes ask for your passkey first.")
	p.Press("passkeys", "Rename")
	p.Keys("\bLaptop\r")
	p.dialog("Confirm it’s you")
	p.Press("dialog", "Verify with a passkey")
	p.dialog("That took too long.")
	p.Press("dialog", "Start again")
	p.said("Renamed.")

	// The same at the gate, with the options that were fetched ahead for the button.
	p.act(`window.unused = true`)
	for _, late := range []bool{false, true} {
		p.act(fmt.Sprintf(`window.stale = %t; window.lists = 0`, late))
		p.Press("top", "Sign out")
		p.Wait("the list, which comes after the options for the button", `lists === 1`)
		p.Press("gate", "Sign in with a passkey")
		if late {
			p.See("gate", "That took too long.")
			p.Press("gate", "Start again")
		}
		p.See("level", "Full level")
	}
	if tries := p.calls("/passkeys/login/verify"); tries != 3 {
		t.Errorf("%d tries at the gate, want 3: the second too late, the third with new options", tries)
	}
}
