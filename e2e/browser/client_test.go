package browser

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// client opens a page that does not use /stepkey.js itself, with the module as `s` and the calls it makes in `calls`.
func client(t *testing.T, settings ...string) *tab {
	t.Helper()
	p := start(t, settings...)
	p.load()
	return p
}

func (p *tab) load() {
	p.t.Helper()
	p.Go(p.server.URL() + "/docs")
	Eval[bool](p.Page, `import("/stepkey.js").then(module => {
		Object.assign(window, module, { s: module.default, calls: [], later: setTimeout });
		s.on = ({ request, ceremony }) => { calls.push(request ? request.method + " " + new URL(request.url).pathname : ceremony); };
		return true;
	})`)
}

// forgive drops the complaints that contain a text.
func (p *tab) forgive(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = slices.DeleteFunc(p.complaints, func(complaint string) bool { return strings.Contains(complaint, text) })
}

// run evaluates the body of an async function. An error that it throws comes back as "error KIND: SENTENCE".
func (p *tab) run(body string) string {
	p.t.Helper()
	return Eval[string](p.Page, `Promise.race([(async () => { `+body+` })(), new Promise((_, reject) => later(reject, 120000, "no end"))]).then(v => typeof v === "string" ? v : JSON.stringify(v) ?? "",
		e => e instanceof StepkeyError ? "error " + e.kind + ": " + e.message : "other " + e)`)
}

func (p *tab) want(body, want string) {
	p.t.Helper()
	if got := p.run(body); got != want {
		p.t.Errorf("%s\n\tyields %s\n\twant   %s", body, got, want)
	}
}

// made are the calls since the last time.
func (p *tab) made(want ...string) {
	p.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), Eval[[]string](p.Page, `calls.splice(0)`)); diff != "" {
		p.t.Errorf("calls (-want +got):\n%s", diff)
	}
}

const (
	credentials = `{ username: "mira", password: "` + password + `" }`
	enter       = `await s.signUp(` + credentials + `); await s.signIn(` + credentials + `);`
)

// expire makes the tab's clock a quarter of an hour and a minute fast.
const expire = `const now = Date.now.bind(Date); Date.now = () => now() + 960000;`

func TestClientStepsUpAndRepeats(t *testing.T) {
	p := client(t)
	p.expect("403 /users/histories", "403 /passkeys/register/options", "401 /auth/login")
	p.Authenticator(true)
	p.want(`await s.signUp(`+credentials+`); return s.session`, `null`)
	p.want(`return s.signIn({ username: "mira", password: "something else" })`, "error wrong_credentials: Username or password is not right.")
	p.want(`return (await s.signIn(`+credentials+`)).authLevel`, "password")
	p.want(`const made = await s.registerPasskey({ deviceName: "Laptop" }); return made.name + typeof made.id + made.credential.type`, "Laptopstringpublic-key")
	p.want(`return s.session.authLevel`, "full")
	p.want(`return (await s.signIn(`+credentials+`)).authLevel`, "password")
	p.want(`return s.registerPasskey()`, "error step_up_required: Verify a passkey, then try again.")
	p.made("POST /auth/signup", "POST /auth/login", "POST /auth/login",
		"POST /passkeys/register/options", "create", "POST /passkeys/register/verify", "POST /auth/login", "POST /passkeys/register/options")

	p.want(`return s.fetch("/users/histories", { stepUp: false })`, "error step_up_required: Verify a passkey, then try again.")
	p.made("GET /users/histories")
	p.want(`const [a, b] = await Promise.all([s.fetch("/users/histories"), s.fetch("/users/histories")]); return [a.status, b.status, s.session.authLevel]`, `[200,200,"full"]`)
	p.made("GET /users/histories", "GET /users/histories", "POST /passkeys/authenticate/options", "get",
		"POST /passkeys/authenticate/verify", "GET /users/histories", "GET /users/histories")
	p.want(`return (await s.stepUp({ action: { name: "payout", parameters: { amount: "5" } } })).expiresIn`, "60")
	p.want(`await s.signOut(); return s.session`, "null")
	if names := p.Cookies(); len(names) != 1 {
		t.Errorf("cookies after signing out: %v, want only that of the device", names)
	}
}

