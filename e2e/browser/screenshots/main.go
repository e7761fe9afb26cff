// Screenshots draws every state of Stepkey's page as PNG files, for a person to look at:
//
//	cd e2e && go run ./browser/screenshots
//
// Arguments choose some of them, by how their names begin: as in "page-" or "account". With one that fits none, such as "none",
// only those for docs/images are drawn.
//
// It serves the page from a fresh build, on SQLite in a temporary folder, and writes to e2e/screenshots: each state at
// 320, 390, 768 and 1280 px, light and dark, and once in forced colours.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	old, err := filepath.Glob(filepath.Join(folder, "*.png"))
	if err != nil {
		return err
	}
	for _, picture := range old {
		if err := os.Remove(picture); err != nil {
			return err
		}
	}
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
	states(page, server.URL(), &album{page: page, folder: folder, wanted: os.Args[1:]})
	return nil
}

// states goes through the pages as a person would and takes a picture wherever they look different.
func states(p *browser.Page, url string, pictures *album) {
	device := p.Authenticator(true)
	demo(p, device, url, pictures)
	account(p, device, url, pictures)
	signing(p, device, url, pictures)
	waysBack(p, url, pictures)
	others(p, url, pictures)
}

// demo ends with somebody at full level.
func demo(p *browser.Page, device browser.Authenticator, url string, pictures *album) {
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
	p.See("add", "No passkey was made.")
	pictures.take("cancelled")
	device.Verified(true)
	p.Press("add", "Try again")
	p.Current("open")
	pictures.take("added")
	browser.Eval[bool](p, fmt.Sprintf(`import("/stepkey.js").then(({ stepkey }) => stepkey.signIn({ username: "mira", password: %q })).then(() => true)`, password))
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
	pictures.forDocs("demo", 1280, 1060)
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
}

// account begins at full level, and ends signed out.
func account(p *browser.Page, device browser.Authenticator, url string, pictures *album) {
	p.Go(url + "/account")
	p.Wait("the account", `document.querySelector("#activity li")`)
	pictures.take("account")
	refuse(url)
	p.Go(url + "/account")
	p.See("activity", "wrong passwords")
	pictures.take("account-activity")
	pictures.forDocs("account", 1280, 1320)
	p.Press("activity", "This was not me")
	p.See("dialog", "This was not you?")
	pictures.take("account-not-me")
	p.Press("dialog", "It was me")
	p.Press("passkeys", "Rename")
	pictures.take("account-rename")
	p.Keys("\b\r")
	p.See("passkeys", "Type a name.")
	pictures.take("account-rename-empty")
	p.Keys("\x1b")
	p.Press("passkeys", "Add a passkey")
	p.See("dialog", "It stays on your device")
	pictures.take("account-add")
	p.Press("dialog", "Cancel")
	p.Press("passkeys", "Delete")
	pictures.take("account-delete-last")
	p.Press("dialog", "Keep it")
	p.Press("password", "Change password")
	p.See("dialog", "New password")
	p.Press("dialog", "Change password")
	pictures.take("account-password")
	p.Press("dialog", "Cancel")
	p.Press("delete", "Delete account")
	p.See("dialog", "Delete this account?")
	pictures.take("account-delete")
	p.Press("dialog", "Keep it")
	p.Press("recovery", "Make codes")
	p.See("recovery", "Keep these now.")
	pictures.take("account-codes")
	p.Media("print", "prefers-color-scheme", "light")
	pictures.one("account-codes-printed")
	p.Media("screen", "prefers-color-scheme", "light")
	p.Press("recovery", "I have saved them")
	p.Offline(true)
	p.Press("recovery", "Make new codes")
	p.Press("dialog", "Make new codes")
	p.See("recovery", "You are offline.")
	pictures.take("account-offline")
	p.Offline(false)

	// At password level again, with a second passkey that is elsewhere: a change asks for one first.
	device.Present(false)
	p.Press("top", "Sign out")
	p.See("gate", "Sign in with a passkey")
	pictures.take("account-sign-in")
	p.Press("gate", "Sign in with a passkey")
	p.See("gate", "Follow your device")
	pictures.take("account-sign-in-waiting")
	p.Press("gate", "Stop")
	p.Type("username", "mira")
	p.Type("password-now", "something else")
	p.Press("signin", "Sign in")
	p.See("gate", "Username or password is not right.")
	pictures.take("account-sign-in-refused")
	p.Type("password-now", password)
	p.Press("signin", "Sign in")
	p.Wait("the account", `document.querySelector("#activity li")`)
	p.Press("passkeys", "Rename")
	p.Keys("\bLaptop\r")
	p.See("dialog", "Confirm it’s you")
	pictures.take("account-step-up")
	p.Press("dialog", "Verify with a passkey")
	p.See("dialog", "Follow your device")
	pictures.take("account-step-up-waiting")
	p.Press("dialog", "Stop")
	p.Press("dialog", "Cancel")
	p.Press("top", "Sign out")
	p.See("gate", "Sign in")
}

// refuse has somebody else type three wrong passwords.
func refuse(url string) {
	for range 3 {
		response, err := http.Post(url+"/auth/login", "application/json", strings.NewReader(`{"username":"mira","password":"something else"}`))
		if err != nil {
			tb{}.Fatalf("a wrong password: %v", err)
		}
		response.Body.Close()
	}
}

