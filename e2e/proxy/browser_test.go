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
// Complaints of the browser fail the test at the end.
func (s *site) open(at string) *tab {
	s.t.Helper()
	var rules []string
	for _, name := range s.place.names {
		rules = append(rules, fmt.Sprintf("MAP %s:443 %s", name, s.place.https))
	}
	chrome, end, err := browser.Launch(filepath.Join(s.t.TempDir(), "profile"),
		chromedp.Flag("host-resolver-rules", strings.Join(rules, ", ")),
		chromedp.Flag("ignore-certificate-errors-spki-list", s.place.certificate.Pin))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(end)
	page, closeTab := browser.Open(s.t, chrome)
	p := &tab{Page: page}
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

// trySignIn makes an account and presses the button that signs in with it.
func (p *tab) trySignIn() {
	p.Type("new-name", "mira")
	p.Type("new-password", password)
	p.Press("signup", "Create account")
	p.Current("signin")
	p.Press("signin", "Sign in")
}

// signIn signs in, up to where a passkey can be added.
func (p *tab) signIn() {
	p.trySignIn()
	p.Current("add")
}

// turnedAway is a page whose origin is not listed: it gets no session that a cookie keeps, and says why.
func (p *tab) turnedAway() {
	p.expect("403 /auth/login")
	p.trySignIn()
	p.See("signin", "Passkeys do not work at this address.")
	p.See("badge", "Signed out")
}

// wholePath goes from no account to the page that needs a passkey.
func (p *tab) wholePath() {
	p.expect("403 /users/histories")
	p.signIn()
	p.Press("open", "Open the page")
	p.See("open", "This page needs full level.")
	p.Press("add", "Add a passkey") // which verifies it
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

// The page of a domain that is not listed gets no session.
func TestPageOfAStranger(t *testing.T) {
	inChromium(t, func(t *testing.T, s *site) {
		s.open("https://" + stranger).turnedAway()
	})
}

// Nor does one below the passkeys' domain, whose cookies the browser would send along.
func TestPageOfASibling(t *testing.T) {
	inChromium(t, func(t *testing.T, s *site) {
		s.open("https://" + sibling).turnedAway()
	})
}
