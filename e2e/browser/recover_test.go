package browser

import (
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stepkey/stepkey/e2e/inbox"
	"github.com/stepkey/stepkey/internal/pgtest"
)

// withCodes is a page that knows a user with a passkey, and the user's recovery codes.
func withCodes(t *testing.T, settings ...string) (p *tab, device Authenticator, codes []string) {
	t.Helper()
	p = client(t, settings...)
	device = p.Authenticator(true)
	p.run(enter + `await s.registerPasskey(); await s.stepUp();`)
	codes = strings.Split(p.run(`return (await s.call("POST", "/account/recovery/codes")).codes.join(" ")`), " ")
	if len(codes) != 10 {
		t.Fatalf("the codes are %q", codes)
	}
	return p, device, codes
}

// signInToRecover fills in the first form of /recover.
func (p *tab) signInToRecover(password string) {
	p.t.Helper()
	p.See("main", "Get back into your account")
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signin", "Continue")
}

func TestRecoverByCode(t *testing.T) {
	p, device, codes := withCodes(t)
	p.expect("401 /auth/login", "403 /recovery/code")
	p.Go(p.server.URL() + "/sign-in?return_to=/docs")
	Eval[bool](p.Page, `(document.querySelector('.ways [href^="recover"]').click(), true)`)
	p.See("main", "Get back into your account")
	p.Press("signin", "Continue")
	p.See("signin", "Type a username.")
	p.signInToRecover("something else")
	p.See("signin", "Username or password is not right.")
	p.Type("password", password)
	p.Keys("\r")
	p.See("mail", "No code?")
	p.Press("code", "Use this code")
	p.See("code", "Type a recovery code.")
	p.Type("recovery-code", "0000-0000-0000-0000-0000-0000")
	p.Press("code", "Use this code")
	p.See("code", "This code does not work.")
	p.accessible(axe(t), "a wrong recovery code")
	p.Type("recovery-code", strings.ToUpper(codes[0]))
	p.Press("code", "Use this code")
	p.See("notice", "You are in, for a quarter of an hour.")
	p.accessible(axe(t), "level recovery")
	if hidden := Eval[bool](p.Page, `document.forms.code.hidden && document.forms.signin.hidden`); !hidden {
		t.Error("forms are left that have done their work")
	}
	// The device was lost: this is another one.
	device.Remove()
	p.Authenticator(true)
	p.Press("add", "Add a new passkey")
	p.See("notice", "Passkey added.")
	p.See("notice", "You can sign in with your password now; your new passkey works tomorrow, ")
	to := Eval[string](p.Page, `document.querySelector("#notice a").href`)
	if want := p.server.URL() + "/sign-in?return_to=" + url.QueryEscape(p.server.URL()+"/docs"); to != want {
		t.Errorf("the way to sign in leads to %s, want %s", to, want)
	}
	p.accessible(axe(t), "a passkey that waits")
}

func TestRecoverByMail(t *testing.T) {
	box, err := inbox.Start(inbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Stop() })
	dsn := pgtest.NewDatabase(t)
	p, _, _ := withCodes(t, "SMTP_URL=smtp://"+box.Address, "STEPKEY_MAIL_FROM=no-reply@example.com", "DATABASE_URL="+dsn)
	p.expect("403 /recovery/passkey", "400 /recovery/passkey/finish")
	url := p.server.URL()
	const address = "mira@example.net"
	link := func(subject, page string) string { return p.mailed(box, address, subject, page) }
	begin := func() {
		t.Helper()
		p.Go("about:blank")
		p.Go(url + "/recover")
		p.signInToRecover(password)
		p.Press("mail", "Continue by e-mail")
	}
	begin()
	p.See("notice", "There is no address to write to.")

	p.load()
	p.run(`await s.signIn(` + credentials + `); await s.stepUp(); await s.call("POST", "/account/email", { email: "` + address + `" })`)
	p.Go(link("Confirm", "/confirm-email"))
	p.Press("act", "Confirm this address")
	p.See("notice", "Your address is confirmed.")
	begin()
	p.See("notice", "It takes until ")
	link("Someone is recovering your account", "/not-me")

	db, err := pgx.Connect(t.Context(), dsn+"&search_path=stepkey")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `UPDATE users SET recovery_ready_at = now()`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin()
	p.See("notice", "Look into your mailbox.")
	back := link("Get back into your account", "/recover")
	p.Go("about:blank")
	p.Go(back)
	p.signInToRecover(password)
	p.See("notice", "You are in, for a quarter of an hour.")
	p.Go("about:blank")
	p.Go(back)
	p.signInToRecover(password)
	p.See("notice", "This link no longer works.")
}

func TestRecoverByAnOperatorsLink(t *testing.T) {
	p, _, _ := withCodes(t)
	p.expect("400 /recovery/link")
	url := p.server.URL()
	p.Go(url + "/recover-by-link")
	p.See("notice", "This link no longer works.")

	printed, err := p.server.Run("user", "recover", "mira")
	if err != nil {
		t.Fatal(err)
	}
	link, _, _ := strings.Cut(printed, "\n")
	p.Go("about:blank")
	p.Go(link)
	p.Press("link", "Continue")
	p.See("notice", "You are in, for a quarter of an hour.")
	if hash := Eval[string](p.Page, "location.hash"); hash != "" {
		t.Errorf("the token is still in the address: %s", hash)
	}
	p.Go("about:blank")
	p.Go(link)
	p.Press("link", "Continue")
	p.See("notice", "This link no longer works.")
}
