package browser

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/stepup/web"
)

// visit opens a tab for an app that uses the pages of stepup/web.
func visit(t *testing.T) (*tab, *shop) {
	t.Helper()
	if chrome == nil {
		const message = "Chromium is missing; on Debian and Ubuntu: apt-get install chromium"
		if os.Getenv("CI") == "true" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	s := serveShop(t)
	page, cancel := Open(t, chrome)
	p := &tab{Page: page, t: t, expected: []string{"401 /pay", "401 /pay#part"}}
	for _, call := range []string{"begin", "finish", "add/begin", "add/finish", "codes", "recover"} {
		p.expect("403 /_stepkey/" + call)
	}
	t.Cleanup(func() {
		if left := page.Complaints(p.expected...); len(left) > 0 {
			t.Errorf("the browser complains:\n%s", strings.Join(left, "\n"))
		}
		cancel()
	})
	return p, s
}

// enrolled is visit with a passkey for the person, on the device that the tab has.
func enrolled(t *testing.T) (*tab, *shop, Authenticator) {
	t.Helper()
	p, s := visit(t)
	device := p.Authenticator(true)
	s.set(func() { s.page.State = web.StateEnrol })
	p.Go(s.url + "/_stepkey/verify?p=payout&next=/")
	p.Press("stepkey", "Add a passkey")
	p.See("stepkey", "Your passkey is ready.")
	s.set(func() { s.page.State = web.StateVerify })
	return p, s, device
}

// inDialog is the expression for an element in the dialog that the script opened.
func inDialog(selector, words string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("body > div")].map(host => host.shadowRoot).filter(Boolean).flatMap(root => [...root.querySelectorAll(%q)])
		.find(e => e.checkVisibility() && e.textContent.includes(%q))`, selector, words)
}

func (p *tab) seeDialog(words string) {
	p.t.Helper()
	p.Wait("a dialog with "+words, inDialog("dialog", words))
}

func (p *tab) pressDialog(words string) {
	p.t.Helper()
	button := inDialog("button", words)
	p.Wait("the button "+words, button)
	at := Eval[[]float64](p.Page, `(b => { b.scrollIntoView({ block: "center" }); const r = b.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })(`+button+`)`)
	p.do("press "+words, chromedp.MouseClickXY(at[0], at[1]))
}

func (p *tab) noDialog() {
	p.t.Helper()
	p.Wait("no dialog", `!(`+inDialog("dialog", "")+`)`)
}

// prove presses the button of the page for a purpose, once its script runs.
func (p *tab) prove() {
	p.t.Helper()
	p.Wait("the page for the purpose", `document.readyState === "complete" && document.querySelector("#stepkey")`)
	p.Press("stepkey", "Verify with a passkey")
}

// A person follows a link to a part of a page, adds a passkey, verifies it and is there.
func TestStepUpPage(t *testing.T) {
	p, s := visit(t)
	p.Authenticator(true)
	s.set(func() { s.page.State = web.StateEnrol })
	p.Go(s.url)
	Eval[bool](p.Page, `(document.querySelector("a").click(), true)`)
	p.Wait("the page", `document.readyState === "complete" && document.querySelector("#stepkey")`)
	p.See("stepkey", "This needs a passkey")
	p.Press("stepkey", "Add a passkey")
	p.prove()
	p.Wait("the page asked for, with its fragment", `location.pathname + location.hash === "/payouts#tab2" && document.title === "Payouts"`)
	if n := Eval[int](p.Page, `history.length`); n != 3 { // about:blank, the shop, the payouts
		t.Errorf("%d entries in the history, want 3", n)
	}
}

// A session that the app loses on the way would lead back to the page each time. The page says so at the second time.
func TestStepUpPageComesAgain(t *testing.T) {
	p, s, _ := enrolled(t)
	s.set(func() { s.forgets = true })
	p.Go(s.url + "/")
	Eval[bool](p.Page, `(document.querySelector("a").click(), true)`)
	p.Wait("the page", `document.readyState === "complete" && document.querySelector("#stepkey")`)
	const told = "this page was asked for again"
	if has := Eval[bool](p.Page, `document.querySelector("#stepkey").textContent.includes("`+told+`")`); has {
		t.Error("it says so at the first time")
	}
	p.Press("stepkey", "Verify with a passkey")
	p.See("stepkey", told)
	s.set(func() { s.forgets = false })
	p.Press("stepkey", "Verify with a passkey")
	p.Wait("the page of the app", `document.title === "Payouts"`)
}

// Somebody who was sent to the page from elsewhere is taken on by a press alone.
func TestStepUpPageWaitsForThoseSentByOthers(t *testing.T) {
	p, s, _ := enrolled(t)
	p.Go("about:blank")
	p.Go(s.url + "/payouts#tab2")
	p.prove()
	p.See("stepkey", "Verified.")
	if at := Eval[string](p.Page, `location.pathname`); at != "/_stepkey/verify" {
		t.Errorf("without a press the page is at %s", at)
	}
	p.Press("stepkey", "Continue")
	p.Wait("the page asked for", `location.pathname + location.hash === "/payouts#tab2"`)
}

func TestStepUpPageStaysHere(t *testing.T) {
	p, s, _ := enrolled(t)
	for _, next := range []string{"//evil.example/", `/\evil.example`, "https://evil.example/", "/\t/evil.example", "javascript:alert(1)", ""} {
		s.set(func() { s.proved = false })
		p.Go("about:blank")
		p.Go(s.url + "/_stepkey/verify?p=payout&next=" + url.QueryEscape(next))
		p.prove()
		p.Press("stepkey", "Continue")
		p.Wait("the shop", `document.title === "Shop"`)
		if at := Eval[string](p.Page, `location.href`); at != s.url+"/" {
			t.Errorf("next %q leads to %s", next, at)
		}
	}
}

func TestStepUpPaths(t *testing.T) {
	p, s := visit(t)
	p.Go(s.url)
	for next, want := range map[string]string{
		"/": "/", "/a?b=c#d": "/a?b=c#d", "/%09/evil": "/%09/evil", "/a//b": "/a//b", `/a\b`: `/a\b`, "/é": "/é",
		"/" + strings.Repeat("a", 2047): "/" + strings.Repeat("a", 2047), "/" + strings.Repeat("a", 2048): "null",
		"": "null", "a": "null", "//evil.example": "null", `/\evil.example`: "null", "/\t/evil.example": "null", "/\n/evil.example": "null",
		"/a\r\nb": "null", "\t/a": "null", "https://evil.example/": "null", "javascript:alert(1)": "null", `\/evil.example`: "null", "/\x00": "null",
	} {
		if got := Eval[string](p.Page, fmt.Sprintf(`import("/sources/path.js").then(m => String(m.localPath(%s)))`, quoted(next))); got != want {
			t.Errorf("localPath(%q) = %q, want %q", next, got, want)
		}
	}
	for call, want := range map[string]string{
		`m.withFragment("/a?b", "#c")`: "/a?b#c", `m.withFragment("/a#b", "#c")`: "/a#c", `m.withFragment("//evil", "#c")`: "/#c",
		`m.localPath(undefined)`: "null",
	} {
		if got := Eval[string](p.Page, `import("/sources/path.js").then(m => String(`+call+`))`); got != want {
			t.Errorf("%s = %q, want %q", call, got, want)
		}
	}
}

// quoted is a string of Go as one of JavaScript.
func quoted(text string) string {
	var b strings.Builder
	for _, r := range text {
		fmt.Fprintf(&b, `\u{%x}`, r)
	}
	return `"` + b.String() + `"`
}

// A form arrives byte for byte as it would have arrived without the page between.
func TestStepUpPostsTheFormAgain(t *testing.T) {
	p, s, _ := enrolled(t)
	const fields = `[["submit","1"],["action","/elsewhere"],["method","get"],["append",""],["elements","x"],["item","a"],["item","b"],["item","a"],` +
		`["empty",""],["","nameless"],["lines","one\r\ntwo\r\n\r\n"],["signs","&=+%20 ü€😀\"<>"],["_charset_","x"],["requestSubmit","y"],["id","z"]]`
	send := func() string {
		p.Go(s.url + "/form?fields=" + url.QueryEscape(fields))
		p.Press("form", "Send")
		if !s.isProved() {
			p.prove()
		}
		p.Wait("the payment", `document.title === "Paid"`)
		if at := Eval[string](p.Page, `location.pathname + location.hash`); at != "/pay#part" {
			t.Errorf("the form arrives at %s", at)
		}
		return has(s, func() string { return s.paid[len(s.paid)-1] })
	}
	again := send()
	direct := send()
	if diff := cmp.Diff(strings.Split(direct, "&"), strings.Split(again, "&")); diff != "" {
		t.Errorf("the form posted again (-direct +again):\n%s", diff)
	}
	if got := has(s, func() int { return len(s.paid) }); got != 2 {
		t.Errorf("%d payments, want 2", got)
	}
}

// A page that the browser's button brings back as it was asks the server anew.
func TestStepUpPageAfterTheBackButton(t *testing.T) {
	keepPages(t)
	p, s, _ := enrolled(t)
	p.Before(`addEventListener("pageshow", event => { if (event.persisted) sessionStorage.cached = 1; });`)
	p.Go(s.url + "/_stepkey/verify?p=payout&next=/")
	p.See("stepkey", "Verify with a passkey")
	s.set(func() { s.page.State = web.StateNothing })
	p.Go(s.url)
	p.Back()
	p.Wait("the page as it is now", `sessionStorage.cached && document.querySelector("#stepkey")?.dataset.state === "nothing"`)
	s.set(func() { s.page.State = web.StateVerify })

	// One that keeps a form is left out: the button leads to the page that the form was on.
	p.Go(s.url + `/form?fields=[["a","b"]]`)
	p.Press("form", "Send")
	p.prove()
	p.Wait("the payment", `document.title === "Paid"`)
	p.Back()
	p.Wait("the page that the form was on", `document.title === "Form" && document.referrer`)
	if paid := has(s, func() []string { return s.paid }); len(paid) != 1 {
		t.Errorf("paid %q, want one payment", paid)
	}
}

// Who gives up reads so, and the button offers another try.
func TestStepUpPageTriesAgain(t *testing.T) {
	p, s, device := enrolled(t)
	p.Go("about:blank")
	p.Go(s.url + "/payouts")
	device.Verified(false)
	p.prove()
	p.See("stepkey", "No passkey was used.")
	p.Wait("the focus on the button", `document.activeElement.innerText === "Try again"`)
	device.Verified(true)
	device.Present(false)
	p.Press("stepkey", "Try again")
	p.See("stepkey", "Follow your device.")
	p.Press("stepkey", "Stop")
	p.See("stepkey", "Stopped.")
	p.Press("stepkey", "Try again")
	p.See("stepkey", "Follow your device.")
	p.Keys("\x1b")
	p.See("stepkey", "Stopped.")
	device.Present(true)
	for code, words := range map[string]string{
		"challenge_expired": "That took too long.", "verification_failed": "This passkey did not work.", "rate_limited": "Too many tries.",
		"something_new": "Words of the server.", "passkey_waits": "It works from 3 Sept 2026",
	} {
		s.set(func() {
			s.refuse["begin"] = map[string]any{"code": code, "detail": "Words of the server.", "usableFrom": "2026-09-03T12:00:00Z"}
		})
		p.Press("stepkey", "Try again")
		p.See("stepkey", words)
	}
	p.Press("stepkey", "Try again")
	p.See("stepkey", "Verified.")
}

func TestStepUpPageOnAnotherDevice(t *testing.T) {
	p, s, device := enrolled(t)
	device.Remove()
	p.Authenticator(true)
	p.Go(s.url + "/payouts")
	p.prove()
	p.See("stepkey", "none was found here")
	p.See("stepkey", "Try again")
}

func TestStepUpPageWithoutWebAuthn(t *testing.T) {
	p, s := visit(t)
	p.Before(`delete window.PublicKeyCredential;`)
	for _, state := range []web.State{web.StateVerify, web.StateEnrol, web.StateOffer} {
		s.set(func() { s.page.State = state })
		p.Go(s.url + "/_stepkey/verify?p=payout&next=/payouts")
		p.See("stepkey", "This browser cannot use passkeys.")
		if shown := Eval[bool](p.Page, `[...document.querySelectorAll("[data-do=verify],[data-do=add]")].some(b => b.checkVisibility())`); shown {
			t.Errorf("%s: there is a button that cannot work", state)
		}
	}
	p.Press("stepkey", "Not now")
	p.Wait("the page asked for", `location.search.includes("next=%2Fpayouts")`)
	p.Go(s.url + "/account")
	p.Wait("the words", `document.querySelector(".stepkey-manage").innerText.includes("This browser cannot use passkeys.")`)
}

func TestStepUpInPlaceWithoutWebAuthn(t *testing.T) {
	p, s, _ := enrolled(t)
	p.Before(`delete window.PublicKeyCredential;`)
	p.inPage(s, "")
	Eval[bool](p.Page, `(window.end = `+pays+`, true)`)
	p.pressDialog("Verify with a passkey")
	p.seeDialog("This browser cannot use passkeys.")
}

func TestStepUpPageRecovers(t *testing.T) {
	p, s, device := enrolled(t)
	device.Remove()
	p.Authenticator(true)
	s.set(func() { s.page.RecoveryCodes = true })
	p.Go("about:blank")
	p.Go(s.url + "/payouts")
	Eval[bool](p.Page, `(document.querySelector("summary").click(), true)`)
	p.Type("stepkey-code", "wrong-code")
	p.Press("stepkey", "Use code")
	p.See("stepkey", "This code is not right")
	p.Type("stepkey-code", "right-code")
	p.Press("stepkey", "Use code")
	p.See("stepkey", "Code accepted.")
	p.Press("stepkey", "Add a passkey")
	p.prove()
	p.Press("stepkey", "Continue")
	p.Wait("the page asked for", `document.title === "Payouts"`)
}

// inPage opens a page of the app and has the script's exports as s.
func (p *tab) inPage(s *shop, before string) {
	p.t.Helper()
	p.Go(s.url)
	Eval[bool](p.Page, `(() => { window.calls = []; `+before+`; return import("/_stepkey/stepup.js?own").then(m => { window.s = m; return true; }); })()`)
}

const pays = `s.fetch("/pay", { method: "POST", body: "b" }).then(r => r.status + "", e => e.name + " " + e.kind)`

func TestStepUpInPlace(t *testing.T) {
	p, s, device := enrolled(t)
	p.inPage(s, "")
	Eval[bool](p.Page, `(document.querySelector("a").focus(), window.all = Promise.all([1, 2, 3].map(() => `+pays+`)), true)`)
	p.seeDialog("Pay out")
	device.Verified(false)
	p.pressDialog("Verify with a passkey")
	p.seeDialog("No passkey was used.")
	device.Verified(true)
	p.pressDialog("Try again")
	if got := Eval[string](p.Page, `all.then(String)`); got != "200,200,200" {
		t.Errorf("three requests at once end with %s", got)
	}
	if begun, paid := has(s, func() int { return s.begun }), has(s, func() int { return len(s.paid) }); begun != 2 || paid != 3 { // one was cancelled
		t.Errorf("%d ceremonies and %d payments, want 2 and 3", begun, paid)
	}
	if at := Eval[string](p.Page, `document.activeElement.tagName`); at != "A" {
		t.Errorf("afterwards the focus is on %s", at)
	}
	if got := Eval[string](p.Page, `s.ensure("payout").then(String)`); got != "undefined" {
		t.Errorf("ensure yields %s", got)
	}
	p.noDialog()

	s.set(func() { s.proved = false })
	Eval[bool](p.Page, `(window.all = Promise.all([1, 2].map(() => `+pays+`)), true)`)
	p.seeDialog("Pay out")
	p.pressDialog("Cancel")
	if got := Eval[string](p.Page, `Promise.race([all.then(String), new Promise(done => setTimeout(done, 20000, "a second dialog"))])`); got != "StepUpError cancelled,StepUpError cancelled" {
		t.Errorf("giving up ends with %s", got)
	}
	Eval[bool](p.Page, `(window.end = `+pays+`, true)`)
	p.seeDialog("Pay out")
	s.set(func() { s.user = "noor" })
	p.pressDialog("Verify with a passkey")
	if got := Eval[string](p.Page, `end`); got != "StepUpError otherUser" {
		t.Errorf("with another user, the request ends with %s", got)
	}
	if paid := has(s, func() int { return len(s.paid) }); paid != 3 {
		t.Errorf("%d payments, want 3", paid)
	}
}

func TestStepUpInPlaceWithoutAPasskey(t *testing.T) {
	p, s := visit(t)
	p.inPage(s, "")
	Eval[bool](p.Page, `(window.end = `+pays+`, true)`)
	p.seeDialog("You have no passkey yet.")
	if href := Eval[string](p.Page, `(`+inDialog("a", "Open the page for this")+`).href`); href != s.url+"/_stepkey/verify?p=payout&next=%2F" {
		t.Errorf("the dialog leads to %s", href)
	}
	p.Keys("\x1b")
	if got := Eval[string](p.Page, `end`); got != "StepUpError no_passkeys" {
		t.Errorf("the request ends with %s", got)
	}
}

// A stream is sent once; an answer from elsewhere has nobody asked; an answer for others passes.
func TestStepUpLeavesOtherAnswersAlone(t *testing.T) {
	p, s, _ := enrolled(t)
	p.inPage(s, `
		const send = fetch;
		window.answer = (url, status, headers) => { const r = new Response('{"code":"step_up_required","purpose":"payout"}', { status, headers }); Object.defineProperty(r, "url", { value: url }); return r; };
		window.fetch = async request => request.url?.endsWith("/pay") ? send(request) : (calls.push(await request.text()), answers.shift());
		window.refusal = { "Content-Type": "application/problem+json", "WWW-Authenticate": 'Stepkey error="insufficient_user_authentication"' };`)
	for what, c := range map[string][2]string{
		"a stream":              {`location.origin + "/app", 401, refusal`, `"/app", { method: "POST", duplex: "half", body: new Blob(["b"]).stream() }`},
		"a request of a stream": {`location.origin + "/app", 401, refusal`, `new Request("/app", { method: "POST", duplex: "half", body: new Blob(["b"]).stream() })`},
		"elsewhere":             {`"https://other.example/app", 401, refusal`, `"/app", { method: "POST", body: "b" }`},
		"another refusal":       {`location.origin + "/app", 401, { "Content-Type": "application/problem+json" }`, `"/app", { method: "POST", body: "b" }`},
		"no problem":            {`location.origin + "/app", 401, { "WWW-Authenticate": refusal["WWW-Authenticate"] }`, `"/app", { method: "POST", body: "b" }`},
		"another status":        {`location.origin + "/app", 400, refusal`, `"/app", { method: "POST", body: "b" }`},
	} {
		got := Eval[string](p.Page, `(window.answers = [answer(`+c[0]+`)], Promise.race([s.fetch(`+c[1]+`).then(r => r.status + calls.splice(0).join()),
			new Promise(done => setTimeout(done, 20000, "no end"))]))`)
		if got != "401b" && got != "400b" {
			t.Errorf("%s: %s", what, got)
		}
		p.noDialog()
	}
	if begun := has(s, func() int { return s.begun }); begun != 0 {
		t.Errorf("%d ceremonies, want none", begun)
	}
}

// Requests of other libraries are refused, and repeated in place after the dialog.
func TestStepUpWithLibraries(t *testing.T) {
	const form = `<form id="form" %s><input name="amount" value="5"><input type="hidden" name="requestSubmit" value="y"><button id="send" name="act" value="now">Send</button></form><div id="to"></div>`
	for _, c := range []struct{ name, url, integrity, file, attributes, done string }{
		{
			"htmx 2", "https://registry.npmjs.org/htmx.org/-/htmx.org-2.0.8.tgz", "fm297iru0iWsNJlBrjvtN7V9zjaxd+69Oqjh4F/Vq9Wwi2kFisLcrLCiv5oBX0KLfOX/zG8AUo9ROMU5XUB44Q==",
			"package/dist/htmx.min.js", `hx-post="/pay" hx-target="#to" hx-confirm="Sure?"`, `document.querySelector("#to #paid")`,
		},
		{
			"htmx 4", "https://registry.npmjs.org/htmx.org/-/htmx.org-4.0.1.tgz", "oF7JgXhDW9UXCy/k1ZYFUQgzu/rm19ORWPSPNL91vPluB2PB9+MV55tyQdH/w7o2EAbTYUG5SDW1R60mdkdqGg==",
			"package/dist/htmx.min.js", `hx-post="/pay" hx-target="#to" hx-confirm="Sure?"`, `document.querySelector("#to #paid")`,
		},
		{
			"Turbo 8", "https://registry.npmjs.org/@hotwired/turbo/-/turbo-8.0.23.tgz", "GZ7cijxEZ6Ig71u7rD6LHaRv/wcE/hNsc+nEfiWOkLNqUgLOwo5MNGWOy5ZV9ZUDSiQx1no7YxjTNnT4O6//cQ==",
			"package/dist/turbo.es2017-umd.js", `method="post" action="/pay" data-turbo-confirm="Sure?"`, `document.title === "Payouts"`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, s, _ := enrolled(t)
			p.Before(`window.asked = 0; window.confirm = () => { window.asked++; return true; };`)
			s.library = fromNPM(t, c.url, c.integrity, c.file)
			for _, want := range []string{"cancelled", "verified"} {
				p.Go(s.url + "/with?body=" + url.QueryEscape(fmt.Sprintf(form, c.attributes)))
				p.Press("form", "Send")
				p.seeDialog("Pay out")
				if want == "cancelled" {
					p.pressDialog("Cancel")
					p.noDialog()
					continue
				}
				p.pressDialog("Verify with a passkey")
				p.Wait("the answer", c.done)
				if asked := Eval[int](p.Page, `asked`); asked != 1 {
					t.Errorf("asked %d times whether to go on, want once", asked)
				}
			}
			if paid := has(s, func() []string { return slices.Clone(s.paid) }); len(paid) != 1 || paid[0] != "amount=5&requestSubmit=y&act=now" {
				t.Errorf("paid %q, want one payment", paid)
			}
			p.forgive("cancelled")
			p.forgive("Response Status Error Code 401")
		})
	}
}
