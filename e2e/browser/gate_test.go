package browser

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"testing"
)

// gated is an application that knows nothing of Stepkey, behind `stepkey gate`.
func gated(t *testing.T) *signing {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		who := html.EscapeString(r.Header.Get("X-Stepkey-Name") + " " + r.Header.Get("X-Stepkey-Level"))
		fmt.Fprintf(w, `<!doctype html><html lang="en"><title>App</title><link rel="icon" href="data:,"><p id="who">%s at %s %s with %s</p>`,
			who, r.Method, html.EscapeString(r.URL.RequestURI()), html.EscapeString(r.FormValue("amount")))
		fmt.Fprint(w, `<form method="post" action="/payouts"><input id="amount" name="amount"><button id="pay">Pay</button></form><a id="sign-out" href="/_stepkey/sign-out">Sign out</a>`)
	}))
	t.Cleanup(app.Close)
	tab := startOn(t, func() (*Server, error) {
		return ServeGate(program, t.TempDir(), app.URL, `
[[app]]
origin = "http://localhost:PORT"
rules = ["password * /**", "full<10m * /payouts/**", "open GET /", "hardware * /vault", "deny * /closed"]
`)
	})
	return &signing{tab: tab}
}

// An application in any language gets sign-up, sign-in, step-up and sign-out without a line of code.
func TestGate(t *testing.T) {
	p := gated(t)
	p.Authenticator(true)
	p.See("who", "at GET / with")
	p.Go(p.server.URL() + "/reports?year=2026#/total")
	p.See("gate", "Sign in")
	p.Follow(`.ways a[data-carry]`)
	p.See("gate", "Create account")
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signup", "Create account")
	p.Press("offer", "Not now")
	p.See("who", "mira password at GET /reports?year=2026 with")
	p.Wait("the view that was asked for", `location.hash === "#/total"`)

	// The page that was asked for comes once a passkey is there.
	p.Go(p.server.URL() + "/payouts")
	p.Wait("the offer of a passkey", `location.pathname === "/_stepkey/verify" && document.getElementById("add")?.checkVisibility()`)
	p.Press("offer", "Add a passkey")
	p.See("who", "mira full at GET /payouts with")
	p.Go(p.server.URL() + "/payouts")
	p.See("who", "mira full at GET /payouts with")

	p.expect("401 /_stepkey/auth/refresh") // the page does not know that the application ended the session
	// A page for passkeys that are bound to hardware says so to somebody who has another one, and does not go in circles.
	p.Go(p.server.URL() + "/vault")
	p.See("notice", "bound to hardware")
	p.Follow(`#notice a`)
	p.Wait("the verify page", `location.pathname === "/_stepkey/verify" && document.getElementById("verify")?.checkVisibility()`)
	p.Press("gate", "Verify with a passkey")
	p.See("notice", "bound to hardware")
	p.accessible(axe(t), "a passkey that is not bound to hardware")

	// A form is posted once, after the verification that it waits for. A new sign-in takes the place of a day gone by.
	p.expect("403 /payouts")
	p.signInAgain()
	p.Go(p.server.URL() + "/reports")
	p.See("who", "mira password at GET /reports with")
	p.Type("amount", "5 & 6")
	p.Follow("#pay")
	p.Wait("the verify page", `location.pathname === "/_stepkey/verify" && document.getElementById("verify")?.checkVisibility()`)
	p.Press("gate", "Verify with a passkey")
	p.See("who", "mira full at POST /payouts with 5 & 6")
	p.Go(p.server.URL() + "/_stepkey/form")
	p.See("text", "Your form was sent.")

	p.Go(p.server.URL() + "/")
	p.Follow("#sign-out")
	p.Wait("the question", `location.pathname === "/_stepkey/sign-out" && document.querySelector("button")`)
	p.Follow(`button`)
	p.Wait("the way back", `location.pathname === "/" && document.readyState === "complete"`)
	p.Go("about:blank")
	p.Go(p.server.URL() + "/")
	if who := Eval[string](p.Page, `document.getElementById("who").innerText`); who != "at GET / with" {
		t.Errorf("after the sign-out: %q", who)
	}
	p.Go(p.server.URL() + "/reports")
	p.See("gate", "Sign in")
}

// The gate's own pages are as accessible as Stepkey's, and fit.
func TestGatePages(t *testing.T) {
	source := axe(t)
	p := gated(t)
	look := func(state, heading string) {
		t.Helper()
		p.Wait(state, fmt.Sprintf(`document.querySelector("h1")?.innerText === %q && document.readyState === "complete"`, heading))
		p.accessible(source, state)
		p.Look(320, "light")
		p.fits(state)
	}
	p.expect("403 /closed", "400 /a//b", "400 /_stepkey/finish?code=old", "403 /_stepkey/form")
	p.Go(p.server.URL() + "/closed")
	look("a page that is closed", "You have no access")
	p.Go(p.server.URL() + "/a//b")
	look("an address that cannot be read", "This address does not work")
	p.Go(p.server.URL() + "/_stepkey/finish?code=old")
	look("a sign-in that took too long", "This link no longer works")
	p.Go(p.server.URL() + "/_stepkey/form")
	look("a form that is not there", "Your form")
	p.Go(p.server.URL() + "/_stepkey/sign-out")
	look("the question at a sign-out", "Sign out?")
}

// signInAgain begins a new session at level password in place of the one there is.
func (p *signing) signInAgain() {
	p.t.Helper()
	p.Go(p.server.URL() + "/_stepkey/sign-in?prompt=login")
	p.Type("username", "mira")
	p.Type("password", password)
	p.Keys("\r")
	p.Wait("the account", `location.pathname === "/_stepkey/account" && document.readyState === "complete"`)
}
