package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// visited has the account of mira visited from elsewhere: from Germany, from the local network, and 13 times in vain.
func visited(t *testing.T, withPasskey bool, settings ...string) (*tab, Authenticator) {
	t.Helper()
	countries, err := filepath.Abs("../../geo/testdata/countries.mmdb")
	if err != nil {
		t.Fatal(err)
	}
	settings = append(settings, "STEPKEY_TRUSTED_PROXIES=127.0.0.0/8,::1/128", "STEPKEY_GEO_FILE="+countries)
	begin := accountAtFull
	if !withPasskey {
		begin = func(t *testing.T, settings ...string) (*tab, Authenticator) { return account(t, false, settings...) }
	}
	p, device := begin(t, settings...)
	p.from("203.0.113.9", password, 201)
	p.from("10.1.2.3", password, 201)
	for range 13 {
		p.from("192.0.2.1", "something else", 401)
	}
	// Failed attempts are counted in the events a moment later.
	p.Wait("the attempts to be counted", `import("/stepkey.js").then(({ stepkey }) => stepkey.call("GET", "/account/events")).then(({ events }) => events[0].times === 13)`)
	p.Go(p.server.URL() + "/account")
	p.See("activity", "13 wrong passwords")
	return p, device
}

// from signs in with Firefox from an address.
func (p *tab) from(address, secret string, status int) {
	p.t.Helper()
	body, err := json.Marshal(object{"username": "mira", "password": secret, "refresh": "body"})
	if err != nil {
		p.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.server.URL()+"/auth/login", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Forwarded-For", address)
	request.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		p.t.Fatalf("signing in from %s: %s, want %d", address, response.Status, status)
	}
}

// claim presses "This was not me" in the row of the activity that says something.
func (p *tab) claim(row string) {
	p.t.Helper()
	p.Wait("the row "+row, fmt.Sprintf(`[...document.querySelectorAll("#activity li")].some(li => li.innerText.includes(%q))`, row))
	at := Eval[[]float64](p.Page, fmt.Sprintf(`(() => {
		const b = [...document.querySelectorAll("#activity li")].find(li => li.innerText.includes(%q)).querySelector("button");
		b.scrollIntoView({ block: "center", behavior: "instant" });
		const r = b.getBoundingClientRect();
		return [r.x + r.width / 2, r.y + r.height / 2];
	})()`, row))
	p.click(at)
}

// focusAt waits until the focus is at the element that a selector finds.
func (p *tab) focusAt(selector string) {
	p.t.Helper()
	p.Wait("the focus at "+selector, fmt.Sprintf(`document.activeElement === document.querySelector(%q)`, selector))
}

// Each event says what was used, where and how often. A failed or unusual event says so in words, and the page does not ask about
// what this session did itself.
func TestAccountTellsItsStory(t *testing.T) {
	p, _ := visited(t, true)
	want := []string{
		"13 wrong passwords (Failed attempt) | Firefox on Linux · network 192.0.2.0/24 · last today",
		"Signed in | Firefox on Linux · your local network · today",
		"Signed in | Firefox on Linux · Germany · today",
	}
	rows := p.list("activity")
	if diff := cmp.Diff(want, rows[:3]); diff != "" {
		t.Errorf("activity (-want +got):\n%s", diff)
	}
	if own := "Passkey added | Chrome on Linux · this computer · passkey “Chrome on Linux” · today"; !slices.Contains(rows, own) {
		t.Errorf("activity lacks %q: %q", own, rows)
	}
	asked := Eval[[]bool](p.Page, `[...document.querySelectorAll("#activity li")].map(li => !!li.querySelector("button"))`)
	if want := []bool{true, true, true, false, false, false, false}; !slices.Equal(asked, want) {
		t.Errorf("rows with “This was not me”: %v, want %v", asked, want)
	}
	p.rows("sessions",
		"Chrome on Linux This device | Full level · this computer · Signed in today",
		"Firefox on Linux | Password level · your local network · Active today",
		"Firefox on Linux | Password level · Germany · Active today",
	)
	for _, width := range []int64{320, 1280} {
		p.Look(width, "light")
		p.fits(fmt.Sprintf("the story at %d px", width))
		p.accessible(axe(t), "the story")
	}
}

// "This was not me" says what it will do and then what it did, and leads to a new password; all lists are as new as that.
func TestAccountDisownsASignIn(t *testing.T) {
	p, _ := visited(t, true)
	p.claim("Germany")
	p.dialog("All sessions but this one end. Your password stops working")
	p.accessible(axe(t), "“This was not me”")
	p.Press("dialog", "It was me")
	p.closed()
	p.Wait("nothing done", `document.querySelectorAll("#sessions li").length === 3`)
	p.claim("Germany")
	p.Press("dialog", "This was not me")
	p.See("activity", "Only this session is signed in now.")
	p.See("activity", "2 sessions were ended. Your password does not work any more. Set a new one now")
	p.said("Only this session is signed in now.")
	p.focusAt("#activity .tell button")
	p.Wait("one session", `document.querySelectorAll("#sessions li").length === 1`)
	p.See("activity", "“This was not me” pressed")
	p.accessible(axe(t), "a disowned sign-in")
	p.from("203.0.113.9", password, 401)

	p.Press("activity", "Set a new password")
	p.Type("next", "another keyhole and stairs")
	p.Keys("\r")
	p.See("password", "Password changed.")
	p.focusAt("#password-title")
	p.Wait("no step left", `!document.querySelector("#activity .tell").innerText`)
	p.See("activity", "Password changed")
	p.from("203.0.113.9", "another keyhole and stairs", 201)
}