// A page can say why first; a user who gives up there gets the page's own reason.
func TestClientAsksThePageFirst(t *testing.T) {
	p := client(t)
	p.expect("403 /users/histories")
	p.Authenticator(true)
	p.run(enter + `await s.registerPasskey(); await s.signIn(` + credentials + `); calls.splice(0);`)
	p.want(`s.confirm = async (run, refusal) => { throw new StepkeyError("stopped", { refusal }); }; return s.fetch("/users/histories")`, "error stopped: Stopped.")
	p.made("GET /users/histories")
	p.want(`s.confirm = async () => {}; return s.fetch("/users/histories")`, "error step_up_required: Verify a passkey, then try again.")
	p.made("GET /users/histories", "GET /users/histories")
	p.want(`s.confirm = async run => { await run(); }; return (await s.fetch("/users/histories")).status`, "200")
}

// Services answer in several ways, all of RFC 9470 or RFC 9457; other answers are the caller's.
func TestClientReadsRefusals(t *testing.T) {
	p := client(t)
	p.Authenticator(true)
	p.run(enter + `await s.registerPasskey(); await s.stepUp();
		const send = fetch; window.seen = [];
		window.fetch = async request => {
			const { pathname } = new URL(request.url);
			if (pathname !== "/app") return send(request);
			seen.push([request.headers.get("Authorization") ? "token" : "none", await request.text()].join(" "));
			const [status, headers, body] = answers.shift() ?? [200, {}, "fine"];
			return new Response(body, { status, headers });
		};`)
	const (
		header  = `[401, { "WWW-Authenticate": 'Bearer error="insufficient_user_authentication", max_age=300' }, "x"]`
		problem = `[403, { "Content-Type": "application/problem+json" }, '{"code":"step_up_required","detail":"Verify."}']`
		action  = `[403, { "Content-Type": "application/problem+json", "WWW-Authenticate": 'Bearer error="insufficient_user_authentication"' }, '{"code":"action_required","detail":"Confirm."}']`
		other   = `[418, {}, "teapot"]`
		busy    = `[503, { "Content-Type": "application/problem+json", "Retry-After": "2" }, '{"code":"unavailable","detail":"Later."}']`
		post    = `s.fetch("/app", { method: "POST", body: "b" })`
		stream  = `s.fetch("/app", { method: "POST", duplex: "half", body: new Blob(["b"]).stream() })`
	)
	for _, c := range []struct{ what, answers, call, want, seen string }{
		{"a header", header, post, "200 fine", `["token b","token b"]`},
		{"a code", problem, post, "200 fine", `["token b","token b"]`},
		{"twice", problem + "," + problem, post, "error step_up_required: Verify.", `["token b","token b"]`},
		{"twice, without a problem document", header + "," + header, post, "401 x", `["token b","token b"]`},
		{"an action", action, post, "error action_required: Confirm.", `["token b"]`},
		{"a request", problem, `s.fetch(new Request("/app", { method: "POST", body: "b" }))`, "200 fine", `["token b","token b"]`},
		{"an answer of the service's", other, post, "418 teapot", `["token b"]`},
		{"busy", busy, post, "error unavailable: Later.", `["token b"]`},
		{"expired", `[401, {}, ""]`, post, "200 fine", `["token b","token b"]`},
		{"somebody else", problem, `s.fetch("https://other.example/app", { method: "POST", body: "b" })`, `403 {"code":"step_up_required","detail":"Verify."}`, `["none b"]`},
		{"one of ours elsewhere", other, `createStepkey({ origins: ["https://other.example"] }).fetch("https://other.example/app")`, "418 teapot", `["none "]`},
		{"a stream", problem, stream, "error unrepeatable: Send this again.", `["token b"]`},
		{"a stream that is let in", other, stream, "418 teapot", `["token b"]`},
	} {
		t.Run(c.what, func(t *testing.T) {
			got := p.run(`window.answers = [` + c.answers + `]; const r = await ` + c.call + `; return r.status + " " + await r.text();`)
			if seen := p.run(`return seen.splice(0)`); got != c.want || seen != c.seen {
				t.Errorf("%s after %s, want %s after %s", got, seen, c.want, c.seen)
			}
		})
	}
}

