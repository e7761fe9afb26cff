// Screenshots draws every state of Stepkey's page as PNG files, for a person to look at:
//
//	cd e2e && go run ./browser/screenshots
//
// It serves the page from a fresh build, on SQLite in a temporary folder, and writes to e2e/screenshots: each state at
// 320, 390, 768 and 1280 px, light and dark.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/stepkey/stepkey/e2e/browser"
)

const password = "stairs and a keyhole"

func main() {
	if err := run("screenshots"); err != nil {
		log.Fatal(err)
	}
}

func run(folder string) (err error) {
	if browser.Executable() == "" {
		return fmt.Errorf("no Chromium found; on Debian and Ubuntu: apt-get install chromium")
	}
	dir, err := os.MkdirTemp("", "stepkey-screenshots-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := browser.Build(dir)
	if err != nil {
		return err
	}
	server, err := browser.Serve(program, dir)
	if err != nil {
		return err
	}
	defer server.Stop()
	chrome, cancel, err := browser.Launch(filepath.Join(dir, "profile"))
	if err != nil {
		return err
	}
	defer cancel()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}

	// A page that cannot go on panics, so that the server and the browser are stopped on the way out.
	defer func() {
		if stopped, ok := recover().(stop); ok {
			err = stopped.error
		}
	}()
	page, closePage := browser.Open(tb{}, chrome)
	defer closePage()
	states(page, server.URL(), &album{page: page, folder: folder})
	return nil
}

// states goes through the page as a person would and takes a picture wherever it looks different.
func states(p *browser.Page, url string, pictures *album) {
	device := p.Authenticator(true)
	p.Go(url)
	pictures.take("start")
	p.Press("open", "Open the page")
	p.See("open", "Sign in first.")
	p.Type("new-name", "mira")
	p.Type("new-password", "short")
	p.Press("signup", "Create account")
	p.See("signup", "Use at least 8 characters.")
	pictures.take("field-error")
	p.Type("new-password", password)
	p.Press("signup", "Create account")
	p.Current("signin")
	pictures.take("sign-in")
	p.Type("password", "something else")
	p.Press("signin", "Sign in")
	p.See("signin", "Username or password is not right.")
	pictures.take("wrong-password")
	p.Type("password", password)
	p.Press("signin", "Sign in")
	p.Current("add")
	pictures.take("add")
	device.Present(false)
	p.Press("add", "Add a passkey")
	p.See("add", "Follow your device")
	pictures.take("waiting")
	p.Press("add", "Stop")
	p.See("add", "Add a passkey")
	device.Present(true)
	device.Verified(false)
	p.Press("add", "Add a passkey")
	p.See("add", "No passkey was used.")
	pictures.take("cancelled")
	device.Verified(true)
	p.Press("add", "Try again")
	p.Current("verify")
	pictures.take("verify")
	p.Press("open", "Open the page")
	p.See("open", "This page needs full level.")
	pictures.take("refused")
	device.Override(true, false)
	p.Press("verify", "Verify with a passkey")
	p.See("verify", "This passkey did not work.")
	pictures.take("bad-signature")
	device.Override(false, false)
	p.Press("verify", "Try again")
	p.Current("open")
	p.Press("log", "Device\nnavigator.credentials.get()")
	pictures.take("full-level")
	p.Press("open", "Open the page")
	p.See("open", "The server saw full level")
	pictures.take("open")
	p.Press("add", "Add another passkey")
	p.See("add", "This device is ready.")
	pictures.take("already-there")
	device.Present(false)
	p.Press("top", "Sign out")
	p.See("signin", "Sign in with a passkey")
	pictures.take("sign-in-again")
	p.Press("signin", "Sign in with a passkey")
	p.See("signin", "Follow your device")
	pictures.take("sign-in-waiting")
	p.Press("signin", "Stop")
	device.Present(true)
	device.Verified(false)
	p.Press("signin", "Sign in with a passkey")
	p.See("signin", "No passkey was used.")
	pictures.take("sign-in-cancelled")
	device.Verified(true)
	p.Press("signin", "Try again")
	p.See("claims", "a passkey alone")
	pictures.take("passkey-alone")
	p.Go(url + "/account")
	p.Wait("the account", `document.querySelector("#activity li")`)
	pictures.take("account")
	p.Press("passkeys", "Delete")
	pictures.take("account-delete-last")
	p.Press("dialog", "Keep it")
	p.Press("recovery", "Make codes")
	p.See("recovery", "Keep these now.")
	pictures.take("account-codes")
	p.Press("recovery", "I have saved them")
	device.Present(false)
	p.Press("top", "Sign out")
	p.See("gate", "Sign in with a passkey")
	pictures.take("account-sign-in")
	p.Go(url + "/recover")
	p.See("main", "Get back into your account")
	pictures.take("recover")
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signin", "Go on")
	p.See("mail", "No code?")
	pictures.take("recover-code")
	p.Go("about:blank")
	p.Go(url + "/recover-by-link#token")
	p.See("main", "Get back into your account")
	pictures.take("recover-by-link")
	p.Go(url)
	p.Press("signup", "Sign in")
	p.Press("signin", "Create an account")
	p.Type("new-name", "noor")
	p.Type("new-password", password)
	p.Press("signup", "Create account")
	p.Current("signin")
	p.Press("signin", "Sign in")
	p.Current("add")
	p.Press("add", "Not now")
	p.Current("open")
	pictures.take("not-now")
	p.Go(url + "/docs")
	p.Wait("the list", `!document.getElementById("operations").hasAttribute("aria-busy")`)
	pictures.take("reference")
}

type album struct {
	page   *browser.Page
	folder string
	count  int
}

func (a *album) take(name string) {
	a.count++
	for _, width := range []int64{320, 390, 768, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			a.page.Look(width, scheme)
			file := filepath.Join(a.folder, fmt.Sprintf("%02d-%s-%d-%s.png", a.count, name, width, scheme))
			if err := os.WriteFile(file, a.page.Picture(), 0o644); err != nil {
				tb{}.Fatalf("%v", err)
			}
		}
	}
	fmt.Println(name)
}

// tb ends the run where a test would end.
type tb struct{}

type stop struct{ error }

func (tb) Helper() {}

func (tb) Fatalf(format string, args ...any) { panic(stop{fmt.Errorf(format, args...)}) }
