package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/stepkey/stepkey/e2e/inbox"
)

// A mail server that takes its time over one recipient, and defers another, takes the mails to all others meanwhile.
func TestSlowRecipientHoldsUpNoOther(t *testing.T) {
	for _, backend := range backends {
		t.Run(backend.name, func(t *testing.T) {
			t.Parallel()
			done := make(chan struct{})
			box := newMailboxOf(t, inbox.Options{Recipient: func(to string) error {
				switch to {
				case "slow@example.net":
					<-done
				case "later@example.net":
					return &smtp.SMTPError{Code: 450, Message: "greylisted"}
				}
				return nil
			}})
			settings := append(backend.settings(t), box.settings()...)
			c := newClient(t, start(t, append(settings, "STEPKEY_LIMITS=off")...))
			t.Cleanup(func() { close(done) }) // before the servers are stopped
			request := func(address string) {
				t.Helper()
				c.do("POST", "/account/email", object("email", address), bearer(c.signedIn())).want(t, http.StatusAccepted)
			}
			for range 6 {
				request("slow@example.net")
			}
			request("later@example.net")
			for i := range 6 {
				to := fmt.Sprintf("user%d@example.net", i)
				request(to)
				box.wait(to, "Confirm your e-mail address")
			}
			for _, m := range box.Mails() {
				t.Errorf("a mail to %v was taken", m.Recipients)
			}
		})
	}
}