// A token that has expired is renewed before it is used, one that the server refuses after that.
func TestClientRefreshes(t *testing.T) {
	for _, mode := range []string{`"cookie"`, `"body"`} {
		t.Run(mode, func(t *testing.T) {
			p := client(t)
			p.expect("401 /users/profile", "401 /auth/refresh")
			p.run(`const { on } = s; s = createStepkey({ refresh: ` + mode + ` }); s.on = on;` + enter + `calls.splice(0); window.first = s.session.accessToken;` + expire)
			p.want(`const [a, b] = await Promise.all([s.fetch("/users/profile"), s.fetch("/users/profile")]); return [a.status, b.status, s.session.accessToken === first]`, `[200,200,false]`)
			p.made("POST /auth/refresh", "GET /users/profile", "GET /users/profile")
			p.want(`s.session.accessToken = "nothing"; return (await s.fetch("/users/profile")).status`, "200")
			p.made("GET /users/profile", "POST /auth/refresh", "GET /users/profile")
			p.run(`await fetch("/auth/logout/all", { method: "POST", headers: { Authorization: "Bearer " + s.session.accessToken } }); s.session.accessToken = "nothing";`)
			p.want(`return s.fetch("/users/profile")`, "error unauthorized: You have been signed out.")
			p.want(`return s.session`, "null")
		})
	}
}

func TestClientWithoutRefresh(t *testing.T) {
	p := client(t)
	p.run(`const { on } = s; s = createStepkey({ refresh: false }); s.on = on;` + enter)
	p.want(`const before = s.session; return [before.authLevel, await s.refresh() === before]`, `["password",true]`)
	p.made("POST /auth/signup", "POST /auth/login")
	for _, name := range p.Cookies() {
		if strings.Contains(name, "refresh") {
			t.Errorf("a session without refresh has the cookie %s", name)
		}
	}
}

// Two tabs whose token expires at the same moment share one rotation and what it yields; signing out ends both.
func TestClientTabsShareOneRefresh(t *testing.T) {
	first := client(t)
	first.run(enter)
	page, cancel := first.Beside()
	second := watch(t, first.server, page, cancel)
	second.load()
	second.want(`return (await s.refresh()).claims.username`, "mira")
	first.Wait("the token of the other tab", `s.session.claims.iat`)
	both := []*tab{first, second}
	for _, p := range both {
		p.run(expire + `calls.splice(0);`)
	}
	// Both begin before either can end: the lock is held until both wait for it.
	first.run(`await new Promise(held => navigator.locks.request("stepkey:", () => new Promise(done => { window.release = done; held(); })));`)
	for _, p := range both {
		p.run(`window.answer = s.fetch("/users/profile").then(r => r.status);`)
	}
	first.run(`while ((await navigator.locks.query()).pending.length < 2) await new Promise(done => later(done, 10)); release();`)
	var calls []string
	for _, p := range both {
		p.want(`return answer`, "200")
		calls = append(calls, Eval[[]string](p.Page, `calls.splice(0)`)...)
	}
	if rotations := strings.Count(strings.Join(calls, "\n"), "POST /auth/refresh"); rotations != 1 {
		t.Errorf("%d rotations, want 1: %q", rotations, calls)
	}
	if a, b := first.run(`return s.session.accessToken`), second.run(`return s.session.accessToken`); a != b {
		t.Error("the tabs have different tokens")
	}
	second.run(`s.onsession = session => { window.told = session; };`)
	first.run(`await s.signOut();`)
	second.Wait("the end of the session", `window.told === null && s.session === null`)
}

