package browser

import (
	"testing"

	"github.com/stepkey/stepkey/e2e/inbox"
)

// The parts of /account that need a mail server: an address is added, confirmed and removed, and a recovery that somebody
// began is stopped.
func TestAccountMail(t *testing.T) {
	box, err := inbox.Start(inbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Stop() })
	const address = "mira@example.net"
	p, _ := account(t, true, "SMTP_URL=smtp://"+box.Address, "STEPKEY_MAIL_FROM=no-reply@example.com")
	p.expect("400 /account/email", "403 /account/email")
	p.See("email", "No address yet.")
	p.Press("email", "Add an address")
	p.dialog("Confirm it’s you")
	p.Press("dialog", "Verify with a passkey")
	p.dialog("New address")
	p.Keys("nobody at home")
	p.Press("dialog", "Send the link")
	p.dialog("Use one plain address")
	p.Type("address", address)
	p.Press("dialog", "Send the link")
	p.closed()
	p.See("email", "Check "+address+" for a link.")
	p.See("email", "Waiting for confirmation")

	p.Go(p.mailed(box, address, "Confirm", "/confirm-email"))
	p.Press("act", "Confirm this address")
	p.See("notice", "Your address is confirmed.")
	p.Go(p.server.URL() + "/account")
	p.See("email", "Confirmed")

	// Somebody who knows the password.
	token, _ := post(t, p.server.URL()+"/auth/login", "", object{"username": "mira", "password": password}, 201)["accessToken"].(string)
	post(t, p.server.URL()+"/recovery/passkey", token, object{}, 202)
	p.mailed(box, address, "Someone is recovering your account", "/not-me")
	p.Go("about:blank")
	p.Go(p.server.URL() + "/account")
	p.See("pending", "Someone asked to recover this account")
	p.Press("pending", "Stop it")
	p.said("Recovery stopped.")
	p.Wait("no warning", `!document.getElementById("pending").innerText`)
	p.mailed(box, address, "A recovery was stopped", "/not-me")

	p.Press("email", "Remove")
	p.dialog("Remove the address?")
	p.Press("dialog", "Remove address")
	p.closed()
	p.See("email", "No address yet.")
}