// signing begins and ends signed out. Somebody makes an account on the pages to which applications send people.
func signing(p *browser.Page, device browser.Authenticator, url string, pictures *album) {
	device.Present(false)
	open := func(page, form string) {
		p.Go("about:blank")
		p.Go(url + page)
		p.Wait("the form", `document.getElementById("`+form+`")?.checkVisibility()`)
	}
	open("/sign-in?return_to=//elsewhere.example", "signin")
	pictures.take("page-unknown-app")
	open("/sign-in", "signin")
	pictures.take("page-sign-in")
	pictures.forDocs("sign-in", 720, 640)
	p.Type("username", "sol")
	p.Type("password", "something else")
	p.Press("signin", "Sign in")
	p.See("signin", "Username or password is not right.")
	pictures.take("page-wrong-password")
	p.Press("signin", "Sign in with a passkey")
	p.See("gate", "Follow your device")
	pictures.take("page-sign-in-waiting")
	p.Press("gate", "Stop")
	open("/sign-up", "signup")
	pictures.take("page-sign-up")
	pictures.forDocs("sign-up", 720, 640)
	p.Type("username", "sol")
	p.Type("password", "short")
	p.Press("signup", "Create account")
	p.See("signup", "Use at least 8 characters.")
	pictures.take("page-field-error")
	p.Type("password", password)
	p.Press("signup", "Create account")
	p.See("offer", "Skip the password next time.")
	pictures.take("page-offer")
	device.Present(true)
	device.Verified(false)
	p.Press("offer", "Add a passkey")
	p.See("offer", "No passkey was made.")
	pictures.take("page-no-passkey-made")
	device.Verified(true)
	p.Press("offer", "Try again")
	p.Wait("the account", `location.pathname === "/account" && document.querySelector("#activity li")`)
	open("/verify?max_age=0", "check")
	pictures.take("page-verify")
	pictures.forDocs("verify", 720, 640)
	device.Verified(false)
	p.Press("check", "Verify with a passkey")
	p.See("notice", "No passkey was used.")
	pictures.take("page-no-passkey-used")
	device.Verified(true)
	device.Present(false)
	p.Go(url + "/account")
	p.Press("top", "Sign out")
	p.See("gate", "Sign in with a passkey")
}

// waysBack are the pages behind links in mails, and those for people who have lost all passkeys.
func waysBack(p *browser.Page, url string, pictures *album) {
	p.Go(url + "/recover")
	p.See("main", "Get back into your account")
	pictures.take("recover")
	p.Type("username", "mira")
	p.Type("password", password)
	p.Press("signin", "Continue")
	p.See("mail", "No code?")
	pictures.take("recover-code")
	p.Go("about:blank")
	p.Go(url + "/recover-by-link#token")
	p.See("main", "Get back into your account")
	pictures.take("recover-by-link")
	for _, page := range []string{"confirm-email", "reset-password", "invitation", "not-me"} {
		p.Go("about:blank")
		p.Go(url + "/" + page + "#token")
		p.Wait("the page", `document.querySelector("main h1")?.checkVisibility()`)
		pictures.take(page)
	}
	p.Go("about:blank")
	p.Go(url + "/reset-password")
	p.Wait("the page", `document.querySelector("main h1")?.checkVisibility()`)
	pictures.take("reset-password-ask")
	p.Go(url + "/nothing/here")
	p.See("main", "This page does not exist")
	pictures.take("not-found")
}

// others are a new account that wants no passkey, and the reference.
func others(p *browser.Page, url string, pictures *album) {
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
	pictures.take("reference")
}

type album struct {
	page   *browser.Page
	folder string
	count  int
	wanted []string // beginnings of names; all are, if there are none
}

func (a *album) wants(name string) bool {
	return len(a.wanted) == 0 || slices.ContainsFunc(a.wanted, func(w string) bool { return strings.HasPrefix(name, w) })
}

func (a *album) take(name string) {
	a.count++
	if !a.wants(name) {
		return
	}
	for _, width := range []int64{320, 390, 768, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			a.page.Look(width, scheme)
			a.save(fmt.Sprintf("%s-%d-%s", name, width, scheme))
		}
	}
	a.page.Media("screen", "forced-colors", "active")
	a.save(name + "-1280-forced")
	a.page.Media("screen", "forced-colors", "none")
	fmt.Println(name)
}

// one takes a single picture, of the page as it is.
func (a *album) one(name string) {
	a.count++
	a.save(name)
	fmt.Println(name)
}

// forDocs takes the picture of which docs/images keeps a copy.
func (a *album) forDocs(name string, width, height int64) {
	a.page.Look(width, "light")
	a.write("docs-"+name, a.page.View(width, height))
}

func (a *album) save(name string) {
	a.write(fmt.Sprintf("%02d-%s", a.count, name), a.page.Picture())
}

func (a *album) write(name string, png []byte) {
	if err := os.WriteFile(filepath.Join(a.folder, name+".png"), png, 0o644); err != nil {
		tb{}.Fatalf("%v", err)
	}
}

// tb ends the run where a test would end.
type tb struct{}

type stop struct{ error }

func (tb) Helper() {}

func (tb) Fatalf(format string, args ...any) { panic(stop{fmt.Errorf(format, args...)}) }
