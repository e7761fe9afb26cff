package stepup_test

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/stepkeytest"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/stepup"
)

// The tests named TestThreat… each try what a row of the table in docs/stepup-security.md says, over
// HTTP, and what is like it. This file has what they share.

// person is somebody at a browser, with a device that the test drives by itself.
type person struct {
	*stepkeytest.Client
	a      *app
	device *authenticator.Authenticator
	cookie string
}

// arrives signs somebody in, in a new browser with a new device.
func (a *app) arrives(user string) person {
	a.Helper()
	c, cookie := a.signIn(user)
	return person{c, a, authenticator.New(authenticator.Config{}), cookie}
}

// owner is somebody with a passkey, which was not verified yet in the session.
func (a *app) owner(user string) person {
	a.Helper()
	p := a.arrives(user)
	a.wantCode("adding the owner's passkey", p.Client, p.add(), http.StatusOK, "")
	return p
}

// elsewhere is the same person with the same device in a new session.
func (p person) elsewhere() person {
	p.a.Helper()
	other := p.a.arrives(p.a.identity(p.cookie).User)
	other.device = p.device
	return other
}

// copied is a browser with a copy of the person's cookie.
func (p person) copied() *stepkeytest.Client {
	p.a.Helper()
	return p.a.browserWith(p.cookie)
}

// options begins a ceremony and returns the options for the device.
func (p person) options(call string, body any) json.RawMessage {
	p.a.Helper()
	answer := p.Call("/_stepkey/"+call, body)
	var begun struct{ Options json.RawMessage }
	if text := p.Body(answer); answer.StatusCode != http.StatusOK || json.Unmarshal([]byte(text), &begun) != nil {
		p.a.Fatalf("%s: %d %s", call, answer.StatusCode, text)
	}
	return begun.Options
}

// asserted is what finish takes, of a verification for payout that has begun. action may be empty.
func (p person) asserted(action string) map[string]any {
	p.a.Helper()
	response, err := p.device.Get(p.a.url, p.options("begin", map[string]string{"purpose": "payout", "action": action}))
	if err != nil {
		p.a.Fatal(err)
	}
	return map[string]any{"purpose": "payout", "response": json.RawMessage(response)}
}

// created is what add/finish takes, of a registration that has begun.
func (p person) created() map[string]any {
	p.a.Helper()
	response, err := p.device.Create(p.a.url, p.options("add/begin", struct{}{}))
	if err != nil {
		p.a.Fatal(err)
	}
	return map[string]any{"response": json.RawMessage(response)}
}

func (p person) add() *http.Response {
	p.a.Helper()
	return p.Call("/_stepkey/add/finish", p.created())
}

func (p person) finish(body any) *http.Response {
	p.a.Helper()
	return p.Call("/_stepkey/finish", body)
}

// verifies verifies the passkey for the session.
func (p person) verifies() {
	p.a.Helper()
	p.a.wantCode("verifying", p.Client, p.finish(p.asserted("")), http.StatusOK, "")
}

// passkeyID is the id of the user's only passkey.
func (p person) passkeyID() string {
	p.a.Helper()
	list, err := p.a.kit.Passkeys(p.a.Context(), p.a.identity(p.cookie).User)
	if err != nil || len(list) != 1 {
		p.a.Fatalf("passkeys: %v, %v; want one", list, err)
	}
	return list[0].ID
}

// wantCode fails unless an answer has this status, and this code if it is not empty.
func (a *app) wantCode(what string, c *stepkeytest.Client, answer *http.Response, status int, code string) {
	a.Helper()
	text := ""
	if code != "" {
		text = `"code":"` + code + `"`
	}
	a.want(what, c, answer, status, text)
}

// wantPass fails unless a script's request for the guarded page passes, or is refused.
func (a *app) wantPass(what string, c *stepkeytest.Client, pass bool) {
	a.Helper()
	answer := c.Do(a.request(http.MethodGet, "/payouts", nil))
	if want := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[pass]; answer.StatusCode != want {
		a.Errorf("%s: %d %.300s; want %d", what, answer.StatusCode, c.Body(answer), want)
	}
}

// request is one with these headers and no others: name, value, name, value.
func (a *app) request(method, path string, body io.Reader, headers ...string) *http.Request {
	a.Helper()
	r, err := http.NewRequestWithContext(a.Context(), method, a.url+path, body)
	if err != nil {
		a.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	return r
}

// asDocument are the headers of a navigation that a page of the same origin began.
var asDocument = []string{
	"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin",
}

// posts is the post of a form by a page of the application.
func (a *app) posts(path, body string, more ...string) *http.Request {
	a.Helper()
	headers := append(slices.Clone(asDocument), "Origin", a.url, "Referer", a.url+"/", "Content-Type", "application/x-www-form-urlencoded")
	return a.request(http.MethodPost, path, strings.NewReader(body), append(headers, more...)...)
}

// data returns an attribute of the page that asks for a passkey.
func data(c *stepkeytest.Client, answer *http.Response, name string) string {
	found := regexp.MustCompile(`<main id="stepkey"[^>]* data-` + name + `="([^"]*)"`).FindStringSubmatch(c.Body(answer))
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

// tampered is a response with another signature.
func tampered(a *app, response json.RawMessage) any {
	a.Helper()
	var fields map[string]any
	if err := json.Unmarshal(response, &fields); err != nil {
		a.Fatal(err)
	}
	inner := fields["response"].(map[string]any)
	inner["signature"] = flip(inner["signature"].(string), 11) // inside the first number
	return fields
}

// flip changes a character of a text in base64.
func flip(text string, at int) string {
	changed := []byte(text)
	if changed[at] == 'A' {
		changed[at] = 'B'
	} else {
		changed[at] = 'A'
	}
	return string(changed)
}

// sealed posts a form that is refused and returns how it is kept.
func (p person) sealed(path, body string) (form, action string) {
	p.a.Helper()
	answer := p.Do(p.a.posts(path, body))
	if form, action = data(p.Client, answer, "form"), data(p.Client, answer, "action"); form == "" {
		p.a.Fatalf("the form is not kept: %d %.300s", answer.StatusCode, p.Body(answer))
	}
	return form, action
}

// withForm adds a kept form to what finish takes.
func withForm(body map[string]any, form string) map[string]any {
	body["form"] = form
	return body
}

// onBothWays is onBoth, without and with proofs that are read from memory.
func onBothWays(t *testing.T, change func(*stepup.Config), test func(a *app)) {
	for _, staleness := range []time.Duration{0, 2 * time.Second} {
		t.Run("staleness "+staleness.String(), func(t *testing.T) {
			onBoth(t, func(c *stepup.Config) {
				c.Staleness = staleness
				if change != nil {
					change(c)
				}
			}, test)
		})
	}
}
