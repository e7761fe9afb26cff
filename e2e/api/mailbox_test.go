package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

const walrus = "another gentle walrus"

// deviceOf signs in and returns an edit that sends the device cookie along.
func (c *client) deviceOf(username, password string, edits ...edit) (token string, device edit) {
	c.t.Helper()
	a := c.do("POST", "/auth/login", credentials(username, password), edits...).want(c.t, http.StatusCreated)
	for _, line := range a.header.Values("Set-Cookie") {
		if strings.Contains(line, "stepkey-device-") {
			cookie, _, _ := strings.Cut(line, ";")
			return a.accessToken(c.t), func(r *http.Request) { r.Header.Set("Cookie", cookie) }
		}
	}
	c.t.Fatal("no device cookie")
	return "", nil
}

// From the mailbox alone nobody gets to level full, nor at the address or the account.
func TestMailboxAloneDoesNotReachFull(t *testing.T) {
	onEachDatabaseWithMail(t, func(t *testing.T, c *client, box *mailbox) {
		username, address := c.withEmail(box)
		c.finishReset(c.forgot(box, username, address), walrus).want(t, http.StatusOK)
		token, _ := c.deviceOf(username, walrus)
		for _, route := range [][2]string{{"POST", "/account/email"}, {"DELETE", "/account/email"}, {"DELETE", "/account"}} {
			var body any
			if route[0] == "POST" {
				body = object("email", "thief@example.net")
			}
			a := c.do(route[0], route[1], body, bearer(token)).wantProblem(t, 403, "reset_too_recent")
			if wait := time.Until(decoded[struct{ PossibleFrom time.Time }](t, a).PossibleFrom); wait < 23*time.Hour || wait > 24*time.Hour {
				t.Errorf("%s %s: possible in %s", route[0], route[1], wait)
			}
		}
		device := authenticator.New(authenticator.Config{})
		a := c.finishRegistration(token, c.create(device, c.registerOptions(token))).want(t, http.StatusCreated)
		if added := decoded[struct {
			Passkey struct{ UsableFrom time.Time }
		}](t, a).Passkey; time.Until(added.UsableFrom) < 23*time.Hour {
			t.Errorf("the passkey works from %s", added.UsableFrom)
		}
		c.do("POST", "/passkeys/authenticate/options", nil, bearer(token)).wantProblem(t, 403, "passkey_waits")
		c.do("GET", "/users/histories", nil, bearer(token)).wantProblem(t, 403, "step_up_required")

		notMe, err := box.wait(address, "A passkey was added").Token(c.origin, "/not-me")
		if err != nil {
			t.Fatal(err)
		}
		c.do("POST", "/recovery/freeze", object("token", notMe)).want(t, http.StatusOK)
		c.profile(token).wantProblem(t, 401, "unauthorized")

		// The password is refused like any that is wrong, until a reset.
		wrong := c.do("POST", "/auth/login", credentials(username, "no "+walrus)).wantProblem(t, 401, "unauthorized")
		stopped := c.do("POST", "/auth/login", credentials(username, walrus)).wantProblem(t, 401, "unauthorized")
		if string(wrong.body) != string(stopped.body) {
			t.Errorf("a stopped password is told apart: %s and %s", stopped.body, wrong.body)
		}
		c.finishReset(c.forgot(box, username, address), testPassword).want(t, http.StatusOK)
		if n := len(decoded[struct{ Passkeys []struct{} }](t, c.do("GET", "/passkeys", nil, bearer(c.logIn(username)))).Passkeys); n != 0 {
			t.Errorf("%d passkeys are left", n)
		}
	})
}

// A thief signs in again and again, and the owner sets another password all the same. On
// the device that asked, a sign-in voids the link.
func TestThiefDoesNotKeepTheOwnerFromAReset(t *testing.T) {
	onEachDatabaseWithMail(t, func(t *testing.T, c *client, box *mailbox) {
		username, address := c.withEmail(box)
		_, owners := c.deviceOf(username, testPassword)
		_, thiefs := c.deviceOf(username, testPassword)
		ask := func() string {
			c.do("POST", "/recovery/password", object("username", username), owners).want(t, http.StatusAccepted)
			return box.token(address, "Set a new password", c.origin, "/reset-password")
		}
		link := ask()
		c.deviceOf(username, testPassword, owners)
		c.finishReset(link, walrus).wantProblem(t, 400, "link_expired")

		link = ask()
		for range 3 {
			_, thiefs = c.deviceOf(username, testPassword, thiefs)
			c.logIn(username)
		}
		c.finishReset(link, walrus).want(t, http.StatusOK)
		c.do("POST", "/auth/login", credentials(username, testPassword), thiefs).wantProblem(t, 401, "unauthorized")
	})
}