// At password level a passkey is verified first. A failed attempt changes nothing.
func TestAccountDisownsAfterStepUp(t *testing.T) {
	p, _ := visited(t, true)
	p.act(`await stepkey.signIn(` + credentials + `)`)
	p.Go(p.server.URL() + "/account")
	p.See("who", "Changes ask for your passkey first.")
	p.See("activity", "13 wrong passwords")
	p.claim("13 wrong passwords")
	p.dialog("Nobody got in this way, so nothing changes.")
	p.expect(p.notMePaths()...)
	p.Press("dialog", "This was not me")
	p.See("activity", "Nothing was lost.")
	p.focusAt("#activity-title")
	p.Wait("all sessions there", `document.querySelectorAll("#sessions li").length > 2`)
	p.claim("Germany")
	p.Press("dialog", "This was not me")
	p.dialog("Confirm it’s you")
	p.Press("dialog", "Verify with a passkey")
	p.See("activity", "Only this session is signed in now.")
	p.See("activity", "Passkey verified")
}

// notMePaths are refusals of "This was not me" for want of a passkey.
func (p *tab) notMePaths() (refusals []string) {
	p.t.Helper()
	for _, id := range strings.Fields(p.act(`return (await stepkey.call("GET", "/account/events")).events.map(e => e.id).join(" ")`)) {
		refusals = append(refusals, "403 /account/events/"+id+"/not-me")
	}
	return refusals
}

// Without a passkey the other sessions end, and the password is what is left to change.
func TestAccountDisownsWithoutPasskey(t *testing.T) {
	p, _ := visited(t, false)
	p.claim("Germany")
	p.dialog("All sessions but this one end. Then you set a new password.")
	p.Press("dialog", "This was not me")
	p.See("activity", "2 sessions were ended. Set a new one now")
	p.Press("activity", "Set a new password")
	p.dialog("Current password")
}

// Somebody else's passkey goes with the sign-in that it was used for.
func TestAccountDisownsAPasskey(t *testing.T) {
	p, device := accountAtFull(t)
	own := device.Credentials()[0]
	device.Remove()
	stranger := p.Authenticator(true)
	p.act(`await stepkey.registerPasskey({ deviceName: "Stranger" })`)
	p.act(`await stepkey.signIn(` + credentials + `)`)
	p.expect(p.notMePaths()...)
	p.Go(p.server.URL() + "/account")
	p.See("passkeys", "Stranger")
	p.claim("passkey “Stranger”")
	p.dialog("The passkey of this event is deleted, unless it is the one that you verify with.")
	p.Press("dialog", "This was not me")
	p.dialog("Confirm it’s you")
	stranger.Remove()
	p.Authenticator(true).Add(own)
	p.Press("dialog", "Verify with a passkey")
	p.See("activity", "The passkey was deleted.")
	p.Wait("the passkey to go", `document.querySelectorAll("#passkeys li").length === 1`)
}

// Long lists show their first rows; the rest comes when asked for, and stays after a change. The menu leads to the sections on small
// windows too.
func TestAccountFoldsLongLists(t *testing.T) {
	p, device := accountAtFull(t)
	for range 6 {
		post(t, p.server.URL()+"/auth/login", "", object{"username": "mira", "password": password, "refresh": "body"}, 201)
	}
	for i := range 5 {
		device.Remove()
		device = p.Authenticator(true)
		p.act(fmt.Sprintf(`await stepkey.registerPasskey({ deviceName: "Passkey %d" })`, i+2))
	}
	p.Go(p.server.URL() + "/account")
	shown := func(section string, want int) {
		t.Helper()
		p.Wait(fmt.Sprintf("%d rows of %s", want, section), fmt.Sprintf(`[...document.querySelectorAll("#%s .list > li")].filter(li => li.checkVisibility()).length === %d && !document.getElementById(%[1]q).ariaBusy`, section, want))
	}
	p.Look(320, "light")
	shown("passkeys", 5)
	shown("sessions", 5)
	p.fits("folded lists")
	p.accessible(axe(t), "folded lists")
	p.Press("sessions", "Show all 7")
	shown("sessions", 7)
	p.focusAt("#sessions li:nth-child(6) h3")
	p.Press("passkeys", "Show all 6")
	shown("passkeys", 6)
	p.Press("passkeys", "Rename\nPasskey 6")
	p.Keys("\bSpare\r")
	p.said("Renamed.")
	shown("passkeys", 6)
	p.focusAt("#passkeys li:nth-child(6) [data-rename]")

	Eval[bool](p.Page, `(scrollTo({ top: 0, behavior: "instant" }), document.querySelector(".side [href='#activity']").focus(), true)`)
	p.Keys("\r")
	p.Wait("the section", `Math.abs(document.getElementById("activity").getBoundingClientRect().top) < innerHeight`)
	if !Eval[bool](p.Page, `document.querySelector(".side").checkVisibility()`) {
		t.Error("the menu is hidden on a small window")
	}
}

