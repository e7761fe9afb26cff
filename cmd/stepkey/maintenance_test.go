package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/pgtest"
)

// maintenance returns the commands of docs/maintenance.md that begin like this.
func maintenance(t *testing.T, begin string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/maintenance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```sh\n"+begin)
	commands, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatalf("docs/maintenance.md no longer shows commands that begin with %q", begin)
	}
	return begin + commands
}

func shell(t *testing.T, commands string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-e", "-c", commands).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", commands, err, out)
	}
	return string(out)
}

// A backup that is made while the service runs, by the commands of docs/maintenance.md,
// brings back what there was.
func TestBackupAndRestore(t *testing.T) {
	for _, test := range []struct{ name, dsn, backup, restore string }{
		{"sqlite", "", maintenance(t, "umask 077\nsqlite3 "), maintenance(t, "rm -f data/stepkey.db")},
		{"postgres", pgtest.NewDatabase(t), maintenance(t, "umask 077\npg_dump "), maintenance(t, "pg_restore ")},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := serveAt(t, test.dsn)
			s := start(t)
			call(t, 201, "POST", address+"/auth/signup", "", []byte(mira))
			shell(t, test.backup)
			noor := strings.Replace(mira, "mira", "noor", 1)
			call(t, 201, "POST", address+"/auth/signup", "", []byte(noor))
			if code := s.stop(); code != 0 {
				t.Fatalf("the service ended with %d", code)
			}
			if test.dsn != "" {
				t.Setenv("DATABASE_URL", pgtest.NewDatabase(t))
			}
			shell(t, test.restore)
			start(t)
			if status, body := post(t, address+"/auth/login", mira); status != 201 {
				t.Errorf("login of a user in the backup: %d %s", status, body)
			}
			if status, body := post(t, address+"/auth/login", noor); status != 401 {
				t.Errorf("login of a user who came later: %d %s", status, body)
			}
		})
	}
}

// The command of docs/maintenance.md asks about a token.
func TestIntrospectionInTheDocuments(t *testing.T) {
	commands := maintenance(t, "curl -s http://localhost:3000/auth/introspect")
	address := serveAt(t, "")
	secret := sharedSecret
	t.Setenv("STEPKEY_INTROSPECTION_SECRET", secret)
	start(t)
	call(t, 201, "POST", address+"/auth/signup", "", []byte(mira))
	granted, _ := call(t, 201, "POST", address+"/auth/login", "", []byte(mira))
	commands = strings.ReplaceAll(commands, "http://localhost:3000", address)
	for token, active := range map[string]bool{granted.AccessToken: true, "nothing": false} {
		t.Setenv("TOKEN", token)
		out := shell(t, commands)
		var answer struct{ Active bool }
		if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Active != active {
			t.Errorf("it answers %s, %v; want active %t", out, err, active)
		}
	}
}