// answering has /app answer from `answers`, each a function of the request, and then with 200.
const answering = `const real = fetch; window.answers = [];
	window.fetch = async request => {
		if (new URL(request.url).pathname !== "/app") return real(request);
		return await answers.shift()?.(request) ?? new Response("fine");
	};
	window.refused = (status, code) => new Response(JSON.stringify({ code, detail: code }), { status, headers: { "Content-Type": "application/problem+json" } });`

// A request of one person is not repeated in the name of another who signs in meanwhile.
func TestClientRepeatsForTheSamePersonAlone(t *testing.T) {
	p := client(t)
	p.Authenticator(true)
	p.run(enter + `await s.registerPasskey();` + answering + `
		const noor = { username: "noor", password: "` + password + `" };
		await s.signUp(noor);
		window.swap = async () => { await createStepkey().signIn(noor); while (s.session.claims.username !== "noor") await new Promise(done => later(done, 10)); };`)
	for _, refusal := range []string{`refused(401, "unauthorized")`, `refused(403, "step_up_required")`} {
		p.want(`await s.signIn(`+credentials+`); let repeated = 0;
			answers.push(async () => { await swap(); return `+refusal+`; }, () => { repeated++; });
			const end = await s.fetch("/app", { method: "POST", body: "b" }).then(r => "status " + r.status, e => e.kind);
			answers.length = 0; return end + " " + repeated`, "unrepeatable 0")
	}
}

// A token that was renewed while the request was on its way raises nothing: the device is asked all the same.
func TestClientStepsUpAfterARefreshMeanwhile(t *testing.T) {
	p := client(t)
	p.Authenticator(true)
	p.run(enter + `await s.registerPasskey();` + answering + `calls.splice(0);`)
	p.want(`const refuse = () => refused(403, "step_up_required");
		answers.push(async () => { await s.refresh(); return refuse(); }, refuse);
		return (await s.fetch("/app")).status`, "200")
	p.made("GET /app", "POST /auth/refresh", "GET /app", "POST /passkeys/authenticate/options", "get", "POST /passkeys/authenticate/verify", "GET /app")
}

// A refresh that ends late brings back neither who has signed out nor who signed in before.
func TestClientForgetsALateRefresh(t *testing.T) {
	for what, meanwhile := range map[string]string{
		"signed out":             `await s.signOut();`,
		"somebody else signs in": `await s.signIn({ username: "noor", password: "` + password + `" });`,
	} {
		t.Run(what, func(t *testing.T) {
			p := client(t)
			p.run(`const { on } = s; s = createStepkey({ refresh: "body" }); s.on = on; await s.signUp({ username: "noor", password: "` + password + `" });` + enter + `
				const real = fetch; window.fetch = async request => {
					const response = await real(request);
					if (request.url.endsWith("/auth/refresh")) await new Promise(done => { window.release = done; });
					return response;
				};
				window.late = s.refresh(); while (!window.release) await new Promise(done => later(done, 10));` + meanwhile)
			p.want(`const before = s.session; release(); return [await late === before, s.session === before]`, `[true,true]`)
		})
	}
}

// Where the page's own code or the browser fails, refresh says so, and the next one works.
func TestClientRefreshAlwaysEnds(t *testing.T) {
	p := client(t)
	p.run(enter)
	p.want(`const { request } = LockManager.prototype; LockManager.prototype.request = () => Promise.reject(new DOMException("", "InvalidStateError"));
		const end = await Promise.race([s.refresh().catch(error => error.name), new Promise(done => later(done, 60000, "no end"))]);
		LockManager.prototype.request = request; return end + " " + (await s.refresh()).claims.username`, "InvalidStateError mira")
}

