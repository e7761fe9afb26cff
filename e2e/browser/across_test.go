package browser

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

// frontEnd serves a page of somebody else's, with its own copy of the client, and returns the port.
func frontEnd(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Shop</title><main>Shop</main>`)
	})
	mux.HandleFunc("GET /stepkey.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "../../webui/static/stepkey.js")
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: patience.Long}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// across is a page that uses a service on another origin. client is what it gives createStepkey.
type across struct {
	*tab
	page, service string
	client        string
}

// open loads the page anew, with the client as `s`.
func (p *across) open() {
	p.t.Helper()
	p.Go(p.page)
	Eval[bool](p.Page, `import("/stepkey.js").then(module => {
		Object.assign(window, module, { s: module.createStepkey(`+p.client+`), calls: [], later: setTimeout });
		s.on = ({ request, ceremony }) => { calls.push(request ? request.method + " " + request.url : ceremony); };
		return true;
	})`)
}

// crossing serves stepkey for a page at one host and itself at another, and opens that page. In settings and in client,
// PAGE and SERVICE stand for their origins.
func crossing(t *testing.T, pageHost, serviceHost, client string, settings ...string) *across {
	t.Helper()
	front := frontEnd(t)
	page := "http://" + pageHost + ":" + front
	var filled []string
	for _, setting := range settings {
		// Serve fills in PORT.
		filled = append(filled, strings.NewReplacer("PAGE", page, "SERVICE", "http://"+serviceHost+":PORT").Replace(setting))
	}
	p := &across{tab: start(t, filled...), page: page}
	p.service = "http://" + serviceHost + ":" + p.server.Port
	p.client = strings.NewReplacer("PAGE", p.page, "SERVICE", p.service).Replace(client)
	p.open()
	return p
}

// manual is docs/other-origin.md.
func manual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/other-origin.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documented are the settings that the manual shows, for passkeys of a domain, and more.
func documented(t *testing.T, rpID string, more ...string) []string {
	t.Helper()
	block := regexp.MustCompile("(?s)```sh\n(.*?)\n```").FindStringSubmatch(manual(t))
	if block == nil {
		t.Fatal("docs/other-origin.md shows no settings")
	}
	settings := strings.NewReplacer("https://login.example.com", "SERVICE", "https://app.example.com", "PAGE", "=example.com", "="+rpID).Replace(block[1])
	return append(strings.Split(settings, "\n"), more...)
}

// signUpAndIn makes an account with one passkey, at level password.
const signUpAndIn = enter + `await s.registerPasskey(); await s.signIn(` + credentials + `);`

// A page on another origin does everything that one of the service's own does.
func TestFrontEndOnAnotherOrigin(t *testing.T) {
	for _, c := range []struct{ what, page, service, rpID, mode string }{
		{"port, cookie", "localhost", "localhost", "localhost", "cookie"},
		{"port, body", "localhost", "localhost", "localhost", "body"},
		{"subdomain, cookie", "app.shop.localhost", "login.shop.localhost", "shop.localhost", "cookie"},
		{"subdomain, body", "app.shop.localhost", "login.shop.localhost", "shop.localhost", "body"},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := crossing(t, c.page, c.service, `{ base: "SERVICE", refresh: "`+c.mode+`" }`, documented(t, c.rpID)...)
			p.expect("403 /users/histories", "401 /auth/login", "401 /users/profile")
			device := p.Authenticator(true)
			p.want(`return s.signIn(`+credentials+`)`, "error wrong_credentials: Username or password is not right.")
			p.want(signUpAndIn+`return s.session.authLevel`, "password")
			p.run(`calls.splice(0)`)
			p.want(`return (await s.fetch("`+p.service+`/users/histories")).status + " " + s.session.authLevel`, "200 full")
			p.made("GET "+p.service+"/users/histories", "POST "+p.service+"/passkeys/authenticate/options", "get",
				"POST "+p.service+"/passkeys/authenticate/verify", "GET "+p.service+"/users/histories")
			p.want(`await s.syncPasskeys(); const { passkeys } = await s.call("GET", "/passkeys");
				return (await s.call("PATCH", "/passkeys/" + passkeys[0].id, { name: "Laptop" })).passkey.name`, "Laptop")

			// Scripts can read the headers.
			p.want(`const response = await fetch(s.session && "`+p.service+`/users/profile");
				return [response.status, response.headers.get("WWW-Authenticate"), /^[0-9a-f]{16}$/.test(response.headers.get("X-Request-Id"))]`, `[401,"Bearer",true]`)

			// A token that has expired is renewed.
			p.want(`const before = s.session.accessToken;`+expire+` return (await s.fetch("`+p.service+`/users/profile")).status + " " + (s.session.accessToken !== before)`, "200 true")

			p.open()
			p.want(`return (await s.refresh())?.claims.username`, map[string]string{"cookie": "mira", "body": ""}[c.mode])
			p.want(`return (await s.signInWithPasskey()).authLevel`, "full")
			p.want(`await s.signOut(); return s.session`, "null")
			p.open()
			p.want(`return s.refresh()`, "null")
			if held := device.Credentials(); len(held) != 1 || held[0].RpID != c.rpID {
				t.Errorf("the device holds %+v", held)
			}
		})
	}
}

// From a page of another site a session can be kept in memory, and not in the cookie.
func TestFrontEndOnAnotherSite(t *testing.T) {
	p := crossing(t, "app.localhost", "localhost", `{ base: "SERVICE", refresh: "body" }`, documented(t, "localhost")...)
	p.expect("401 /auth/refresh")
	p.want(enter+expire+`return (await s.fetch("`+p.service+`/users/profile")).status`, "200")
	p.open()
	p.want(`s = createStepkey({ base: "`+p.service+`", refresh: "cookie" }); return (await s.signIn(`+credentials+`)).claims.username`, "mira")
	p.want(`return s.refresh()`, "null")
}

// The client may be loaded from the service itself, and a slash at the end of the base does no harm.
func TestClientLoadedFromAnotherOrigin(t *testing.T) {
	p := crossing(t, "localhost", "localhost", `{ base: "SERVICE/", refresh: "body" }`, documented(t, "localhost")...)
	Eval[bool](p.Page, `import("`+p.service+`/stepkey.js").then(module => { window.s = module.createStepkey(`+p.client+`); return true; })`)
	p.want(`s.on = ({ request }) => { calls.push(request.url); }; `+enter+`return s.session.claims.username`, "mira")
	p.made(p.service+"/auth/signup", p.service+"/auth/login")
}

// A client that keeps its refresh token itself leaves the session alone that another page has in the cookie.
func TestBodyModeLeavesTheCookieAlone(t *testing.T) {
	p := crossing(t, "localhost", "localhost", `{ base: "SERVICE", refresh: "cookie" }`, documented(t, "localhost")...)
	p.run(enter)
	p.want(`const other = createStepkey({ base: "`+p.service+`", refresh: "body" }); await other.signIn(`+credentials+`);
		const first = other.session.accessToken; await other.refresh(); const renewed = other.session.accessToken !== first;
		await other.signOut(); return [renewed, other.session]`, `[true,null]`)
	p.open()
	p.want(`return (await s.refresh())?.claims.username`, "mira")
}

// Waiting is told in a header, which the page can read.
func TestFrontEndOnAnotherOriginIsToldToWait(t *testing.T) {
	p := crossing(t, "localhost", "localhost", `{ base: "SERVICE", refresh: "body" }`, documented(t, "localhost", "STEPKEY_LIMITS=on")...)
	p.expect("401 /auth/login", "429 /auth/login")
	p.run(`await s.signUp(` + credentials + `)`)
	p.want(`let error; for (let i = 0; i < 11; i++) error = await s.signIn({ username: "mira", password: "somebody guesses" }).catch(caught => caught);
		return [error.kind, error.retryAfter > 0]`, `["rate_limited",true]`)
}

// A page that is not listed gets no answer to read, and no session in the cookie.
func TestFrontEndThatIsNotListed(t *testing.T) {
	p := crossing(t, "localhost", "localhost", `{ base: "SERVICE", refresh: "cookie" }`, "RP_ORIGIN=SERVICE,PAGE", "STEPKEY_CORS_ORIGINS=https://app.example.com")
	p.want(`return s.signUp(`+credentials+`)`, "error unreachable: We can’t reach the server.")
	p.want(`return s.signInWithPasskey({ mediation: "conditional" })`, "error unreachable: We can’t reach the server.")
	p.forgive("CORS policy")
	p.forgive("net::ERR_FAILED")
}

// resourceServer runs the program that docs/other-origin.md shows, for a service and a page, and returns its origin.
func resourceServer(t *testing.T, service, page string) string {
	t.Helper()
	program := regexp.MustCompile("(?s)```go\n(.*?)```").FindStringSubmatch(manual(t))
	if program == nil {
		t.Fatal("docs/other-origin.md shows no program")
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "api")
	code := strings.NewReplacer("https://login.example.com", service, "https://app.example.com", page, "localhost:8080", "localhost:"+port).Replace(program[1])
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", binary, source)
	build.Dir = "../.." // the module of the packages that it imports
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	run := exec.Command(binary)
	output := new(strings.Builder)
	run.Stdout, run.Stderr = output, output
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Kill() // it is thrown away, however it ends
		_ = run.Wait()
		if t.Failed() {
			t.Logf("the resource server wrote:\n%s", output)
		}
	})
	origin := "http://localhost:" + port
	for end := time.Now().Add(patience.Long); ; time.Sleep(20 * time.Millisecond) {
		response, err := http.Get(origin + "/payouts")
		if err == nil {
			response.Body.Close()
			return origin
		}
		if time.Now().After(end) {
			t.Fatalf("the resource server does not answer: %v", err)
		}
	}
}

// A service of somebody else's on a third origin asks for a passkey, and the client steps up at the second and comes back.
func TestResourceServerOnAThirdOrigin(t *testing.T) {
	for _, mode := range []string{"cookie", "body"} {
		t.Run(mode, func(t *testing.T) {
			p := crossing(t, "localhost", "localhost", `{ base: "SERVICE", refresh: "`+mode+`", origins: ["API"] }`, documented(t, "localhost")...)
			api := resourceServer(t, p.service, p.page)
			p.client = strings.Replace(p.client, "API", api, 1)
			p.open()
			p.expect("401 /payouts", "403 /payouts", "403 /payouts?amount=5")
			p.Authenticator(true)
			p.want(`return (await s.fetch("`+api+`/payouts").catch(error => error)).kind`, "unauthorized")
			p.run(signUpAndIn + `calls.splice(0)`)
			p.want(`const error = await s.fetch("`+api+`/payouts", { stepUp: false }).catch(caught => caught);
				return [error.kind, error.status, error.stepUp, error.response.headers.get("WWW-Authenticate")]`,
				`["step_up_required",403,true,"Bearer error=\"insufficient_user_authentication\", acr_values=\"full\""]`)
			p.run(`calls.splice(0)`)
			p.want(`return await (await s.fetch("`+api+`/payouts")).text()`, "Hello, mira\n")
			p.made("GET "+api+"/payouts", "POST "+p.service+"/passkeys/authenticate/options", "get",
				"POST "+p.service+"/passkeys/authenticate/verify", "GET "+api+"/payouts")
			p.want(`const { actionToken } = await s.stepUp({ action: { name: "payout", parameters: { amount: "5" } } });
				const pay = headers => s.fetch("`+api+`/payouts?amount=5", { method: "POST", headers });
				return [(await pay({ "Stepkey-Action": actionToken })).status, await pay({}).catch(error => error.kind)]`, `[200,"action_required"]`)
			// A renewed token is taken there as well.
			p.want(`const before = s.session.accessToken;`+expire+` return (await s.fetch("`+api+`/payouts")).status + " " + (s.session.accessToken !== before)`, "200 true")
		})
	}
}
