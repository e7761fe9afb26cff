package browser

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stepkey/stepkey/e2e/inbox"
)

// post calls the API beside the page and returns what it answered.
func post(t *testing.T, url, token string, body any, status int) map[string]any {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != status {
		t.Fatalf("%s: %d %v, %v; want %d", url, response.StatusCode, answer, err, status)
	}
	return answer
}

// mailed waits for a mail and returns its link to a page of the server.
func (p *tab) mailed(box *inbox.Server, address, subject, page string) string {
	p.t.Helper()
	m, err := box.Wait(address, subject)
	if err != nil {
		p.t.Fatal(err)
	}
	token, err := m.Token(p.server.URL(), page)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.server.URL() + page + "#" + token
}

type object map[string]string

// The pages behind links in mails: a person confirms an address, forgets the password, sets a new one, signs in with it,
// and says of a notice that it was somebody else.
func TestPagesBehindLinks(t *testing.T) {
	box, err := inbox.Start(inbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Stop() })
	p := start(t, "SMTP_URL=smtp://"+box.Address, "STEPKEY_MAIL_FROM=no-reply@example.com")
	p.expect("400 /recovery/password/finish", "400 /account/email/verify", "400 /recovery/password")
	url := p.server.URL()
	const address = "mira@example.net"
	mail := func(subject, page string) string { return p.mailed(box, address, subject, page) }

	post(t, url+"/auth/signup", "", object{"username": "mira", "password": password}, 201)
	token, _ := post(t, url+"/auth/login", "", object{"username": "mira", "password": password}, 201)["accessToken"].(string)
	post(t, url+"/account/email", token, object{"email": address}, 202)

	confirm := mail("Confirm", "/confirm-email")
	p.Go(confirm)
	p.See("main", "Confirm your e‑mail address") // a hyphen at which no line ends
	p.Press("act", "Confirm this address")
	p.See("notice", "Your address is confirmed.")
	if hash := Eval[string](p.Page, "location.hash"); hash != "" {
		t.Errorf("the token is still in the address: %s", hash)
	}
	mail("Your e-mail address was changed", "/not-me")
	p.Go("about:blank")
	p.Go(confirm)
	p.Press("act", "Confirm this address")
	p.See("notice", "This link no longer works.")

	// Without a link one can ask for one.
	p.Go(url + "/reset-password")
	p.Press("ask", "Send me a link")
	p.See("ask", "Type your e-mail address or your username.")
	p.Type("who", "not a name")
	p.Press("ask", "Send me a link")
	p.See("ask", "neither an e-mail address nor a username")
	p.Type("who", address)
	p.Press("ask", "Send me a link")
	p.See("notice", "Look into your mailbox.")

	reset := mail("Set a new password", "/reset-password")
	p.Go(reset)
	p.Press("act", "Set password")
	p.See("act", "Type a new password.")
	p.Type("password", "short")
	p.Press("act", "Set password")
	p.See("act", "Use at least 8 characters.")
	p.Type("password", "another keyhole and stairs")
	p.Keys("\r")
	p.See("notice", "Your new password is set.")
	p.Go("about:blank")
	p.Go(reset)
	p.Type("password", "another keyhole and stairs")
	p.Press("act", "Set password")
	p.See("notice", "Send a new one")

	post(t, url+"/auth/login", "", object{"username": "mira", "password": password}, 401)
	granted := post(t, url+"/auth/login", "", object{"username": "mira", "password": "another keyhole and stairs"}, 201)
	p.Go(mail("Your password was reset", "/not-me"))
	p.Press("act", "Sign out everywhere")
	p.See("notice", "Every device is signed out.")
	token, _ = granted["accessToken"].(string)
	post(t, url+"/auth/logout/all", token, object{}, 401)
	p.Go("about:blank")
	p.Go(url + "/not-me")
	p.See("notice", "This link no longer works.")
}
