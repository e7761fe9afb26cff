package gate_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stepkey/stepkey/e2e/browser"
	"github.com/stepkey/stepkey/e2e/front"
	"github.com/stepkey/stepkey/internal/patience"
)

const tutorial = "../../docs/protect-any-app.md"

// snippets returns what the tutorial shows in a language.
func snippets(t *testing.T, language string) (found []string) {
	t.Helper()
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(front.Read(t, tutorial), -1) {
		found = append(found, match[1])
	}
	if len(found) == 0 {
		t.Fatalf("%s shows no %s", tutorial, language)
	}
	return found
}

// walk is somebody who follows the tutorial in a folder, on other ports than it says.
type walk struct {
	t         *testing.T
	folder    string
	app, gate string // addresses
}

func (w walk) ported(text string) string {
	return strings.NewReplacer("localhost:3000", w.gate, "127.0.0.1:8080", w.app, `("127.0.0.1", 8080)`, `("127.0.0.1", `+port(w.app)+`)`).Replace(text)
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

func (w walk) write(file, text string) {
	w.t.Helper()
	front.WriteFile(w.t, filepath.Join(w.folder, file), w.ported(text))
}

// command is a line of the tutorial, with the settings that it begins with.
func (w walk) command(line string) *exec.Cmd {
	w.t.Helper()
	words := strings.Fields(w.ported(line))
	environment := []string{"PORT=" + port(w.gate), "PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH"), "HOME=" + w.folder}
	for ; strings.Contains(words[0], "="); words = words[1:] {
		environment = append(environment, words[0])
	}
	if words[0] == "stepkey" {
		words[0] = program
	}
	command := exec.Command(words[0], words[1:]...)
	command.Dir, command.Env = w.folder, environment
	return command
}

// running is a program that a line started.
type running struct {
	command *exec.Cmd
	stop    func() // once; the end of the test stops it as well
}

// run starts a line that goes on, and returns once it accepts connections.
func (w walk) run(line, address string) running {
	w.t.Helper()
	command := w.command(line)
	var log bytes.Buffer
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		w.t.Fatal(err)
	}
	r := running{command, sync.OnceFunc(func() {
		_ = command.Process.Signal(syscall.SIGINT)
		_ = command.Wait() // python3 ends with a trace
		if w.t.Failed() {
			w.t.Logf("%s wrote:\n%s", line, log.String())
		}
	})}
	w.t.Cleanup(r.stop)
	for end := time.Now().Add(patience.Long); ; time.Sleep(20 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
			return r
		}
		if time.Now().After(end) {
			w.t.Fatalf("%q does not answer: %v", line, err)
		}
	}
}

// The commands and files of the tutorial do what it says.
func TestTutorial(t *testing.T) {
	front.Find(t, "python3")
	shell, programs, rules, said := snippets(t, "sh"), snippets(t, "python"), snippets(t, "toml"), snippets(t, "text")
	w := walk{t: t, folder: t.TempDir(), app: front.FreeAddress(t), gate: "localhost:" + port(front.FreeAddress(t))}
	w.write("app.py", programs[0])
	w.run(shell[0], w.app)
	gate := w.run(shell[1], w.gate)

	home := "http://" + w.gate
	v := newVisitor(t, home+"/_stepkey")
	v.Go(home)
	v.signUp("mira")
	v.See("title", "Welcome")
	v.See("who", "You are mira.")
	v.Go(home + "/_stepkey/account")
	v.See("main", "mira")
	gate.stop()

	w.write("rules.toml", rules[0])
	gate = w.run(shell[2], w.gate)
	v.Go(home)
	v.See("who", "You are mira.")
	v.expect("403 /payouts", "401 /_stepkey/auth/refresh") // the pages do not know that the app ended the session
	v.Type("amount", "100")
	v.Press("payout", "Pay")
	v.addPasskey()
	v.See("title", "Paid: amount=100")

	asked := w.command(shell[3])
	answer, err := asked.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || string(answer) != said[0] {
		t.Errorf("%s: %v, %q, want %q", shell[3], err, answer, said[0])
	}

	// The rule about the group is within a sentence.
	const before, after = `"full<10m  *    /payouts/**"`, `"full<10m * /payouts/** group=finance"`
	if !strings.Contains(front.Read(t, tutorial), after) {
		t.Fatalf("the tutorial does not say %s", after)
	}
	w.write("rules.toml", front.Replace(t, rules[0], before, after))
	if err := gate.command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	v.opens(home+"/payouts", false)
	v.See("text", "Your account cannot open this page.")
	if out, err := w.command(shell[4]).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", shell[4], err, out)
	}
	v.opens(home+"/payouts", true)
	v.See("who", "You are mira.")
	v.signOut()
	v.at("/sign-in")
	v.Go("about:blank") // before the gate stops
}

// opens waits until a page of the app opens, or no longer opens.
func (v *visitor) opens(address string, want bool) {
	v.t.Helper()
	for end := time.Now().Add(patience.Long); ; {
		v.Go(address)
		if browser.Eval[bool](v.Page, `Boolean(document.getElementById("who"))`) == want {
			return
		}
		if time.Now().After(end) {
			v.t.Fatalf("%s opens: %v", address, !want)
		}
	}
}
