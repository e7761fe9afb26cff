package proxy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stepkey/stepkey/e2e/browser"
)

// tab is Stepkey's page in a browser of its own.
type tab struct {
	*browser.Page
	expected []string
}

// expect names refusals, by status and path, that the test provokes.
func (p *tab) expect(refusals ...string) { p.expected = append(p.expected, refusals...) }

// open starts Chromium, which takes the site's certificate for valid and no other bad one, and opens the page at an origin.
// What the browser holds against it at the end fails the test.
func (s *site) open(at string) *tab {
	s.t.Helper()
	var rules []string
	for _, name := range s.place.names {
		rules = append(rules, fmt.Sprintf("MAP %s:443 %s", name, s.place.https))
	}
	chrome, end, err := browser.Launch(filepath.Join(s.t.TempDir(), "profile"),
		chromedp.Flag("host-resolver-rules", strings.Join(rules, ", ")),
		chromedp.Flag("ignore-certificate-errors-spki-list", s.place.certificate.pin))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(end)
	page, closeTab := browser.Open(s.t, chrome)
	// A new account's first question, whether it has a passkey, is answered with 400.
	p := &tab{page, []string{"400 /passkeys/authenticate/options"}}
	s.t.Cleanup(func() {
		if left := page.Complaints(p.expected...); len(left) > 0 {
			s.t.Errorf("the browser complains:\n%s", strings.Join(left, "\n"))
		}
		closeTab()
	})
	page.Go(at)
	page.Authenticator(true)
	return p
}

// inChromium runs a test behind each proxy if there is a browser.
func inChromium(t *testing.T, test func(*testing.T, *site)) {
	t.Helper()
	if browser.Executable() == "" {
		const message = "Chromium is missing; on Debian and Ubuntu: apt-get install chromium"
		if os.Getenv("CI") == "true" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	throughBoth(t, test, trusting)
}

// signIn makes an account and signs in with it, up to where a passkey can be added.
func (p *tab) signIn() {
	p.Type("new-name", "mira")
	p.Type("new-password", password)
	p.Press("signup", "Create account")
	p.Current("signin")
	p.Press("signin", "Sign in")
	p.Current("add")
}

// wholePath goes from no account to the page that needs a passkey.
func (p *tab) wholePath() {
	p.expect("403 /users/histories")
	p.signIn()
	p.Press("add", "Add a passkey")
	p.Current("verify")
	p.Press("open", "Open the page")
	p.See("open", "This page needs full level.")
	p.Press("verify", "Verify with a passkey")
	p.Current("open")
	p.See("badge", "Full level")
	p.Press("open", "Open the page")
	p.See("open", `200 {"success":true}`)
}

// signedFor checks which origin the browser has the passkey sign for.
func (p *tab) signedFor(origin string) {
	p.Wait(origin+" in the log", fmt.Sprintf(`document.getElementById("log").textContent.includes(%q)`, `"origin": "`+origin+`"`))
}

func TestPageOverHTTPS(t *testing.T) {
	inChromium(t, func(t *testing.T, s *site) {
		p := s.open(origin)
		p.wholePath()
		p.signedFor(origin)
	})
}

// The page of another domain uses the passkeys of the first, which the browser allows after it has asked the first.
func TestPageOfARelatedOrigin(t *testing.T) {
	inChromium(t, func(t *testing.T, s *site) {
		p := s.open("https://" + related)
		p.wholePath()
		p.signedFor("https://" + related)
		asked := 0
		for _, server := range s.instances {
			asked += handled(server, "/.well-known/webauthn")
		}
		if asked == 0 {
			t.Error("the browser has not asked which origins are related")
		}
	})
}

// The page of a domain that is not listed gets nothing from the browser: the server is not asked.
func TestPageOfAStranger(t *testing.T) {
	inChromium(t, func(t *testing.T, s *site) {
		p := s.open("https://" + stranger)
		p.signIn()
		p.Press("add", "Add a passkey")
		p.See("add", "Passkeys do not work at this address.")
		p.See("badge", "Password level")
		for i, server := range s.instances {
			if n := handled(server, "/passkeys/register/verify"); n != 0 {
				t.Errorf("instance %d was asked %d times", i, n)
			}
		}
	})
}

// Below the passkeys' domain the browser allows every page, and the server refuses those that are not listed.
func TestPageOfASibling(t *testing.T) {
	inChromium(t, func(t *testing.T, s *site) {
		p := s.open("https://" + sibling)
		p.expect("401 /passkeys/register/verify")
		p.signIn()
		p.Press("add", "Add a passkey")
		p.See("add", "This passkey was not added.")
		p.See("badge", "Password level")
	})
}
