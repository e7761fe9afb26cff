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
	p.Wait(path+" with "+words, `document.readyState === "complete" && location.pathname === `+quoted(path)+
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
