package gate_test

import (
	"cmp"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stepkey/stepkey/e2e/browser"
	"github.com/stepkey/stepkey/e2e/front"
)

const password = "stairs and a keyhole"

// shown is a request as an app with pages got it.
type shown struct {
	line   string // method and target
	header http.Header
	amount string // what its form was filled in with
}

// pages is an app with pages, which knows nothing of Stepkey. It keeps a cookie of its own.
type pages struct {
	address string

	mu   sync.Mutex
	seen []shown
}

func startPages(t *testing.T) *pages {
	t.Helper()
	a := &pages{}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.address = server.Listener.Addr().String()
	return a
}

// ServeHTTP implements http.Handler.
func (a *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	line := r.Method + " " + r.RequestURI
	request := shown{line, r.Header.Clone(), r.PostFormValue("amount")}
	a.mu.Lock()
	a.seen = append(a.seen, request)
	a.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark&a=b", Path: "/"})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><html lang="en"><title>App</title><link rel="icon" href="data:,"><main>
<p id="at">%s</p><p id="who">%s, %s</p>
<a id="keys" href="/admin/keys?tab=2">Keys</a> <a id="sign-out" href="/_stepkey/sign-out">Sign out</a>
<form id="payout" method="post" action="/admin/payouts?from=1"><input id="amount" name="amount"><button>Pay</button></form></main>`,
		html.EscapeString(line), html.EscapeString(cmp.Or(r.Header.Get("X-Stepkey-Name"), "nobody")), html.EscapeString(r.Header.Get("X-Stepkey-Level")))
}

// requests returns what has arrived so far.
func (a *pages) requests() []shown {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.seen)
}

// posted returns the amounts of the forms that have arrived.
func (a *pages) posted() (amounts []string) {
	for _, request := range a.requests() {
		if strings.HasPrefix(request.line, http.MethodPost) {
			amounts = append(amounts, request.amount)
		}
	}
	return amounts
}

// visitor is a person with a browser and a device for passkeys.
type visitor struct {
	*browser.Page
	t        *testing.T
	portal   string // where Stepkey's pages are
	device   browser.Authenticator
	expected []string
}

// newVisitor starts Chromium. In the end it checks what the browser holds against the pages.
func newVisitor(t *testing.T, portal string, more ...chromedp.ExecAllocatorOption) *visitor {
	t.Helper()
	if browser.Executable() == "" {
		const message = "Chromium is missing; on Debian and Ubuntu: apt-get install chromium"
		if os.Getenv("CI") == "true" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	chrome, end, err := browser.Launch(filepath.Join(t.TempDir(), "profile"), more...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	page, closeTab := browser.Open(t, chrome)
	v := &visitor{Page: page, t: t, portal: portal, device: page.Authenticator(true)}
	t.Cleanup(func() {
		if left := page.Complaints(v.expected...); len(left) > 0 {
			t.Errorf("the browser complains:\n%s", strings.Join(left, "\n"))
		}
		closeTab()
	})
	return v
}

// expect names refusals, by status and path, that the test provokes.
func (v *visitor) expect(refusals ...string) { v.expected = append(v.expected, refusals...) }

// at waits until a page of Stepkey is there.
func (v *visitor) at(path string) {
	v.t.Helper()
	v.Wait(path, fmt.Sprintf(`location.origin + location.pathname === %q && document.readyState === "complete"`, v.portal+path))
}

// signUp makes an account on the way to an app, from the sign-in page, without a passkey.
func (v *visitor) signUp(name string) {
	v.t.Helper()
	v.at("/sign-in")
	v.Follow(`a[href*="sign-up"]`)
	v.at("/sign-up")
	v.Type("username", name)
	v.Type("password", password)
	v.Keys("\r")
	v.Press("offer", "Not now")
}

// signIn signs in on the way to an app.
func (v *visitor) signIn(name string) {
	v.t.Helper()
	v.at("/sign-in")
	v.Type("username", name)
	v.Type("password", password)
	v.Keys("\r")
}

// addPasskey adds a first one where one is needed, which verifies it.
func (v *visitor) addPasskey() {
	v.t.Helper()
	v.at("/verify")
	v.Press("offer", "Add a passkey")
	v.Happened("added")
}

// signOut signs out at an app. Nobody touches the device from then on: it would answer the list of passkeys at the username field
// of the next sign-in page, and sign in again.
func (v *visitor) signOut() {
	v.t.Helper()
	v.device.Present(false)
	v.Follow("#sign-out")
	v.Wait("the question", `location.pathname === "/_stepkey/sign-out"`)
	v.Follow("form button")
}

// hosts is a visitor of two apps on unrelated hosts, behind a proxy that asks Stepkey.
type hosts struct {
	*visitor
	server    *browser.Server
	app, shop *pages
}

// onHosts runs a test behind each proxy. In the end it checks what the apps got.
func onHosts(t *testing.T, test func(*hosts)) {
	t.Helper()
	certificate := front.NewCertificate(t, appHost, shopHost, authHost)
	for _, proxy := range proxies() {
		t.Run(proxy.name, func(t *testing.T) {
			h := &hosts{server: startForPages(t), app: startPages(t), shop: startPages(t)}
			s := &site{
				t: t, proxy: proxy.name, certificate: certificate, stepkey: "127.0.0.1:" + h.server.Port,
				apps: map[string]*app{"app": {address: h.app.address}, "shop": {address: h.shop.address}},
			}
			proxy.start(t, s)
			var at []string
			for _, name := range []string{appHost, shopHost, authHost} {
				at = append(at, fmt.Sprintf("MAP %s:443 %s", name, s.https))
			}
			// The browser takes the site's certificate for valid and no other bad one.
			h.visitor = newVisitor(t, "https://"+authHost, chromedp.Flag("host-resolver-rules", strings.Join(at, ", ")),
				chromedp.Flag("ignore-certificate-errors-spki-list", certificate.Pin))
			test(h)
			h.keepsCookies()
		})
	}
}

// startForPages starts Stepkey as the tutorial does, with the rules of the example and one more, about a group.
func startForPages(t *testing.T) *browser.Server {
	t.Helper()
	rules := filepath.Join(t.TempDir(), "rules.toml")
	const deny = `"deny      *       /internal/**",`
	front.WriteFile(t, rules, front.Replace(t, front.Read(t, examples+"rules.toml"), deny, deny+` "password * /reports/** group=finance",`))
	server, err := browser.Serve(program, t.TempDir(), "RP_ORIGIN=https://"+authHost, "STEPKEY_HOST=127.0.0.1", "STEPKEY_LIMITS=on",
		"STEPKEY_TRUSTED_PROXIES=127.0.0.1", "STEPKEY_RULES="+rules)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("stepkey wrote:\n%s", server.Log())
		}
		if err := server.Stop(); err != nil {
			t.Errorf("stop stepkey: %v", err)
		}
	})
	return server
}

// arrives waits until a page of an app is there, and checks that the app got this very target for that user and level.
func (h *hosts) arrives(address, who string) {
	h.t.Helper()
	h.Wait(address, fmt.Sprintf("location.href === %q && document.readyState === 'complete'", address))
	origin := browser.Eval[string](h.Page, "location.origin")
	h.See("at", "GET "+strings.TrimPrefix(address, origin))
	h.See("who", who)
}

// keepsCookies checks that no app got a cookie of Stepkey, and each got its own as it is.
func (h *hosts) keepsCookies() {
	h.t.Helper()
	own := 0
	for _, request := range slices.Concat(h.app.requests(), h.shop.requests()) {
		switch cookies := request.header["Cookie"]; {
		case slices.Equal(cookies, []string{"theme=dark&a=b"}):
			own++
		case strings.Join(cookies, "") != "":
			h.t.Errorf("an app got the cookies %q", cookies)
		}
	}
	if own == 0 {
		h.t.Error("no app got its own cookie")
	}
}

// One sign-in and one passkey are enough for all hosts, and one sign-out ends all.
func TestUnrelatedHosts(t *testing.T) {
	onHosts(t, func(h *hosts) {
		const deep, basket, keys = "https://" + appHost + "/orders?year=2026&q=a%20b", "https://" + shopHost + "/basket?x=1", "https://" + appHost + "/admin/keys?tab=2"
		h.Go(deep)
		h.signUp("mira")
		h.arrives(deep, "mira, password")
		h.Go(basket)
		h.arrives(basket, "mira, password")

		h.Go(deep)
		h.Follow("#keys")
		h.addPasskey()
		h.arrives(keys, "mira, full")
		h.Back()
		h.arrives(deep, "mira, ")
		h.Go("https://" + shopHost + "/admin")
		h.arrives("https://"+shopHost+"/admin", "mira, full")
		h.Happened()

		last := h.app.requests()
		header := last[len(last)-1].header
		if parts := strings.Count(header.Get("X-Stepkey-Assertion"), "."); parts != 2 {
			h.t.Errorf("X-Stepkey-Assertion is %q", header.Get("X-Stepkey-Assertion"))
		}

		h.expect("403 /reports/2026")
		h.Go("https://" + appHost + "/reports/2026")
		h.See("text", "Your account cannot open this page.")

		h.expect("401 /auth/refresh") // the pages do not know that the app ended the session
		h.Go(deep)
		h.signOut()
		h.at("/sign-in")
		h.Go(basket)
		h.at("/sign-in")
		h.Go("https://" + authHost + "/account")
		h.See("level", "Signed out")
		h.Go("https://" + appHost + "/public/")
		h.arrives("https://"+appHost+"/public/", "nobody")
	})
}