// A passkey that was made and then refused is nobody's: the device is told to drop it. One that may be stored, it keeps.
func TestClientDropsAPasskeyThatWasRefused(t *testing.T) {
	p := client(t)
	device := p.Authenticator(true)
	p.run(enter + `const real = fetch; window.fetch = async request =>
		request.url.endsWith("/passkeys/register/verify") ? new Response(JSON.stringify({ code: refusal }), { status: 403 }) : real(request);`)
	for code, dropped := range map[string]bool{
		"verification_failed": true, "step_up_required": true, "reauthentication_required": true, "too_many_passkeys": true,
		"passkey_exists": false, "challenge_expired": false, "internal": false, "rate_limited": false,
	} {
		p.want(`window.refusal = "`+code+`"; return s.registerPasskey().catch(error => error.kind)`, code)
		if left := len(device.Credentials()); (left == 0) != dropped { // there is one for the account at most
			t.Errorf("%s: %d passkeys on the device, want dropped: %t", code, left, dropped)
		}
	}
}

// The answer to a deletion names what is left, when the list no longer does: the session rested on what was deleted.
func TestClientTellsOfItsOwnPasskeyDeleted(t *testing.T) {
	p := client(t)
	device := p.Authenticator(true)
	p.want(enter+`const { id } = await s.registerPasskey(); await s.stepUp();
		await s.syncPasskeys(await s.call("DELETE", "/passkeys/" + id + "?last=true")); return ""`, "")
	if held := device.Credentials(); len(held) != 0 {
		t.Errorf("the device still offers %d passkeys", len(held))
	}
}

// A pick from the list that comes as a button ends the list signs nobody in: the button does.
func TestClientSignsInOnceWhereListAndButtonMeet(t *testing.T) {
	p := client(t)
	p.Authenticator(true)
	p.run(enter + `await s.registerPasskey(); await s.signOut(); calls.splice(0);
		const { get } = CredentialsContainer.prototype;
		CredentialsContainer.prototype.get = function ({ signal, mediation, ...rest }) {
			if (mediation !== "conditional") return get.call(this, { signal, ...rest });
			return new Promise(done => { window.open = true; signal.onabort = () => done(get.call(this, rest)); });
		};`)
	p.want(`const list = s.signInWithPasskey({ mediation: "conditional" });
		while (window.open !== true) await new Promise(done => later(done, 10));
		const [fromList, fromButton] = await Promise.all([list, s.signInWithPasskey()]);
		return [fromList, fromButton.authLevel, calls.filter(call => call.endsWith("/verify")).length]`, `[null,"full",1]`)
}

// A failure of the device becomes a kind and a sentence. The browser's own text is kept as the cause alone.
func TestClientNamesFailures(t *testing.T) {
	p := client(t)
	p.run(enter + `s.options = await s.call("POST", "/passkeys/register/options");`)
	for _, c := range [][3]string{
		{"NotAllowedError", "cancelled", "No passkey was used."},
		{"InvalidStateError", "exists", "This device is ready."},
		{"NotSupportedError", "unsuited", "This device cannot make a passkey we accept."},
		{"ConstraintError", "unverified", "This device cannot check it is you."},
		{"SecurityError", "address", "Passkeys do not work at this address."},
		{"UnknownError", "device", "Your device could not finish."},
		{"OperationError", "device", "Your device could not finish."},
		{"TimeoutError", "silent", "Your device did not answer."},
		{"DataError", "internal", "Something broke on our side."},
	} {
		p.want(fmt.Sprintf(`navigator.credentials.create = async () => { throw new DOMException("library text", %q); };
			return s.registerPasskey({ options: s.options }).catch(e => { if (e.cause.name !== %[1]q || e.rpId !== "localhost") throw "wrong cause"; throw e; })`, c[0]),
			"error "+c[1]+": "+c[2])
	}
	p.want(`document.hasFocus = () => false; navigator.credentials.create = async () => { throw new DOMException("", "NotAllowedError"); };
		return s.registerPasskey({ options: s.options })`, "error unfocused: Click here first.")
	p.want(`navigator.credentials.create = () => new Promise(() => {}); const stop = new AbortController(); setTimeout(() => stop.abort());
		return s.registerPasskey({ options: s.options, signal: stop.signal })`, "error stopped: Stopped.")
	p.want(`const later = setTimeout; window.setTimeout = (run, ms, ...rest) => later(run, ms > 300000 ? 1 : ms, ...rest);
		return s.registerPasskey({ options: s.options })`, "error silent: Your device did not answer.")
	p.want(`delete window.PublicKeyCredential; return s.registerPasskey({ options: s.options })`, "error unsupported: This browser cannot use passkeys.")
}

