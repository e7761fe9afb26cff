package browser

import "testing"

// away has the server out of reach for whatever concerns a session, for as long as the tab says so, across reloads.
const away = `const send = fetch; window.fetch = async request => {
	if (sessionStorage.away && /\/auth\/(logout|refresh)$/.test(request.url)) throw new TypeError("library text");
	return send(request);
};`

func (p *tab) sessionsOf(token string) string {
	p.t.Helper()
	return p.run(`return String((await fetch("/auth/sessions", { headers: { Authorization: "Bearer ` + token + `" } })).status)`)
}

// Somebody who signs out while the server is away is told so, on a reload too, and is signed out once it is back.
func TestSignOutWhileTheServerIsAway(t *testing.T) {
	for _, test := range []struct{ page, place, in string }{
		{"/", "signin", "add"},
		{"/account", "gate", "account"},
	} {
		t.Run(test.page, func(t *testing.T) {
			p := client(t)
			p.expect("401 /auth/sessions")
			p.Before(away)
			token := p.run(enter + `return s.session.accessToken`)
			p.Go(p.server.URL() + test.page)
			p.See("level", "Password level")
			Eval[bool](p.Page, `sessionStorage.away = true`)
			page, cancel := p.Beside()
			beside := watch(t, p.server, page, cancel)
			beside.Go(p.server.URL() + test.page)
			beside.See("level", "Password level")
			p.Press("top", "Sign out")
			beside.See("level", "Signing out…")
			for _, when := range []string{"at once", "after a reload"} {
				p.See(test.place, "You are not signed out yet.")
				p.See("level", "Signing out…")
				p.accessible(axe(t), "a sign-out that waits, "+when)
				p.Go("about:blank")
				p.Go(p.server.URL() + test.page)
			}
			Eval[bool](p.Page, `delete sessionStorage.away`)
			p.See(test.place, "Now you are signed out.")
			p.See("level", "Signed out")
			beside.See("level", "Signed out")
			p.load()
			if status := p.sessionsOf(token); status != "401" {
				t.Errorf("the session answers %s on the server, want 401", status)
			}
			p.want(`return [await s.refresh(), s.signingOut]`, `[null,false]`)
		})
	}
}

// The client keeps a sign-out until the server knows of it. A sign-in meanwhile tells the server first and stays.
func TestClientSignOutWhileTheServerIsAway(t *testing.T) {
	p := client(t)
	p.expect("401 /auth/sessions")
	p.Before(away)
	p.load()
	token := p.run(enter + `return s.session.accessToken`)
	p.want(`sessionStorage.away = true; calls.splice(0); return s.signOut()`, "error unreachable: We can’t reach the server.")
	p.want(`return [s.session, s.signingOut]`, `[null,true]`)
	p.want(`return s.refresh()`, "error unreachable: We can’t reach the server.")
	p.made("POST /auth/logout", "POST /auth/logout")
	p.want(`delete sessionStorage.away; await s.signIn(`+credentials+`); return [s.session.claims.username, s.signingOut]`, `["mira",false]`)
	p.made("POST /auth/logout", "POST /auth/login")
	if status := p.sessionsOf(token); status != "401" {
		t.Errorf("the session from before answers %s, want 401", status)
	}
	p.want(`return (await s.refresh()).claims.username`, "mira")

	// A client that keeps its refresh token itself.
	p.want(`const own = createStepkey({ refresh: "body" }); await own.signIn(`+credentials+`); sessionStorage.away = true;
		window.held = own.session.accessToken; await own.signOut().catch(() => {});
		delete sessionStorage.away; const now = Date.now.bind(Date); Date.now = () => now() + 960000;
		const before = own.signingOut; await own.signOut(); return [before, own.signingOut, own.session]`, `[true,false,null]`)
	if status := p.sessionsOf(p.run(`return held`)); status != "401" {
		t.Errorf("the session of a client without a cookie answers %s, want 401", status)
	}
}
