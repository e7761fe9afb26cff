package browser

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
)

const (
	exampleFolder   = "../../examples/existing-app"
	examplePassword = "correct horse battery" // of the users that the example seeds
)

// buildExample compiles a package of the example and returns the program. A change of its source, if there is one, is made
// on the way, and has to be there once.
func buildExample(t *testing.T, pkg, old, changed string) string {
	t.Helper()
	folder, err := filepath.Abs(exampleFolder)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "shop")
	args := []string{"build", "-o", program}
	if old != "" {
		args = append(args, "-overlay", overlay(t, filepath.Join(folder, "main.go"), old, changed))
	}
	build := exec.CommandContext(t.Context(), "go", append(args, pkg)...)
	build.Dir = folder
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	return program
}

// overlay writes what go build -overlay takes to read another text in place of a file.
func overlay(t *testing.T, file, old, changed string) string {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(source, []byte(old)) != 1 {
		t.Fatalf("%s is not in %s once", old, file)
	}
	dir := t.TempDir()
	replacement := filepath.Join(dir, "main.go")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{file: replacement}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{replacement: bytes.Replace(source, []byte(old), []byte(changed), 1), filepath.Join(dir, "overlay.json"): list} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "overlay.json")
}

// example is the example at an address, and its database.
type example struct {
	t   *testing.T
	url string
	db  *sql.DB
	env []string

	running *exec.Cmd
	exited  chan struct{}
}

// newExample returns the example with a database of its own and the users that it seeds; run starts it.
func newExample(t *testing.T, program string) *example {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	dsn := pgtest.NewDatabase(t)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	secret := make([]byte, 32)
	rand.Read(secret)
	e := &example{t: t, url: "http://localhost:" + port, db: db, env: []string{
		"DATABASE_URL=" + dsn, "ADDR=localhost:" + port, "ORIGIN=http://localhost:" + port,
		"STEPKEY_SECRET=" + base64.StdEncoding.EncodeToString(secret),
	}}
	seed := exec.CommandContext(t.Context(), program, "seed")
	seed.Env = e.env
	if out, err := seed.CombinedOutput(); err != nil {
		t.Fatalf("seed: %v\n%s", err, out)
	}
	t.Cleanup(e.stop)
	return e
}

// run starts a program of the example, in place of the one before.
func (e *example) run(program string) {
	e.t.Helper()
	e.stop()
	var log bytes.Buffer
	e.running = exec.Command(program)
	e.running.Env, e.running.Stderr = e.env, &log
	if err := e.running.Start(); err != nil {
		e.t.Fatal(err)
	}
	exited := make(chan struct{})
	e.exited = exited
	running := e.running
	go func() {
		_ = running.Wait() // stop ends it by a signal
		close(exited)
	}()
	for end := time.Now().Add(patience.Long); ; time.Sleep(20 * time.Millisecond) {
		if answer, err := http.Get(e.url + "/login"); err == nil {
			answer.Body.Close()
			return
		}
		select {
		case <-exited:
			e.t.Fatalf("the example ended:\n%s", log.String())
		default:
		}
		if time.Now().After(end) {
			e.t.Fatal("the example does not answer")
		}
	}
}

func (e *example) stop() {
	if e.running == nil {
		return
	}
	_ = e.running.Process.Signal(syscall.SIGINT) // it may have ended by itself
	<-e.exited
	e.running = nil
}

// open opens a tab with a device for the example.
func (e *example) open(t *testing.T) (*tab, Authenticator) {
	t.Helper()
	page, cancel := Open(t, chrome)
	p := &tab{Page: page, t: t, expected: []string{"404 /favicon.ico", "401 /payouts", "401 /login"}}
	t.Cleanup(func() {
		if left := page.Complaints(p.expected...); len(left) > 0 {
			t.Errorf("the browser complains:\n%s", strings.Join(left, "\n"))
		}
		cancel()
	})
	return p, p.Authenticator(true)
}

