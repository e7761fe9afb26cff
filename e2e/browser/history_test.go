package browser

import (
	"fmt"
	"testing"
)

// lists counts the lists of passkeys that were opened at a username field, and the other requests to the device as asks. With
// unused, nobody picks from a list.
const lists = `window.lists = window.asks = 0; const held = window.CredentialsContainer?.prototype ?? {}, ask = held.get; held.get = function (options) {
	const list = options.mediation === "conditional";
	list ? window.lists++ : window.asks++;
	if (!list || !window.unused) return ask.call(this, options);
	return new Promise((_, reject) => options.signal.addEventListener("abort", () => reject(options.signal.reason)));
};`

// counted counts the requests that are under way. A browser keeps no page that has some.
const counted = `window.underWay = 0; const counted = fetch; window.fetch = async request => {
	window.underWay++;
	try {
		const response = await counted(request);
		return new Response(await response.arrayBuffer(), response);
	} finally {
		window.underWay--;
	}
};`

// leave goes to another page of the service, does there what while says, and comes back with the browser's button to the page
// as it was left: out of the browser's back/forward cache, without loading it again. The page needs counted.
func (p *tab) leave(while func()) {
	p.t.Helper()
	p.Wait("the requests to end", `underWay === 0`)
	path := Eval[string](p.Page, `(window.left = true, location.pathname)`)
	p.Go(p.server.URL() + "/openapi.json")
	while()
	Eval[bool](p.Page, `(history.back(), true)`)
	p.Wait("the page as it was left", fmt.Sprintf(`location.pathname === %q && document.readyState === "complete" && window.left`, path))
}

// The browser's back button shows the session as it is now.
func TestBackButton(t *testing.T) {
	for path, loaded := range map[string]string{
		"/":        `document.querySelector("#add[aria-current=step]")`,
		"/account": `document.querySelector("#activity li")`,
	} {
		t.Run(path, func(t *testing.T) {
			keepPages(t)
			p := start(t)
			p.expect("401 /auth/refresh")
			p.Before(counted)
			p.signIn("mira")
			p.Go(p.server.URL() + path)
			p.Wait("the page", loaded)
			p.See("badge", "Password level")
			p.leave(func() {})
			// Coming back asks the server. A page that is left meanwhile has that answer before it when it is back.
			p.Wait("the refresh after coming back", `performance.getEntriesByName(location.origin + "/auth/refresh").length === 2`)
			p.See("badge", "Password level")
			p.leave(func() {
				answer := post(t, p.server.URL()+"/auth/login", "", object{"username": "mira", "password": password}, 201)
				token, _ := answer["accessToken"].(string)
				post(t, p.server.URL()+"/auth/logout/all", token, object{}, 200)
			})
			p.See("badge", "Signed out")
		})
	}
}

// The browser ends the list of passkeys when a page is left; it is there again afterwards.
func TestListIsThereAfterTheBackButton(t *testing.T) {
	for path, show := range map[string]func(*tab){
		"/":        func(p *tab) { p.Press("signup", "Sign in") },
		"/account": func(p *tab) { p.See("gate", "Sign in with a passkey") },
	} {
		t.Run(path, func(t *testing.T) {
			keepPages(t)
			p := client(t)
			device := p.Authenticator(true)
			p.run(enter + `await s.registerPasskey(); await s.signOut();`)
			device.Present(false)
			p.Before(counted + lists)
			p.Go(p.server.URL() + path)
			show(p)
			p.Wait("the list", `lists === 1`)
			p.leave(func() {})
			p.Wait("the list again", `lists === 2`)
			device.Present(true)
			p.leave(func() {})
			p.See("top", "Full level")
		})
	}
}
