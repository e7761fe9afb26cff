package browser

import "testing"

// Somebody without a passkey who wants what takes one is offered to add one, at once.
func TestAccountWithoutPasskeyOffersOne(t *testing.T) {
	p := client(t)
	p.expect("403 /account/recovery/codes")
	p.Authenticator(true)
	p.run(enter)
	p.Go(p.server.URL() + "/account")
	p.See("passkeys", "Skip the password next time.")
	p.Press("recovery", "Make codes")
	p.See("recovery", "You have no passkey yet.")
	p.Press("recovery", "Add a passkey")
	p.Press("dialog", "Make the new one")
	p.See("passkeys", "Passkey added.")
}

// One recovery code is used up, and the account says how many are left.
func TestAccountCountsRecoveryCodes(t *testing.T) {
	p, _, codes := withCodes(t)
	p.run(`await s.signIn(` + credentials + `); await s.post("/recovery/code", { code: "` + codes[0] + `" }); await s.signIn(` + credentials + `)`)
	p.Go(p.server.URL() + "/account")
	p.See("codes-left", "9 left.")
}
