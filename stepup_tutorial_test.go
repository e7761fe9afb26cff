package stepkey_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/stepkeytest"
)

// The app of docs/stepup.md, with its edits, does what the document says.
func TestTutorialOfStepUp(t *testing.T) {
	const tutorial = "docs/stepup.md"
	programs := blocks(t, tutorial, "go")
	if len(programs) != 1 {
		t.Fatalf("%s has %d programs, want the app alone", tutorial, len(programs))
	}
	folder := t.TempDir()
	port := freePort(t)
	build := func(source string) {
		t.Helper()
		source = strings.ReplaceAll(source, "localhost:8080", "localhost:"+port)
		writeModule(t, folder, source)
		for _, args := range [][]string{{"vet", "."}, {"build", "-o", "app", "."}} {
			command := exec.Command("go", args...)
			command.Dir = folder
			if out, err := command.CombinedOutput(); err != nil {
				t.Fatalf("go %v: %v\n%s", args, err, out)
			}
		}
	}
	build(programs[0])
	edited := programs[0]
	for _, edit := range blocks(t, tutorial, "diff") {
		edited = applyEdit(t, edited, edit)
	}
	build(edited)
	base := "http://localhost:" + port
	runProgram(t, folder, base)

	want := func(what string, c *stepkeytest.Client, answer *http.Response, status int, text string) {
		t.Helper()
		if body := c.Body(answer); answer.StatusCode != status || !strings.Contains(body, text) {
			t.Errorf("%s: %d %s; want %d and %q", what, answer.StatusCode, body, status, text)
		}
	}
	password := url.Values{"email": {"mira@example.com"}, "password": {"correct horse battery"}}
	payout := url.Values{"amount": {"100"}, "to": {"Ada & Bob"}}
	c := stepkeytest.NewClient(t, base)
	want("nobody", c, c.Get("/payouts"), 200, "Sign in")
	want("after signing in", c, c.PostForm("/login?next=/payouts", password), 200, `data-state="enrol"`)
	c.Enrol()
	before, err := c.Get("/settings").Request.Cookie("session")
	if err != nil {
		t.Fatal(err)
	}
	want("with a passkey", c, c.Get("/payouts"), 200, "Payouts of mira@example.com")
	want("a payout", c, c.PostForm("/payouts", payout), 200, "paid 100 to Ada & Bob")
	want("the settings", c, c.Get("/settings"), 200, "Chrome on Linux")

	copied := stepkeytest.NewClient(t, base)
	copied.SetCookie(before)
	want("a copy of the cookie of before", copied, copied.Get("/payouts"), 200, "Sign in")

	want("signing out", c, c.PostForm("/logout", nil), 200, "Sign in")
	want("signed out", c, c.Get("/payouts"), 200, "Sign in")
	c.PostForm("/login?next=/settings", password)
	want("the form of the other tab", c, c.PostForm("/payouts", payout), 200, "paid 100 to Ada & Bob")

	c.PostForm("/logout", nil)
	c.PostForm("/login?next=/settings", password)
	c.Refuse()
	want("without verifying", c, c.PostForm("/payouts", payout), 401, `data-state="verify"`)
	want("a script", c, c.Call("/payouts", nil), 401, `"code":"step_up_required"`)
}

// freePort is a port of localhost that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

// writeModule makes a module of one program that requires what this repository does, and the
// repository itself as it is here.
func writeModule(t *testing.T, folder, program string) {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	const name = "module github.com/stepkey/stepkey\n"
	if !bytes.HasPrefix(module, []byte(name)) {
		t.Fatal("go.mod does not begin with its name")
	}
	text := fmt.Sprintf("module shop\n%s\nrequire github.com/stepkey/stepkey v0.0.0\n\nreplace github.com/stepkey/stepkey => %s\n",
		module[len(name):], root)
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []struct{ name, content string }{{"go.mod", text}, {"go.sum", string(sums)}, {"main.go", program}} {
		if err := os.WriteFile(filepath.Join(folder, file.name), []byte(file.content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// applyEdit replaces what an edit shows of a program. Its lines begin with a space if they stay,
// with '-' if they go and with '+' if they come.
func applyEdit(t *testing.T, program, edit string) string {
	t.Helper()
	var before, after strings.Builder
	for line := range strings.Lines(edit) {
		switch text := line[1:]; line[0] {
		case ' ':
			before.WriteString(text)
			after.WriteString(text)
		case '-':
			before.WriteString(text)
		case '+':
			after.WriteString(text)
		default:
			t.Fatalf("an edit has the line %q", line)
		}
	}
	if n := strings.Count(program, "\n"+before.String()); n != 1 {
		t.Fatalf("an edit fits the program in %d places, want 1:\n%s", n, edit)
	}
	return strings.Replace(program, "\n"+before.String(), "\n"+after.String(), 1)
}

// runProgram starts the program app in a folder and waits until it serves; the end of the test
// ends it.
func runProgram(t *testing.T, folder, base string) {
	t.Helper()
	var log bytes.Buffer
	running := exec.CommandContext(t.Context(), filepath.Join(folder, "app"))
	running.Dir, running.Stderr, running.Stdout = folder, &log, &log
	running.Env = append(os.Environ(), "STEPKEY_SECRET="+rootSecret)
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- running.Wait() }()
	t.Cleanup(func() {
		_ = running.Process.Kill()
		<-ended
	})
	for {
		if answer, err := http.Get(base + "/login"); err == nil {
			answer.Body.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("it ended: %v: %s", err, log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
