package browser

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
)

// company is a company's look: name, logos, colours and links.
func company(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	for name, colour := range map[string]string{"light.svg": "#123", "dark.svg": "#def"} {
		logo := `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 28"><rect width="100" height="28" rx="6" fill="` + colour + `"/></svg>`
		if err := os.WriteFile(filepath.Join(dir, name), []byte(logo), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{
		"RP_NAME=Ledger Bank", "STEPKEY_ACCENT=#8a1c5c", "STEPKEY_LOGO=" + filepath.Join(dir, "light.svg"),
		"STEPKEY_LOGO_DARK=" + filepath.Join(dir, "dark.svg"), "STEPKEY_FOOTER_LINKS=Imprint=https://example.com/imprint,Privacy=/privacy",
	}
}

func TestCompanyOnTheSignInPages(t *testing.T) {
	p := startSigning(t, company(t)...)
	p.ask("/sign-in")
	p.Look(1280, "dark")
	p.Wait("the dark logo", `document.querySelector(".brand img").currentSrc.includes("logo-dark")`)
	p.Look(1280, "light")
	p.Wait("the light logo", `document.querySelector(".brand img").currentSrc.endsWith("logo.svg")`)
	got := Eval[[]string](p.Page, `[document.title, document.querySelector(".brand img").alt, document.querySelector("footer").innerText.replace(/\s+/g, " "),
		getComputedStyle(document.querySelector("#signin .btn:not([type])")).backgroundColor]`)
	for i, want := range []string{"Ledger Bank", "Ledger Bank", "Ledger Bank Imprint Privacy", "rgb(138, 28, 92)"} {
		if !strings.Contains(got[i], want) {
			t.Errorf("%q lacks %q", got[i], want)
		}
	}
	if server, err := Serve(program, t.TempDir(), "STEPKEY_ACCENT=#ffd0e8"); err == nil || !strings.Contains(err.Error(), "contrast") {
		if err == nil {
			_ = server.Stop()
		}
		t.Errorf("a pale colour: %v, want a refusal that names the contrast", err)
	}
}

// No state of the pages is one that axe objects to, with Stepkey's colours and with a company's.
func TestSignInPagesAccessible(t *testing.T) {
	source := axe(t)
	for look, settings := range map[string][]string{"stepkey": nil, "company": company(t)} {
		t.Run(look, func(t *testing.T) {
			p := startSigning(t, settings...)
			p.expect("401 /auth/login", "400 /auth/signup")
			device := p.Authenticator(true)
			state := func(name string) {
				t.Helper()
				p.accessible(source, name)
				p.Look(320, "light")
				p.fits(name)
			}
			p.ask("/sign-in")
			p.See("gate", "Sign in with a passkey")
			state("sign-in")
			p.Type("username", "mira")
			p.Type("password", "something else")
			p.Press("signin", "Sign in")
			p.See("signin", "Username or password is not right.")
			state("wrong password")
			p.Go(p.server.URL() + "/sign-up?return_to=//evil.example")
			p.See("notice", "We do not know the app")
			p.Type("username", "mira")
			p.Type("password", "short")
			p.Press("signup", "Create account")
			p.See("signup", "Use at least 8 characters.")
			state("field error")
			p.signUp("mira")
			state("offer")
			device.Present(false)
			p.Press("offer", "Add a passkey")
			p.See("offer", "Follow your device")
			state("waiting")
			p.Press("offer", "Stop")
			device.Present(true)
			device.Verified(false)
			p.Press("offer", "Add a passkey")
			p.See("offer", "No passkey was made.")
			state("no passkey made")
			device.Verified(true)
			p.Press("offer", "Try again")
			p.arrives("mira full")
			p.ask("/verify", "max_age", "0")
			device.Verified(false)
			p.Press("check", "Verify with a passkey")
			p.See("notice", "No passkey was used.")
			state("verify")
			p.ask("/sign-in")
			p.arrives("mira full")
			p.ask("/sign-in")
			p.See("leaving", "Continue to localhost:")
			state("already signed in")
			p.Go(p.server.URL() + "/invitation#token")
			p.See("signup", "Create account")
			state("invitation")
		})
	}
}

// The example application sends people to the pages and reads their token when they are back.
func TestRedirectExample(t *testing.T) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	app := "http://localhost:" + port
	p := &signing{start(t, "STEPKEY_RETURN_ORIGINS="+app, "STEPKEY_CORS_ORIGINS="+app), app}
	p.expect("404 /favicon.ico")

	example := filepath.Join(t.TempDir(), "redirect")
	build := exec.Command("go", "build", "-o", example, ".")
	build.Dir = filepath.Join("..", "..", "examples", "redirect")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build examples/redirect: %v\n%s", err, out)
	}
	process := exec.Command(example, "-addr", "localhost:"+port, "-stepkey", p.server.URL())
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	for end := time.Now().Add(patience.Long); ; time.Sleep(20 * time.Millisecond) {
		if response, err := http.Get(app); err == nil {
			response.Body.Close()
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}

	says := func(text string) {
		t.Helper()
		p.Wait(text, `document.getElementById("who")?.innerText === "`+text+`"`)
	}
	device := p.Authenticator(true)
	p.Go(app)
	says("Nobody is signed in.")
	Eval[bool](p.Page, `(document.querySelector("a").click(), true)`)
	p.See("gate", "Create an account")
	Eval[bool](p.Page, `(document.querySelector("[data-carry]").click(), true)`)
	p.See("gate", "Create account")
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signup", "Create account")
	p.Press("offer", "Add a passkey")
	says("Signed in as mira, level full.")

	p.signOut()
	device.Present(false)
	p.Go(app)
	says("Nobody is signed in.")
	Eval[bool](p.Page, `(document.querySelector("a").click(), true)`)
	p.See("gate", "Create an account")
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signin", "Sign in")
	says("Signed in as mira, level password.")
}
