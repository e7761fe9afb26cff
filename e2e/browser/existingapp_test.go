package browser

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

// The diff is applied to an application that is in use: its users sign in as before, and sessions from before go on.
func TestExistingAppMovesOver(t *testing.T) {
	needChromium(t)
	before, after := buildExample(t, "./before", "", ""), buildExample(t, ".", "", "")
	e := newExample(t, before)
	e.run(before)
	p, _ := e.open(t)
	p.Go(e.url + "/payouts")
	p.logIn("mira@example.com")
	p.at("/payouts", "Payouts of Mira")
	p.pay("100", "Ada")
	p.at("/payouts", "100 to Ada")

	e.run(after)
	p.Go(e.url + "/settings")
	p.at("/settings", "Settings of Mira")
	p.enterPayouts(e) // by a sign-in, since nothing tells how old that of the session is
	p.at("/payouts", "100 to Ada")

	other, _ := e.open(t)
	other.Go(e.url + "/login")
	other.Type("email", "jo@example.com")
	other.Type("password", "wrong")
	other.Press("shop", "Sign in")
	other.at("/login", "Wrong e-mail or password.")
	other.logIn("jo@example.com")
	other.at("/settings", "You have no passkey yet.")
}

func TestExistingApp(t *testing.T) {
	needChromium(t)
	program := buildExample(t, ".", "", "")
	for _, test := range []struct {
		name string
		run  func(t *testing.T, e *example)
	}{
		{"a posted form survives", existingAppKeepsForm},
		{"passkeys are in the settings", existingAppManages},
		{"signing out ends the proof", existingAppSignsOut},
		{"a changed address keeps the passkeys", existingAppChangesAddress},
		{"two tabs", existingAppInTwoTabs},
		{"the back button", existingAppGoesBack},
		{"signing in leads on within the application", existingAppRedirects},
		{"a copied cookie", existingAppCopiedCookie},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newExample(t, program)
			e.run(program)
			test.run(t, e)
		})
	}
}

func existingAppKeepsForm(t *testing.T, e *example) {
	p, _ := e.open(t)
	p.enterPayouts(e)
	e.age(11 * time.Minute)
	p.pay("1 000,50 €", "Ada & Söhne = 50%")
	p.at("/payouts", "Your last verification is over 10 minutes old.")
	if paid := e.payments(); len(paid) != 0 {
		t.Errorf("without a verification %q was paid", paid)
	}
	p.prove()
	p.at("/payouts", "1 000,50 € to Ada & Söhne = 50%")
	if paid := e.payments(); len(paid) != 1 {
		t.Errorf("paid %q, want one", paid)
	}
}

func existingAppManages(t *testing.T, e *example) {
	p, device := e.open(t)
	p.Go(e.url + "/settings")
	p.logIn("mira@example.com")
	p.at("/settings", "You have no passkey yet.")
	p.Press("shop", "Add a passkey")
	p.at("/settings", "Passkey added.")
	p.Press("shop", "Rename")
	p.seeDialog("Rename")
	p.Keys("\bLaptop\r")
	p.seeDialog("Confirm it’s you")
	p.pressDialog("Verify with a passkey")
	p.at("/settings", "Renamed.")
	p.Go(e.url + "/settings")
	p.at("/settings", "Laptop")
	if held := device.Credentials(); len(held) != 1 || held[0].UserName != "mira@example.com" || held[0].UserDisplayName != "Mira" {
		t.Errorf("the device holds %+v", held)
	}
	p.Press("shop", "Delete")
	p.pressDialog("Delete passkey")
	p.at("/settings", "You have no passkey yet.")
	p.forgive("/_stepkey/passkeys/")
}

func existingAppSignsOut(t *testing.T, e *example) {
	p, _ := e.open(t)
	p.enterPayouts(e)
	p.logOut(e)
	p.Back()
	p.at("/login", "Sign in")
	p.Go(e.url + "/payouts")
	p.logIn("mira@example.com")
	p.at("/_stepkey/verify", "Verify with a passkey")
	p.prove()
	p.at("/payouts", "Payouts of Mira")
}

func existingAppChangesAddress(t *testing.T, e *example) {
	p, device := e.open(t)
	p.enterPayouts(e)
	p.Go(e.url + "/settings")
	p.Type("email", "mira@example.org")
	p.Press("shop", "Save")
	p.at("/settings", "signed in as mira@example.org")
	p.logOut(e)
	p.Go(e.url + "/payouts")
	p.logIn("mira@example.org")
	p.at("/_stepkey/verify", "mira@example.org")
	p.prove()
	p.at("/payouts", "Payouts of Mira")
	if held := device.Credentials(); len(held) != 1 {
		t.Errorf("the device holds %d passkeys, want the first alone", len(held))
	}
}

