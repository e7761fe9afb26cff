package browser

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fits says what is cut off, needs sideways scrolling, or is too small for a finger. A field scrolls what was typed.
func (p *tab) fits(state string) {
	p.t.Helper()
	if over := Eval[int](p.Page, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
		p.t.Errorf("%s is %d px too wide", state, over)
	}
	cut := Eval[[]string](p.Page, `[...document.querySelectorAll("body *")]
		.filter(e => !e.matches(".vh, .sk-vh, input") && e.checkVisibility() &&
			(e.scrollWidth > e.clientWidth + 1 && /hidden|clip/.test(getComputedStyle(e).overflowX) ||
			e.scrollHeight > e.clientHeight + 1 && /hidden|clip/.test(getComputedStyle(e).overflowY)))
		.map(e => e.tagName + "." + e.className)`)
	if len(cut) > 0 {
		p.t.Errorf("%s: cut off: %q", state, cut)
	}
	small := Eval[[]string](p.Page, `[...document.querySelectorAll("main .btn, header nav a, footer a")]
		.filter(b => b.checkVisibility() && !b.matches(".small") && b.getBoundingClientRect().height < 44).map(b => b.innerText)`)
	if len(small) > 0 {
		p.t.Errorf("%s: lower than 44 px: %q", state, small)
	}
}

// bounded says which controls have no edge, nor an underline, to be told from text where colours are the person's own.
func (p *tab) bounded(state string) {
	p.t.Helper()
	bare := Eval[[]string](p.Page, `[...document.querySelectorAll("button, input, .notice, dialog, .badge, .tag")]
		.filter(e => e.checkVisibility() && !e.matches(".vh, [type=checkbox]")) // the browser draws a checkbox with its own edge
		.filter(e => { const s = getComputedStyle(e); return s.borderTopStyle === "none" && s.borderLeftStyle === "none" && !/underline/.test(s.textDecorationLine); })
		.map(e => e.tagName + "." + e.className + " " + e.innerText)`)
	if len(bare) > 0 {
		p.t.Errorf("%s in forced colours: without an edge: %q", state, bare)
	}
	p.Keys("\t")
	if outline := Eval[string](p.Page, `getComputedStyle(document.activeElement).outlineStyle`); outline == "none" {
		p.t.Errorf("%s in forced colours: the focus is not seen", state)
	}
}

// eachLook takes the pages through their main states and has each looked at.
func eachLook(t *testing.T, look func(p *tab, state string)) {
	p, device := account(t, true)
	p.expect("403 /account/recovery/codes", "401 /auth/login")
	p.See("activity", "Passkey added")
	look(p, "/account")
	p.Press("passkeys", "Delete")
	p.dialog("Delete your last passkey?")
	look(p, "a dialog")
	p.Press("dialog", "Keep it")
	p.Press("recovery", "Make codes")
	p.Press("dialog", "Verify with a passkey")
	p.See("recovery", "Keep these now.")
	look(p, "recovery codes")
	p.Press("recovery", "I have saved them")
	device.Present(false)
	p.Press("top", "Sign out")
	p.Type("username", "mira")
	p.Type("password-now", "something else")
	p.Keys("\r")
	p.See("gate", "Username or password is not right.")
	look(p, "the gate")
	p.Go(p.server.URL())
	look(p, "the demo")
	p.Press("signup", "Sign in")
	p.Press("signin", "Sign in with a passkey")
	p.See("signin", "Follow your device")
	look(p, "waiting for the device")
	for _, page := range []string{"/docs", "/recover", "/reset-password"} {
		p.Go(p.server.URL() + page)
		look(p, page)
	}
}

// With text at twice its size, and with the spacing of WCAG 2.2 success criterion 1.4.12, everything is still there.
func TestLargeText(t *testing.T) {
	eachLook(t, func(p *tab, state string) {
		p.Look(1280, "light")
		Eval[bool](p.Page, `(document.documentElement.style.fontSize = "200%", true)`)
		p.fits(state + " with text at 200 %")
		Eval[bool](p.Page, `(() => {
			document.documentElement.style.fontSize = "";
			const spaced = new CSSStyleSheet();
			spaced.replaceSync("* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; } p { margin-bottom: 2em !important; }");
			document.adoptedStyleSheets = [spaced];
			return true;
		})()`)
		p.Look(320, "light")
		p.fits(state + " with text spread out")
		Eval[bool](p.Page, `(document.adoptedStyleSheets = [], true)`)
	})
}

func TestForcedColors(t *testing.T) {
	eachLook(t, func(p *tab, state string) {
		p.Look(1280, "light")
		p.Media("screen", "forced-colors", "active")
		p.bounded(state)
		p.Media("screen", "forced-colors", "none")
	})
}

// heard compares what a screen reader gets to read with what it should. No screen reader is run: this is what the browser
// gives to one.
func (p *tab) heard(state string, want ...string) {
	p.t.Helper()
	if diff := cmp.Diff(want, p.Heard()); diff != "" {
		p.t.Errorf("%s, as it is heard (-want +got):\n%s", state, diff)
	}
}

