package browser

import (
	"fmt"
	"testing"
)

// stored is what this device keeps of refused offers.
const stored = `Object.entries(localStorage).filter(([key]) => key.startsWith("stepkey-offer:")).map(([, value]) => Object.keys(JSON.parse(value)).join() + " " + JSON.parse(value).count).join(";")`

// reload opens the page again, days after it was opened first.
func (p *tab) reload(days int) {
	p.t.Helper()
	Eval[bool](p.Page, fmt.Sprintf(`(() => {
		for (const key of Object.keys(localStorage).filter(key => key.startsWith("stepkey-offer:"))) {
			const { count, time } = JSON.parse(localStorage[key]);
			localStorage[key] = JSON.stringify({ count, time: time - %d * 86400000 });
		}
		return true;
	})()`, days))
	p.Go(p.server.URL())
	p.See("badge", "Password level")
}

// "Not now" goes straight on, holds for 14 days, then for 60, then for good; a passkey can be added all the same.
func TestNotNow(t *testing.T) {
	p := start(t)
	p.expect("403 /users/histories")
	p.Authenticator(true)
	p.signIn("mira")
	p.See("add", "Skip the password next time.")
	p.See("add", "Your fingerprint or face stays on your device.")
	for i, hold := range []int{14, 60, 3650} {
		p.Press("add", "Not now")
		p.Current("open")
		if got, want := Eval[string](p.Page, stored), fmt.Sprintf("count,time %d", i+1); got != want {
			t.Fatalf("stored: %q, want %q", got, want)
		}
		p.reload(hold - 1)
		p.Current("open")
		p.reload(1)
		if hold < 3650 {
			p.Current("add")
		}
	}
	p.Current("open")
	p.Press("open", "Open the page")
	p.See("open", "This page needs full level.")
	p.Press("open", "Add a passkey")
	p.Current("add")
	p.reload(0)
	p.Current("open")
	p.Press("add", "Add one now")
	p.See("verify", "Adding your first passkey verified it, too.")
	p.See("badge", "Full level")
}

// Who shares a device is asked for themselves.
func TestNotNowIsOnesOwn(t *testing.T) {
	p := start(t)
	p.signIn("mira")
	p.Press("add", "Not now")
	p.Current("open")
	p.Press("top", "Sign out")
	p.Current("signin")
	p.Press("signin", "Create an account")
	p.signIn("noor")
	p.See("add", "Skip the password next time.")
}

// At full level, where the list may be read, password managers are told of a passkey that was added.
func TestPasskeysAreSynced(t *testing.T) {
	p := start(t)
	p.Before(`window.told = 0; PublicKeyCredential.signalAllAcceptedCredentials = async ({ allAcceptedCredentialIds: { length } }) => { told = length; };`)
	p.Go(p.server.URL())
	first := p.Authenticator(true)
	p.addPasskey("mira")
	p.Wait("the list of one", "told === 1")
	first.Remove()
	p.Authenticator(true)
	p.Press("add", "Add another passkey")
	p.Wait("the list of two", "told === 2")
}