func existingAppInTwoTabs(t *testing.T, e *example) {
	first, _ := e.open(t)
	first.enterPayouts(e)
	page, cancel := first.Beside()
	t.Cleanup(cancel)
	second := &tab{Page: page, t: t}
	second.Go(e.url + "/payouts")
	second.at("/payouts", "Payouts of Mira") // by the proof of the first
	second.pay("100", "Ada")
	second.at("/payouts", "100 to Ada")

	e.age(11 * time.Minute)
	second.Go(e.url + "/payouts")
	second.at("/_stepkey/verify", "Verify with a passkey")
	first.pay("200", "Bob")
	first.prove()
	first.at("/payouts", "200 to Bob")
	second.Go(e.url + "/payouts")
	second.at("/payouts", "200 to Bob")

	second.logOut(e)
	first.pay("300", "Eve")
	first.logIn("mira@example.com")
	first.at("/_stepkey/verify", "Verify with a passkey")
	if paid := e.payments(); len(paid) != 2 {
		t.Errorf("after the sign-out %q are paid, want two", paid)
	}
}

func existingAppGoesBack(t *testing.T, e *example) {
	p, _ := e.open(t)
	p.enterPayouts(e)
	e.age(11 * time.Minute)
	p.Go(e.url + "/settings")
	Eval[bool](p.Page, `(document.getElementById("payouts").click(), true)`)
	p.at("/_stepkey/verify", "Verify with a passkey")
	p.prove()
	p.at("/payouts", "Payouts of Mira")
	p.Back()
	p.at("/settings", "Settings of Mira")

	p.Go(e.url + "/payouts")
	e.age(11 * time.Minute)
	p.pay("100", "Ada")
	p.prove()
	p.at("/payouts", "100 to Ada")
	p.Back()
	p.at("/payouts", "Payouts of Mira")
	if paid := e.payments(); len(paid) != 1 {
		t.Errorf("after the back button %q are paid, want one", paid)
	}
}

func existingAppRedirects(t *testing.T, e *example) {
	for _, test := range []struct{ next, want string }{
		{"/settings?a=b#c", "/settings?a=b"},
		{"", "/settings"},
		{"//evil.example/", "/settings"},
		{`/\evil.example`, "/settings"},
		{"/\t/evil.example", "/settings"},
		{"https://evil.example/", "/settings"},
		{"javascript:alert(1)", "/settings"},
	} {
		t.Run(test.next, func(t *testing.T) {
			p, _ := e.open(t)
			p.Go(e.url + "/login?next=" + url.QueryEscape(test.next))
			p.logIn("mira@example.com")
			p.at("/settings", "Settings of Mira")
			if at := Eval[string](p.Page, `location.origin + location.pathname + location.search`); at != e.url+test.want {
				t.Errorf("after the sign-in the tab is at %s", at)
			}
		})
	}
}

func existingAppCopiedCookie(t *testing.T, e *example) {
	p, _ := e.open(t)
	p.Go(e.url + "/payouts")
	p.logIn("mira@example.com")
	p.at("/_stepkey/verify", "This needs a passkey")
	copied := p.cookie()
	if _, at := e.visit("/settings", copied); at != "/settings" {
		t.Errorf("before the verification the copied cookie leads to %s", at)
	}
	p.Press("stepkey", "Add a passkey")
	p.prove()
	p.at("/payouts", "Payouts of Mira")
	for _, path := range []string{"/payouts", "/settings"} {
		if _, at := e.visit(path, copied); at != "/login" {
			t.Errorf("after the verification the copied cookie leads from %s to %s", path, at)
		}
	}
	if status, at := e.visit("/payouts", p.cookie()); status != http.StatusOK || at != "/payouts" {
		t.Errorf("the new cookie leads to %d %s", status, at)
	}
}

// A user without a passkey, in each mode that the purpose can have.
func TestExistingAppInEachMode(t *testing.T) {
	needChromium(t)
	const rule = "Rule: stepup.Passkey.Within(10 * time.Minute)"
	for _, test := range []struct{ mode, asks, press string }{
		{"Required", "This needs a passkey", ""},
		{"Offered", "Protect this with a passkey", "Not now"},
		{"Shadow", "", ""},
	} {
		t.Run(test.mode, func(t *testing.T) {
			setting := rule
			if test.mode != "Required" {
				setting += ", Mode: stepup." + test.mode + ", Until: time.Now().AddDate(0, 0, 30)"
			}
			program := buildExample(t, ".", rule, setting)
			e := newExample(t, program)
			e.run(program)
			p, _ := e.open(t)
			p.Go(e.url + "/payouts")
			p.logIn("mira@example.com")
			if test.asks != "" {
				p.at("/_stepkey/verify", test.asks)
			}
			if test.mode == "Required" {
				p.Go(e.url + "/payouts")
				p.at("/_stepkey/verify", test.asks)
				return
			}
			if test.press != "" {
				p.Press("stepkey", test.press)
			}
			p.at("/payouts", "Payouts of Mira")
			p.pay("100", "Ada")
			p.at("/payouts", "100 to Ada")
		})
	}
}
