package browser

import (
	"strings"
	"testing"
)

// By invitation: the demo begins with signing in, and the link of an invitation leads to an account, once.
func TestInvitation(t *testing.T) {
	p := start(t, "STEPKEY_SIGNUP=invite")
	p.expect("400 /auth/signup")
	url := p.server.URL()
	p.See("signin", "New accounts are by invitation.")
	if Eval[bool](p.Page, `Boolean(document.getElementById("signup"))`) {
		t.Error("the demo offers sign-up")
	}
	printed, err := p.server.Run("invite")
	if err != nil {
		t.Fatal(err)
	}
	link, _, _ := strings.Cut(string(printed), "\n")
	p.Go(link)
	p.Press("act", "Create account")
	p.See("act", "Type a username.")
	p.Type("username", "mira")
	p.Press("act", "Create account")
	p.See("act", "Type a password.")
	p.Type("password", "short")
	p.Press("act", "Create account")
	p.See("act", "Use at least 8 characters.")
	p.Type("password", password)
	p.Press("act", "Create account")
	p.See("notice", "Your account is ready.")
	post(t, url+"/auth/login", "", object{"username": "mira", "password": password}, 201)
	p.Go("about:blank")
	p.Go(link)
	p.Type("username", "noor")
	p.Type("password", password)
	p.Press("act", "Create account")
	p.See("notice", "This invitation no longer works.")
}
