package browser

import (
	"strings"
	"testing"
)

// invited makes an invitation and returns its link.
func (p *tab) invited(more ...string) string {
	p.t.Helper()
	printed, err := p.server.Run(append([]string{"invite"}, more...)...)
	if err != nil {
		p.t.Fatal(err)
	}
	link, _, _ := strings.Cut(printed, "\n")
	return link
}

// By invitation: the demo begins with signing in, and the link of an invitation leads to an account, once, and into it.
func TestInvitation(t *testing.T) {
	p := &signing{start(t, "STEPKEY_SIGNUP=invite"), ""}
	p.expect("400 /auth/signup")
	p.See("signin", "New accounts are by invitation.")
	if Eval[bool](p.Page, `Boolean(document.getElementById("signup"))`) {
		t.Error("the demo offers sign-up")
	}
	p.Authenticator(true)
	link := p.invited()
	p.Go(link)
	p.See("gate", "Your invitation works once.")
	p.Press("signup", "Create account")
	p.See("signup", "Type a username.")
	p.Type("username", "mira")
	p.Press("signup", "Create account")
	p.See("signup", "Type a password.")
	p.Type("password", "short")
	p.Press("signup", "Create account")
	p.See("signup", "Use at least 8 characters.")
	p.Type("password", password)
	p.Press("signup", "Create account")
	p.Press("offer", "Add a passkey")
	p.Wait("the account", `location.pathname === "/account" && document.getElementById("passkeys")?.innerText.includes("Added today")`)
	if left := Eval[string](p.Page, `document.getElementById("who").innerText`); !strings.HasPrefix(left, "mira ") {
		t.Errorf("the account is that of %q", left)
	}
	// Somebody who is signed in can use an invitation, too.
	p.Go(link)
	p.Type("username", "noor")
	p.Type("password", password)
	p.Press("signup", "Create account")
	p.See("notice", "This invitation no longer works.")
	p.Go("about:blank")
	p.Go(p.server.URL() + "/invitation")
	p.See("notice", "This invitation no longer works.")
}

// Where an address is to be confirmed, an invitation without one asks for it, and one for an address does not.
func TestInvitationAsksForAnAddress(t *testing.T) {
	box, settings := withMail(t)
	p := &signing{start(t, append(settings, "STEPKEY_SIGNUP=invite", "STEPKEY_REQUIRE_CONFIRMED_ADDRESS=on")...), ""}
	p.expect("400 /auth/signup")
	p.Go(p.invited())
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signup", "Create account")
	p.See("signup", "Type your e-mail address")
	p.Type("email", "mira@example.net")
	p.Press("signup", "Create account")
	p.See("notice", "We sent a link to mira@example.net.")
	p.Go(p.mailed(box, "mira@example.net", "Confirm", "/confirm-email"))
	p.Press("act", "Confirm this address")
	p.See("notice", "Now you can sign in.")

	p.Go(p.invited("--email=noor@example.net"))
	p.See("gate", "Your invitation works once.")
	if Eval[bool](p.Page, `document.getElementById("email").checkVisibility()`) {
		t.Error("the page asks for an address, which the invitation has")
	}
	p.Type("username", "noor")
	p.Type("password", password)
	p.Press("signup", "Create account")
	p.Wait("the account", `location.pathname === "/account"`)

	// A link from before the setting says nothing of an address.
	link := p.invited()
	p.Go("about:blank")
	p.Go(strings.Replace(link, "?email", "", 1))
	p.Type("username", "sol")
	p.Type("password", password)
	p.Press("signup", "Create account")
	p.See("signup", "Type your e-mail address")
	p.Type("email", "sol@example.net")
	p.Press("signup", "Create account")
	p.See("notice", "We sent a link to sol@example.net.")
}
