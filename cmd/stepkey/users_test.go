package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/pgtest"
)

const anyHash = "$2b$04$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2"

// importLines takes users over from JSON lines.
func importLines(t *testing.T, lines ...string) {
	t.Helper()
	if err := os.WriteFile("in.jsonl", []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	wantCommand(t, 0, fmt.Sprintf("%d taken over", len(lines)), "user", "import", "--yes", "in.jsonl")
}

const importedMira = `{"id":"00000000-0000-4000-8000-000000000001","username":"Mira","passwordHash":"` + anyHash + `","userHandle":"bWlyYQ",` +
	`"createdAt":"2024-01-02T03:04:05Z","email":{"address":"mira@example.com","confirmedAt":"2024-01-03T03:04:05Z"},"passkeys":[` +
	`{"id":"00000000-0000-4000-8000-00000000000a","credentialId":"AAECAwQFBgcICQoLDA0ODw","publicKey":"pAEBAycgBiFYIFhmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm","signCount":7,"flags":29,"name":"Phone","createdAt":"2024-02-02T03:04:05Z","lastUsedAt":"2024-03-02T03:04:05Z"},` +
	`{"id":"00000000-0000-4000-8000-00000000000b","credentialId":"EAECAwQFBgcICQoLDA0ODw","publicKey":"pAEBAycgBiFYIFhmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm","signCount":0,"flags":5,"name":"Key","createdAt":"2024-02-03T03:04:05Z"},` +
	`{"id":"00000000-0000-4000-8000-00000000000c","credentialId":"IAECAwQFBgcICQoLDA0ODw","publicKey":"pAEBAycgBiFYIFhmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm","signCount":0,"name":"Old","createdAt":"2024-02-04T03:04:05Z"}]}`

// wantLines checks that a text has these lines.
func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !slices.Contains(strings.Split(text, "\n"), line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

// wantNoSecrets checks that a text holds nothing that opens anything.
func wantNoSecrets(t *testing.T, text string) {
	t.Helper()
	for what, secret := range map[string]string{
		"hash": `\$2b\$|argon2`, "credential": "AAECAwQF", "key": "pAEBAycg", "handle": "bWlyYQ", "control": `[\x00-\x09\x0b-\x1f\x7f]`,
	} {
		if regexp.MustCompile(secret).MatchString(text) {
			t.Errorf("%s in\n%s", what, text)
		}
	}
}

func TestUserList(t *testing.T) {
	for name, dsn := range map[string]func() string{
		"sqlite": func() string { return "" }, "postgres": func() string { return pgtest.NewDatabase(t) },
	} {
		t.Run(name, func(t *testing.T) {
			address := serveAt(t, dsn())
			if code, lines := command(t, "user", "list", "--json"); code != 0 || lines != "" {
				t.Errorf("of nobody: %d %s", code, lines)
			}
			importLines(t, importedMira, `{"id":"`+id(2)+`","username":"noor","passwordHash":"`+anyHash+
				`","createdAt":"2024-05-02T03:04:05Z","disabledAt":"2025-01-02T03:04:05Z"}`)
			s := start(t)
			call(t, 201, "POST", address+"/auth/signup", "", []byte(olga))
			before := time.Now().Add(-time.Minute)
			call(t, 201, "POST", address+"/auth/login", "", []byte(olga))
			s.stop()

			text := wantCommand(t, 0, "ID", "user", "list")
			wantLines(t, text,
				"ID                                    CREATED               LAST SIGN-IN          STATE     PASSKEYS  NAME",
				"00000000-0000-4000-8000-000000000001  2024-01-02T03:04:05Z  -                     active    3         Mira",
				"00000000-0000-4000-8000-000000000002  2024-05-02T03:04:05Z  -                     disabled  0         noor",
			)
			wantNoSecrets(t, text)
			_, lines := command(t, "user", "list", "--json")
			wantLines(t, lines, `{"id":"00000000-0000-4000-8000-000000000001","username":"Mira","state":"active","passkeys":3,"createdAt":"2024-01-02T03:04:05Z"}`)
			wantNoSecrets(t, lines)
			for line := range strings.Lines(lines) {
				var u listedUser
				if err := json.Unmarshal([]byte(line), &u); err != nil {
					t.Fatalf("%v in %s", err, line)
				}
				if signedIn := u.Username == "olga"; signedIn != (u.LastSignInAt != nil && u.LastSignInAt.After(before)) {
					t.Errorf("the last sign-in in %s", line)
				}
			}
			wantCommand(t, 0, "deleted", "user", "delete", "noor", "--yes")
			if text := wantCommand(t, 0, "olga", "user", "list"); strings.Count(text, "\n") != 3 {
				t.Errorf("after a deletion:\n%s", text)
			}
		})
	}
}

const olga = `{"username":"olga","password":"correct horse battery"}`

// Everybody is listed once, however many there are.
func TestUserListOfMany(t *testing.T) {
	serveAt(t, "")
	var lines []string
	for n := range 450 {
		lines = append(lines, fmt.Sprintf(`{"id":%q,"username":"user%d","passwordHash":%q}`, id(n+1), n, anyHash))
	}
	importLines(t, lines...)
	text := wantCommand(t, 0, "NAME\n", "user", "list")
	for n := range lines {
		if c := strings.Count(text, fmt.Sprintf(" user%d\n", n)); c != 1 {
			t.Errorf("user%d comes %d times", n, c)
		}
	}
}

func TestUserShow(t *testing.T) {
	address := serveAt(t, "")
	importLines(t, importedMira)
	s := start(t)
	call(t, 201, "POST", address+"/auth/signup", "", []byte(olga))
	signedIn, _ := call(t, 201, "POST", address+"/auth/login", "", []byte(olga))
	for range 2 {
		call(t, 400, "POST", address+"/passkeys/register/verify", signedIn.AccessToken, []byte(`{"id":"what a client sent"}`))
	}
	s.stop()
	requests := regexp.MustCompile(`msg="ceremony refused" request=(\w+)`).FindAllStringSubmatch(s.stderr.String(), -1)
	if len(requests) != 2 {
		t.Fatalf("the log has %d refused ceremonies, want 2:\n%s", len(requests), s.stderr.String())
	}

	text := wantCommand(t, 0, "Mira", "user", "show", " MIRA ")
	wantLines(t, text,
		"Name     Mira", "ID       00000000-0000-4000-8000-000000000001", "State    active", "Created  2024-01-02T03:04:05Z",
		"E-mail   mira@example.com, confirmed 2024-01-03T03:04:05Z",
		"Passkeys: 3",
		"ID                                    CREATED               LAST USED             SYNCED  NAME",
		"00000000-0000-4000-8000-00000000000a  2024-02-02T03:04:05Z  2024-03-02T03:04:05Z  yes     Phone",
		"00000000-0000-4000-8000-00000000000b  2024-02-03T03:04:05Z  -                     no      Key",
		"00000000-0000-4000-8000-00000000000c  2024-02-04T03:04:05Z  -                     -       Old",
		"Live sessions: 0",
	)
	if !regexp.MustCompile(`(?m)^20\S+Z  user\.imported`).MatchString(text) {
		t.Errorf("no event in\n%s", text)
	}
	wantNoSecrets(t, text)

	text = wantCommand(t, 0, "olga", "user", "show", "olga")
	wantLines(t, text, "Passkeys: 0", "Live sessions: 1", "Refused ceremonies of the last 30 days:")
	if !regexp.MustCompile(`(?m)^20\S+Z +2 +registration +invalid_request +`+requests[1][1]+`$`).MatchString(text) || strings.Contains(text, "what a client sent") {
		t.Errorf("no refused ceremony of request %s in\n%s", requests[1][1], text)
	}
	if !regexp.MustCompile(`(?m)^\S{36}  20\S+Z  20\S+Z  password  \S`).MatchString(text) || strings.Contains(text, "E-mail") {
		t.Errorf("no session, or an address, in\n%s", text)
	}
	wantNoSecrets(t, text)
	wantCommand(t, 0, "disabled", "user", "disable", "olga")
	if text := wantCommand(t, 0, "user.disabled", "user", "show", "olga"); !regexp.MustCompile(`(?m)^State +disabled\nDisabled +20`).MatchString(text) {
		t.Errorf("a disabled user:\n%s", text)
	}
	wantCommand(t, 0, "deleted", "user", "delete", "olga", "--yes")
	wantCommand(t, 0, "The name cannot be used before", "user", "show", "olga")
	wantCommand(t, 1, "no such user", "user", "show", "nobody")
	wantCommand(t, 1, "not a valid user name", "user", "show", "a b")
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"Mira Ågren 日本": "Mira Ågren 日本", "red\x1b[31m\n\t\u202e\u009b": "red�[31m����",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