func TestAccountHeard(t *testing.T) {
	p, device := accountAtFull(t)
	p.expect("401 /auth/login")
	p.Look(1280, "light")
	p.See("activity", "Passkey added")
	top := []string{"link Skip to the content", "banner", "link Stepkey", "navigation Main", "link Demo", "link Account", "link API"}
	end := []string{"contentinfo", "link API reference", "navigation Language", "link English", "link Deutsch", "status"}
	page := func(more ...string) []string { return slices.Concat(top, more, end) }
	p.heard("/account", page(
		"button Sign out", "main", "navigation On this page",
		"link Passkeys", "link Sessions", "link Recovery codes", "link Password", "link E-mail", "link Recent activity", "link Delete account",
		"heading Your account",
		"region Passkeys", "heading Passkeys", "button Add a passkey", "list",
		"heading Chrome on Linux Used in this browser", "button Rename Chrome on Linux", "button Delete Chrome on Linux",
		"region Sessions", "heading Sessions", "list", "heading Chrome on Linux This device",
		"region Recovery codes", "heading Recovery codes", "button Make codes",
		"region Password", "heading Password", "button Change password",
		"region E-mail", "heading E-mail",
		"region Recent activity", "heading Recent activity", "button Download my data", "list",
		"region Delete account", "heading Delete account", "button Delete account")...)
	p.Press("passkeys", "Delete")
	p.heard("a dialog", "dialog Delete your last passkey?, modal", "form", "heading Delete your last passkey?", "button Keep it", "button Delete passkey")
	p.Press("dialog", "Keep it")
	device.Present(false)
	p.Press("top", "Sign out")
	p.See("gate", "Sign in with a passkey")
	gate := func(fields string) []string {
		return page("main", "heading Sign in", "form",
			"textbox Username"+fields, "textbox Password"+fields, "button Show password", "alert",
			"button Sign in", "button Sign in with a passkey",
			"link Create an account", "link Forgot your password?", "link I can’t use my passkey")
	}
	p.heard("the gate", gate("")...)
	p.Type("username", "mira")
	p.Type("password-now", "something else")
	p.Keys("\r")
	p.See("gate", "Username or password is not right.")
	p.heard("a refused password", gate(", invalid")...)
}

// Tab goes through the page in the order in which it is read, the focus is always seen, and nothing lies over it.
func TestAccountTabOrder(t *testing.T) {
	p, _ := account(t, true)
	p.Look(1280, "light")
	p.See("activity", "Passkey added")
	want := Eval[[]string](p.Page, `(window.stops = [...document.querySelectorAll("a[href], button, input")].filter(e => e.checkVisibility())).map(e => e.innerText.trim())`)
	for i, words := range want {
		p.Keys("\t")
		at := Eval[string](p.Page, fmt.Sprintf(`(() => {
			const a = document.activeElement, { left, top, width, height } = a.getBoundingClientRect();
			if (a !== stops[%d]) return "the focus is at " + a.outerHTML;
			if (getComputedStyle(a).outlineStyle === "none") return "the focus is not seen";
			const seen = document.elementFromPoint(left + width / 2, top + height / 2);
			return seen && (a.contains(seen) || seen.contains(a)) ? "" : "it is covered by " + seen?.outerHTML;
		})()`, i))
		if at != "" {
			t.Fatalf("Tab %d, %q: %s", i+1, words, at)
		}
	}
}

// still has a page keep what moves in it, and gives it all the time it needs: the pages wait two seconds before they show grey rows
// instead, and four before they show what may still change.
const still = `const soon = setTimeout; window.setTimeout = (act, ms, ...more) => soon(act, ms === 2000 ? 60000 : ms, ...more);
	const still = new CSSStyleSheet(); still.replaceSync(".unsettled { animation: none !important; }"); document.adoptedStyleSheets = [still];
	window.shifts = []; new PerformanceObserver(list => { for (const { value, sources } of list.getEntries())
		shifts.push(value.toFixed(3) + " " + sources.map(({ node }) => node?.id || node?.className || node?.nodeName)); }).observe({ type: "layout-shift", buffered: true });`

// Nothing that has been seen moves while a page loads, on a slow network neither, and also when it finds a session (Layout
// Instability API).
func TestNothingJumps(t *testing.T) {
	p := start(t)
	p.Before(still)
	calm := func(state string, pages map[string]string) {
		for path, loaded := range pages {
			for _, latency := range []time.Duration{0, 300 * time.Millisecond} {
				for _, width := range []int64{320, 1280} {
					p.Look(width, "light")
					p.Go("about:blank")
					p.Latency(latency)
					p.Go(p.server.URL() + path)
					p.Wait("the page", loaded+` && document.querySelector("main").checkVisibility({ visibilityProperty: true })`)
					Eval[bool](p.Page, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => soon(done, 50, true))))`)
					if shifts := Eval[[]string](p.Page, `shifts`); len(shifts) > 0 {
						t.Errorf("%s, %s, %d px, %v: %q", path, state, width, latency, shifts)
					}
					p.Latency(0)
				}
			}
		}
	}
	calm("signed out", map[string]string{
		"/demo":             `!document.querySelector(".unsettled")`,
		"/account":          `!document.getElementById("by-passkey").hidden`,
		"/sign-in":          `!document.getElementById("by-passkey").hidden`,
		"/sign-up":          `!document.getElementById("gate").hidden`,
		"/recover":          `!document.forms.signin.hidden`,
		"/reset-password":   `document.querySelector("form:not([hidden])")`,
		"/not-me#token":     `!document.forms.act.hidden`,
		"/invitation#token": `!document.getElementById("gate").hidden`,
		"/docs":             `document.getElementById("here").textContent.startsWith("http")`,
		"/docs#logIn":       `document.querySelector(".operation[open]")`,
	})
	p.load()
	p.Authenticator(true)
	p.run(enter + `await s.registerPasskey(); await s.stepUp();`)
	calm("signed in", map[string]string{
		"/":        `document.querySelector("#open[aria-current=step]")`,
		"/account": `document.querySelector("#activity li")`,
		"/recover": `!document.forms.signin.hidden`,
	})
}
