package browser

import (
	"strings"
	"testing"

	"github.com/stepkey/stepkey/e2e/inbox"
)

// withMail is a mail server, and the settings by which Stepkey sends to it.
func withMail(t *testing.T) (box *inbox.Server, settings []string) {
	t.Helper()
	box, err := inbox.Start(inbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Stop() })
	return box, []string{"SMTP_URL=smtp://" + box.Address, "STEPKEY_MAIL_FROM=no-reply@example.com"}
}

// Where an address has to be confirmed first, the pages say so and send the link again, also to an address that is corrected. Once
// it is confirmed, the address signs in, and leads to the application for which the account was made.
func TestSignUpWithAnAddress(t *testing.T) {
	box, settings := withMail(t)
	p := startSigning(t, append(settings, "STEPKEY_REQUIRE_CONFIRMED_ADDRESS=on", "STEPKEY_SIGN_IN_BY_ADDRESS=on")...)
	p.expect("403 /auth/login", "401 /auth/login", "400 /account/email/verify")
	source := axe(t)
	p.ask("/sign-up")
	p.Type("username", "mira")
	p.Type("password", password)
	p.Type("email", "mira@example.nett")
	p.Press("signup", "Create account")
	p.See("notice", "We sent a link to mira@example.nett.")
	p.accessible(source, "a link is sent")
	p.Type("address", "")
	p.Press("confirmation", "Send the link again")
	p.See("confirmation", "Type your e-mail address")
	p.Type("address", "mira@example.net")
	p.Press("confirmation", "Send the link again")
	p.See("notice", "A new link is on its way to mira@example.net.")
	first := p.mailed(box, "mira@example.net", "Confirm", "/confirm-email")

	p.ask("/sign-in")
	if label := Eval[string](p.Page, `document.querySelector("label[for=username]").innerText`); label != "Username or e-mail address" {
		t.Errorf("the first field is %q", label)
	}
	p.Press("signin", "Sign in")
	p.See("signin", "Type your username or e-mail address.")
	p.Type("username", "mira")
	p.Type("password", "something else")
	p.Press("signin", "Sign in")
	p.See("signin", "Username, e-mail address or password is not right.")
	p.Type("password", password)
	p.Press("signin", "Sign in")
	p.See("notice", "Confirm your e-mail address first.")
	p.accessible(source, "a sign-in without a confirmed address")
	p.Look(320, "light")
	p.fits("a sign-in without a confirmed address")
	p.Type("address", "mira@example.org")
	p.Press("confirmation", "Send the link again")
	p.See("notice", "A new link is on its way to mira@example.org.")
	p.Go(first)
	p.Press("act", "Confirm this address")
	p.See("notice", "This link no longer works.")

	// The account's own page leads to where the link can be had.
	p.Go(p.server.URL() + "/account")
	p.Type("username", "mira")
	p.Type("password-now", password)
	p.Press("signin", "Sign in")
	p.See("gate", "Confirm your e-mail address first.")
	p.Follow(`.tell a[href="sign-in"]`)
	p.See("gate", "Username or e-mail address")

	p.Go(p.mailed(box, "mira@example.org", "Confirm", "/confirm-email"))
	p.Press("act", "Confirm this address")
	p.See("notice", "Now you can sign in.")
	p.Follow("#notice a")
	p.See("for", "localhost:")
	p.Type("username", "mira@example.org")
	p.Type("password", password)
	p.Press("signin", "Sign in")
	p.arrives("mira password")
}

// Somebody who has forgotten the password on the way to an application comes back to it.
func TestForgottenPasswordOnTheWayToAnApplication(t *testing.T) {
	box, settings := withMail(t)
	p := startSigning(t, settings...)
	p.expect("400 /recovery/password/finish")
	url := p.server.URL()
	post(t, url+"/auth/signup", "", object{"username": "mira", "password": password}, 201)
	token, _ := post(t, url+"/auth/login", "", object{"username": "mira", "password": password}, 201)["accessToken"].(string)
	post(t, url+"/account/email", token, object{"email": "mira@example.net"}, 202)
	confirm := p.mailed(box, "mira@example.net", "Confirm", "/confirm-email")
	_, link, _ := strings.Cut(confirm, "#")
	post(t, url+"/account/email/verify", "", object{"token": link}, 200)

	p.ask("/sign-in")
	p.See("gate", "Sign in")
	p.Follow(`.ways [href^="reset-password"]`)
	p.See("ask", "Send me a link")
	p.Follow(`footer [href^="sign-in"]`)
	p.See("for", "localhost:")
	p.Follow(`.ways [href^="reset-password"]`)
	p.See("ask", "Send me a link")
	p.Type("who", "mira")
	p.Press("ask", "Send me a link")
	p.See("notice", "Look into your mailbox.")
	p.Go("about:blank")
	p.Go(p.mailed(box, "mira@example.net", "Set a new password", "/reset-password"))
	p.Type("password", "another keyhole and stairs")
	p.Press("act", "Set password")
	p.See("notice", "Your new password is set.")
	p.Follow("#notice a")
	p.See("for", "localhost:")
	p.Type("username", "mira")
	p.Type("password", "another keyhole and stairs")
	p.Press("signin", "Sign in")
	p.arrives("mira password")
}