func TestClientOffline(t *testing.T) {
	p := client(t)
	p.run(enter)
	p.Offline(true)
	p.want(`return s.fetch("/users/profile")`, "error offline: You are offline.")
	p.want(`const stop = new AbortController(); stop.abort(); return s.fetch("/users/profile", { signal: stop.signal })`, "error stopped: Stopped.")
	p.Offline(false)
	p.want(`return (await s.fetch("/users/profile")).status`, "200")
	p.want(`window.fetch = async () => { throw new TypeError("library text"); }; return s.fetch("/users/profile")`,
		"error unreachable: We can’t reach the server.")
	p.forgive("net::ERR_INTERNET_DISCONNECTED")
}

// Nothing that a script of a later page could find is stored.
func TestClientStoresNoToken(t *testing.T) {
	p := client(t)
	p.run(enter)
	if got, want := p.run(`return { ...localStorage, ...sessionStorage, cookie: document.cookie }`), `{"stepkey:":"1","cookie":""}`; got != want {
		t.Errorf("stored: %s, want %s", got, want)
	}
	p.load()
	p.want(`const { username } = (await s.refresh()).claims; return username`, "mira")
	p.want(`await s.signOut(); return localStorage["stepkey:"]`, "")
	p.load()
	p.want(`return s.refresh()`, "null")
	p.made()
}

// A page that shows calls gets copies of them, and cannot change them.
func TestClientReportsCalls(t *testing.T) {
	p := client(t)
	p.run(`window.told = []; s.on = ({ request, ceremony }) => outcome => told.push([request?.method ?? ceremony, outcome.status ?? outcome.kind ?? outcome.type]);`)
	p.Authenticator(true)
	p.run(enter + `await s.registerPasskey(); navigator.credentials.get = async () => { throw new DOMException("", "UnknownError"); }; await s.stepUp().catch(() => {});`)
	var got [][]any
	if err := json.Unmarshal([]byte(p.run(`return told`)), &got); err != nil {
		t.Fatal(err)
	}
	want := [][]any{
		{"POST", 201.0},
		{"POST", 201.0},
		{"POST", 200.0},
		{"create", "public-key"},
		{"POST", 201.0},
		{"POST", 200.0},
		{"get", "device"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// A passkey alone signs in to full level, by a press and from the autofill list; one that the server has forgotten is
// refused, and the browser offers it no more.
func TestClientSignsInWithPasskey(t *testing.T) {
	p := client(t)
	p.expect("401 /passkeys/login/verify")
	device := p.Authenticator(true)
	p.run(enter + `await s.registerPasskey(); await s.stepUp(); await s.syncPasskeys(); await s.signOut(); calls.splice(0);`)
	p.want(`return (await s.signInWithPasskey()).authLevel`, "full")
	p.made("POST /passkeys/login/options", "get", "POST /passkeys/login/verify")
	p.want(`await s.signOut(); return (await s.signInWithPasskey({ mediation: "conditional" })).claims.username`, "mira")
	p.want(`await s.signOut(); return (await s.refresh())`, "null")

	device.Verified(false)
	p.want(`return s.signInWithPasskey()`, "error cancelled: No passkey was used.")
	p.want(`return s.signInWithPasskey({ mediation: "conditional" })`, "null")
	device.Verified(true)
	p.want(`await s.signInWithPasskey(); const { passkeys } = await (await s.fetch("/passkeys")).json();
		await s.call("DELETE", "/passkeys/" + passkeys[0].id + "?last=true"); await s.signOut(); return passkeys.length`, "1")
	p.want(`return s.signInWithPasskey()`, "error passkey_unknown: This passkey does not belong to any account here. Use another one, or the password.")
	if held := device.Credentials(); len(held) != 0 {
		t.Errorf("the device still offers %d passkeys that the server does not know", len(held))
	}
}