// hearing counts what screen readers are told: changes of the status line, and alerts.
const hearing = `window.heard = []; new MutationObserver(changes => {
	for (const { target, addedNodes } of changes) {
		if (target.id === "status" && target.textContent) heard.push(target.textContent);
		for (const node of addedNodes) {
			for (const alert of node.querySelectorAll?.("[role=alert]") ?? []) if (alert.textContent) heard.push(alert.textContent);
			if (node.role === "alert" && node.textContent) heard.push(node.textContent);
		}
	}
}).observe(document, { childList: true, subtree: true });`

// Each change says in its section that it is done, tells screen readers once, and leaves the focus at something.
func TestAccountSaysWhatIsDone(t *testing.T) {
	p := client(t)
	p.Before(hearing)
	device := p.Authenticator(true)
	p.run(enter + `await s.registerPasskey({ deviceName: "Phone" });`)
	device.Remove()
	p.Authenticator(true)
	p.run(`await s.registerPasskey({ deviceName: "Laptop" }); await s.stepUp();`)
	for range 2 {
		post(t, p.server.URL()+"/auth/login", "", object{"username": "mira", "password": password, "refresh": "body"}, 201)
	}
	p.Go(p.server.URL() + "/account")
	p.See("passkeys", "Phone")
	p.See("activity", "Signed in")
	check := func(section, words, focus string) {
		t.Helper()
		p.Wait(words, fmt.Sprintf(`document.querySelector("#%s .tell").innerText.startsWith(%q)`, section, words))
		p.said(words)
		p.focusAt(focus)
		// The lists that the change renews leave the focus there.
		p.Wait("all to be at rest", `!document.querySelector("#account [aria-busy]")`)
		p.focusAt(focus)
		heard := Eval[[]string](p.Page, `heard.splice(0)`)
		if told := slices.DeleteFunc(heard, func(text string) bool { return !strings.HasPrefix(text, words) }); len(told) != 1 {
			t.Errorf("screen readers are told of %q %d times: %q", words, len(told), told)
		}
	}
	p.Press("passkeys", "Rename\nPhone")
	p.Keys("\bTablet\r")
	check("passkeys", "Renamed.", `#passkeys li:nth-child(1) [data-rename]`)
	p.See("activity", "Passkey renamed")
	p.Keys("\r")
	p.Keys("\bTelephone\r")
	check("passkeys", "Renamed.", `#passkeys li:nth-child(1) [data-rename]`)
	p.Press("passkeys", "Delete\nTelephone")
	p.Press("dialog", "Delete passkey")
	check("passkeys", "Passkey deleted.", `#passkeys li h3`)
	p.See("activity", "Passkey deleted")
	p.Press("sessions", "End\n")
	check("sessions", "Session ended.", "#sessions-title")
	p.See("activity", "Session ended")
	p.Press("sessions", "End all others")
	p.Press("dialog", "End all others")
	check("sessions", "Session ended.", "#sessions-title")
	p.Press("recovery", "Make codes")
	p.See("recovery", "Keep these now.")
	p.See("activity", "Recovery codes made")
	p.Press("recovery", "I have saved them")
	p.focusAt("#recovery-title")
	p.Press("password", "Change password")
	p.Type("next", "another keyhole and stairs")
	p.Keys("\r")
	check("password", "Password changed.", "#password-title")
	p.See("activity", "Password changed")
}

// A list that is made anew while somebody is in it does not throw them out.
func TestAccountKeepsTheFocusInAList(t *testing.T) {
	p, _ := accountAtFull(t)
	for range 2 {
		post(t, p.server.URL()+"/auth/login", "", object{"username": "mira", "password": password, "refresh": "body"}, 201)
	}
	p.Go(p.server.URL() + "/account")
	p.See("sessions", "Active today")
	const last = "#sessions li:last-child button"
	Eval[bool](p.Page, `(window.old = document.querySelector("`+last+`"), old.focus(), true)`)
	p.act(`await stepkey.refresh()`)
	p.Wait("the list anew", `!old.isConnected`)
	p.focusAt(last)
}

// The passkey that this session was verified with is told from the others.
func TestAccountTellsThePasskeyUsedHere(t *testing.T) {
	p, device := accountAtFull(t)
	p.See("passkeys", "Used in this browser")
	device.Remove()
	p.Authenticator(true)
	p.act(`await stepkey.registerPasskey({ deviceName: "Spare" })`)
	p.act(`await new Promise(done => setTimeout(done, 1100)); await stepkey.stepUp()`) // proofs have their time in seconds
	p.Wait("the other passkey to be the one", `[...document.querySelectorAll("#passkeys h3")].map(h => h.innerText).join() === "Chrome on Linux,Spare Used in this browser"`)
}
