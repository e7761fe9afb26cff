package gate_test

import (
	"slices"
	"testing"

	"github.com/stepkey/stepkey/e2e/browser"
)

const (
	start  = "https://" + appHost + "/start"
	payout = "/admin/payouts?from=1"
	held   = "uri=%2Fadmin%2Fpayouts%3Ffrom%3D1" // how the address ends to which Caddy and Traefik have it posted again
)

// post fills in the form of the page that is there, and sends it.
func (h *hosts) post(amount string) {
	h.t.Helper()
	h.Type("amount", amount)
	h.Press("payout", "Pay")
}

// arrivesOnce waits for the answer to the form, and checks that the app got it once, whatever the user does then.
func (h *hosts) arrivesOnce(amount, who string) {
	h.t.Helper()
	h.See("at", "POST "+payout)
	h.See("who", who)
	h.Back()
	h.See("text", "Your form was sent.")
	if browser.Eval[bool](h.Page, `document.getElementById("send").checkVisibility()`) {
		h.t.Error("it can be sent again")
	}
	if got := h.app.posted(); !slices.Equal(got, []string{amount}) {
		h.t.Errorf("the app got the forms %q, want %q once", got, amount)
	}
}

// A form that needs a passkey waits until it is verified, and is sent once.
func TestFormSurvivesStepUp(t *testing.T) {
	onHosts(t, func(h *hosts) {
		h.expect("403 "+payout, "403 "+held)
		h.Go(start)
		h.signUp("mira")
		h.arrives(start, "mira, password")
		h.post("100 & more\u00e4")
		h.addPasskey()
		h.arrivesOnce("100 & more\u00e4", "mira, full")
	})
}

// A form whose session had ended waits until somebody has signed in, who is asked.
func TestFormSurvivesSignIn(t *testing.T) {
	onHosts(t, func(h *hosts) {
		h.expect("401 "+payout, "403 "+held, "401 /auth/refresh")
		h.signUpWithPasskey("mira")
		h.signOutInAnotherTab()
		h.device.Present(false) // or the sign-in page takes the passkey in place of the password
		h.post("250")
		h.signIn("mira")
		h.at("/verify")
		h.device.Present(true)
		h.Follow("#verify")
		h.Follow("#send")
		h.arrivesOnce("250", "mira, full")
	})
}

// A form of one user is not sent as another, who has signed in meanwhile.
func TestFormOfAnotherUser(t *testing.T) {
	onHosts(t, func(h *hosts) {
		h.expect("403 "+payout, "403 "+held, "403 /_stepkey/form")
		h.expect("401 /auth/refresh") // the pages do not know that the app ended the session
		h.Go(start)
		h.signUp("mira")
		h.arrives(start, "mira, password")
		h.post("999")
		h.at("/verify")
		h.Go(start)
		h.signOut()
		h.signUp("noor")
		h.arrives("https://"+appHost+"/", "noor, password")
		h.Go("https://" + appHost + "/_stepkey/form")
		h.See("text", "Your form was not sent.")
		if got := h.app.posted(); len(got) > 0 {
			t.Errorf("the app got %q", got)
		}
	})
}

// signUpWithPasskey makes an account with a passkey, and ends at the app.
func (h *hosts) signUpWithPasskey(name string) {
	h.t.Helper()
	h.Go(start)
	h.signUp(name)
	h.arrives(start, name+", password")
	h.Follow("#keys")
	h.addPasskey()
	h.arrives("https://"+appHost+"/admin/keys?tab=2", name+", full")
	h.Go(start)
	h.arrives(start, name+", full")
}

// signOutInAnotherTab leaves the page of this tab as it is.
func (h *hosts) signOutInAnotherTab() {
	h.t.Helper()
	other, end := h.Beside()
	defer end()
	other.Go("https://" + appHost + "/_stepkey/sign-out")
	other.Follow("form button")
	other.Wait("the sign-in page", `location.pathname === "/sign-in"`)
}
