package main

import (
	"strings"
	"testing"
)

// An operator sees that a password is stopped, lifts it only when told to, and takes an
// address away.
func TestOperatorAndTheMailbox(t *testing.T) {
	serveAt(t, "")
	importLines(t, strings.Replace(importedMira, `"passwordHash"`, `"passwordStopped":true,"passwordHash"`, 1))
	start(t)
	stopped := func(what string, want bool) {
		t.Helper()
		if text := wantCommand(t, 0, "Mira", "user", "show", "mira"); strings.Contains(text, "Password  ") != want {
			t.Errorf("%s: want stopped %v in\n%s", what, want, text)
		}
	}
	stopped("imported", true)
	if text := wantCommand(t, 0, "The password is stopped", "user", "unlock", "mira"); !strings.Contains(text, "--allow-password") {
		t.Errorf("it does not say how to lift it: %s", text)
	}
	stopped("unlocked", true)
	if text := wantCommand(t, 0, "", "user", "export"); !strings.Contains(text, `"passwordStopped":true`) {
		t.Errorf("the export forgets it: %s", text)
	}
	wantCommand(t, 0, "The password works again.", "user", "unlock", "mira", "--allow-password")
	stopped("lifted", false)
	if text := wantCommand(t, 0, "failed-login count is reset", "user", "unlock", "mira", "--allow-password"); strings.Contains(text, "password") {
		t.Errorf("nothing to lift: %s", text)
	}

	wantCommand(t, 0, "has no e-mail address", "user", "remove-email", "mira")
	text := wantCommand(t, 0, "Mira", "user", "show", "mira")
	if strings.Contains(text, "E-mail") || !strings.Contains(text, "email.removed") {
		t.Errorf("the address is there, or the event is not:\n%s", text)
	}
	wantCommand(t, 0, "has no e-mail address", "user", "remove-email", "mira")
	wantCommand(t, 1, "no such user", "user", "remove-email", "nobody")
	wantCommand(t, 1, "not a valid user name", "user", "remove-email", "a b")
}
