package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestAuthenticatorThatCannotVerify(t *testing.T) {
	p := start(t)
	p.Authenticator(false)
	p.signIn("mira")
	p.Press("add", "Add a passkey")
	p.See("add", "No passkey was made.")
	p.See("add", "Try again")
}

// A device that claims not to have verified anybody is refused by the server, and the page stays at password level.
func TestAnswerWithoutVerification(t *testing.T) {
	p := start(t)
	p.expect("401 /passkeys/authenticate/verify")
	device := p.Authenticator(true)
	p.addPasskeyForLater("mira")
	device.Override(false, true)
	p.Press("verify", "Verify with a passkey")
	p.See("verify", "This passkey did not work.")
	p.See("badge", "Password level")
}

func TestBogusSignature(t *testing.T) {
	p := start(t)
	p.expect("401 /passkeys/authenticate/verify")
	device := p.Authenticator(true)
	p.addPasskeyForLater("mira")
	device.Override(true, false)
	p.Press("verify", "Verify with a passkey")
	p.See("verify", "This passkey did not work.")
	p.See("badge", "Password level")
	device.Override(false, false)
	p.Press("verify", "Try again")
	p.Current("open")
	p.See("badge", "Full level")
}

func TestStopAndCancel(t *testing.T) {
	p := start(t)
	device := p.Authenticator(true)
	p.signIn("mira")
	device.Present(false)
	p.Press("add", "Add a passkey")
	p.See("add", "Follow your device")
	p.Press("add", "Stop")
	p.See("status", "Stopped.")
	p.See("add", "Add a passkey")
	p.Press("add", "Add a passkey")
	p.See("add", "Follow your device")
	p.Keys("\x1b")
	p.See("status", "Stopped.")

	// The person closes the browser's own window.
	device.Present(true)
	device.Verified(false)
	p.Press("add", "Add a passkey")
	p.See("add", "No passkey was made.")
	if title := Eval[string](p.Page, "document.title"); title != "Error: Add a passkey – Stepkey" {
		t.Errorf("title = %q", title)
	}
	device.Verified(true)
	p.Press("add", "Try again")
	p.Current("open")
}

// A browser that never answers and ignores the signal is left behind after its time, and after Stop.
func TestDeviceThatNeverAnswers(t *testing.T) {
	p := start(t)
	p.Before(`navigator.credentials.create = () => new Promise(() => {});
		const later = setTimeout;
		window.setTimeout = (run, ms, ...rest) => later(run, ms > 300000 ? 300 : ms, ...rest);`)
	p.Authenticator(true)
	p.Go(p.server.URL())
	p.signIn("mira")
	p.Press("add", "Add a passkey")
	p.See("add", "Your device did not answer.")
	Eval[bool](p.Page, `(window.setTimeout = (run, ms, ...rest) => ms > 300000 ? 0 : Reflect.apply(later, window, [run, ms, ...rest]), true)`)
	p.Press("add", "Try again")
	p.See("add", "Follow your device")
	p.Press("add", "Stop")
	p.See("add", "Add a passkey")
}

// TestDeviceFailures compares a browser's report with the text of the page. The first column is the name of the DOMException.
func TestDeviceFailures(t *testing.T) {
	p := start(t)
	p.Before(`navigator.credentials.create = async () => { throw new DOMException("library text", window.failure); };`)
	p.Go(p.server.URL())
	p.signIn("mira")
	for _, c := range [][2]string{
		{"NotAllowedError", "No passkey was made."},
		{"InvalidStateError", "This device is ready."},
		{"NotSupportedError", "This device cannot make a passkey we accept."},
		{"ConstraintError", "This device cannot check it is you."},
		{"SecurityError", "Passkeys do not work at this address."},
		{"UnknownError", "Your device could not finish."},
		{"OperationError", "Your device could not finish."},
		{"TimeoutError", "Your device did not answer."},
		{"DataError", "Something broke on our side."},
	} {
		p.Go(p.server.URL())
		p.Current("add")
		Eval[bool](p.Page, fmt.Sprintf("(window.failure = %q, true)", c[0]))
		p.Press("add", "Add a passkey")
		p.See("add", c[1])
		if text := Eval[string](p.Page, "document.body.innerText"); strings.Contains(text, "library text") {
			t.Errorf("%s: the browser's own text is shown", c[0])
		}
	}
}

// Guesses from elsewhere do not lock out a user who has signed in on this device.
func TestDeviceIsKnownAgain(t *testing.T) {
	p := start(t, "STEPKEY_LIMITS=on")
	p.signIn("mira")
	if names := p.Cookies(); !strings.Contains(strings.Join(names, " "), "stepkey-device-"+p.server.Port+"-") {
		t.Fatalf("cookies %v", names)
	}
	for i := range 11 {
		response, err := http.Post(p.server.URL()+"/auth/login", "application/json",
			strings.NewReader(`{"username":"mira","password":"somebody guesses"}`))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if want := map[bool]int{true: 429, false: 401}[i == 10]; response.StatusCode != want {
			t.Errorf("guess %d: %d, want %d", i+1, response.StatusCode, want)
		}
	}
	p.Press("top", "Sign out")
	p.signInAgain("mira")
	p.Current("add")
}

// The flags of a new passkey are read out of what the device answered, and shown.
func TestNewPasskeySaysWhetherItIsSynced(t *testing.T) {
	for what, backup := range map[string]Backup{"Synced": {Eligible: true, State: true}, "Can sync, not synced yet": {Eligible: true}, "This device only": {}} {
		t.Run(what, func(t *testing.T) {
			p := start(t)
			p.BackedUp(true, backup)
			p.addPasskey("mira")
			p.See("add", what)
			p.Wait("the flags in the log", fmt.Sprintf(`document.getElementById("log").textContent.replace(/\s+/g, " ").includes('"BE": %t, "BS": %t')`, backup.Eligible, backup.State))
		})
	}
}