// at waits until the tab shows a page of the example, or of the Kit, with these words.
func (p *tab) at(path, words string) {
	p.t.Helper()
	p.reach(path+" with "+words, `document.readyState === "complete" && location.pathname === `+quoted(path)+
		` && document.querySelector("main")?.innerText.includes(`+quoted(words)+`)`)
}

// logIn signs a user of the example in, on the page where the tab is sent for that.
func (p *tab) logIn(email string) {
	p.t.Helper()
	p.at("/login", "Sign in")
	p.Type("email", email)
	p.Type("password", examplePassword)
	p.Press("shop", "Sign in")
}

// enterPayouts has a user without a passkey sign in, add one and verify it, on the way to the payouts.
func (p *tab) enterPayouts(e *example) {
	p.t.Helper()
	p.Go(e.url + "/payouts")
	p.logIn("mira@example.com")
	p.at("/_stepkey/verify", "This needs a passkey")
	p.Press("stepkey", "Add a passkey")
	p.prove()
	p.at("/payouts", "Payouts of Mira")
}

// pay sends the form of the page of payouts.
func (p *tab) pay(amount, recipient string) {
	p.t.Helper()
	p.Type("amount", amount)
	p.Type("recipient", recipient)
	p.Press("shop", "Pay")
}

func (p *tab) logOut(e *example) {
	p.t.Helper()
	p.Go(e.url + "/settings")
	p.Press("shop", "Sign out")
	p.at("/login", "Sign in")
}

func (p *tab) goBack() {
	p.t.Helper()
	Eval[bool](p.Page, `(setTimeout(() => history.back()), true)`)
}

// payments are the payouts in the database.
func (e *example) payments() (list []string) {
	e.t.Helper()
	rows, err := e.db.QueryContext(e.t.Context(), `SELECT amount || ' to ' || recipient FROM payouts ORDER BY id`)
	if err != nil {
		e.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var p string
		if err := rows.Scan(&p); err != nil {
			e.t.Fatal(err)
		}
		list = append(list, p)
	}
	if err := rows.Err(); err != nil {
		e.t.Fatal(err)
	}
	return list
}

// age makes every proof so much older.
func (e *example) age(by time.Duration) {
	e.t.Helper()
	_, err := e.db.ExecContext(e.t.Context(), `UPDATE stepkey.sessions SET full_at = full_at - make_interval(secs => $1)`, by.Seconds())
	if err != nil {
		e.t.Fatal(err)
	}
}

// cookie is the cookie by which the tab is signed in.
func (p *tab) cookie() *http.Cookie {
	p.t.Helper()
	held, err := chromedp.Call(p.ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range held.Cookies {
		if c.Name == "session" {
			return &http.Cookie{Name: c.Name, Value: c.Value}
		}
	}
	p.t.Fatal("there is no session cookie")
	return nil
}

// visit answers a request for a page with a cookie, by status and path after redirects.
func (e *example) visit(path string, cookie *http.Cookie) (status int, at string) {
	e.t.Helper()
	r, err := http.NewRequestWithContext(e.t.Context(), http.MethodGet, e.url+path, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		e.t.Fatal(err)
	}
	jar.SetCookies(r.URL, []*http.Cookie{cookie})
	r.Header.Set("Accept", "text/html")
	answer, err := (&http.Client{Jar: jar}).Do(r)
	if err != nil {
		e.t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		e.t.Fatal(err)
	}
	return answer.StatusCode, answer.Request.URL.Path
}

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
	p.goBack()
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
	p.goBack()
	p.at("/settings", "Settings of Mira")

	p.Go(e.url + "/payouts")
	e.age(11 * time.Minute)
	p.pay("100", "Ada")
	p.prove()
	p.at("/payouts", "100 to Ada")
	p.goBack()
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

// needChromium skips a test where there is none, unless nothing may be skipped.
func needChromium(t *testing.T) {
	t.Helper()
	if chrome != nil {
		return
	}
	const message = "Chromium is missing; on Debian and Ubuntu: apt-get install chromium"
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}
