package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// exported writes what user export says into a file, and returns its name and text.
func exported(t *testing.T, users int) (file, text string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"user", "export"}, &stdout, &stderr); code != 0 {
		t.Fatalf("user export: %d %s", code, stderr.String())
	}
	if want := fmt.Sprintf("%d users exported, with the hashes", users); !strings.Contains(stderr.String(), want) {
		t.Errorf("user export says %q, want %q", stderr.String(), want)
	}
	file = "users.jsonl"
	if err := os.WriteFile(file, stdout.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, stdout.String()
}

// Who moves from SQLite to PostgreSQL takes everybody along.
func TestExportAndImport(t *testing.T) {
	address := serveAt(t, "")
	s := start(t)
	devices := map[string]*authenticator.Authenticator{
		"mira": authenticator.New(authenticator.Config{CounterStep: 3, Transports: []string{"usb"}, AAGUID: [16]byte{7}}),
		"noor": authenticator.New(authenticator.Config{BackupEligible: true, BackedUp: true}),
		"olga": nil, "pia": nil,
	}
	for name, device := range devices {
		body := []byte(fmt.Sprintf(`{"username":%q,"password":"password of %s!"}`, name, name))
		call(t, 201, "POST", address+"/auth/signup", "", body)
		if device == nil {
			continue
		}
		granted, _ := call(t, 201, "POST", address+"/auth/login", "", body)
		_, options := call(t, 200, "GET", address+"/passkeys/register/options", granted.AccessToken, nil)
		registration, err := device.Create(address, options)
		if err != nil {
			t.Fatal(err)
		}
		call(t, 201, "POST", address+"/passkeys/register/verify", granted.AccessToken, registration)
		signInAndStepUp(t, address, name, "password of "+name+"!", device)
	}
	wantCommand(t, 0, "disabled", "user", "disable", "pia")
	if code := s.stop(); code != 0 {
		t.Fatalf("the first service ended with %d", code)
	}
	file, before := exported(t, 4)

	dsn := pgtest.NewDatabase(t)
	t.Setenv("DATABASE_URL", dsn)
	wantCommand(t, 0, "4 users read: 4 can be taken over, 0 are here already, 0 left out.\n2 passkeys can", "user", "import", file)
	if n := one[int](t, dsn, `SELECT count(*) FROM users`); n != 0 {
		t.Errorf("a dry run added %d users", n)
	}
	wantCommand(t, 0, "4 taken over, 0 are here already, 0 left out.\n2 passkeys taken over", "user", "import", "--yes", file)
	if _, after := exported(t, 4); after != before {
		t.Errorf("exported from the new database:\n%s\nand from the old one:\n%s", after, before)
	}
	wantCommand(t, 0, "0 taken over, 4 are here already", "user", "import", "--yes", file)
	start(t)
	for name, device := range devices {
		if name != "pia" {
			signInAndStepUp(t, address, name, "password of "+name+"!", device)
		}
	}
	if status, _ := post(t, address+"/auth/login", `{"username":"pia","password":"password of pia!"}`); status != 401 {
		t.Errorf("login of a disabled user: %d, want 401", status)
	}
}

// id is a user's id for tests.
func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func TestImportOfHashesFromElsewhere(t *testing.T) {
	address := serveAt(t, "")
	hashes := []string{
		"$argon2id$v=19$m=16,t=2,p=1$c2FsdHNhbHQ$Mk5L3PkKmLFaPR7CAv9BuA",
		"$2b$04$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2", // of "abc"
		"$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
		"$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D",
		"$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI",
		"$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdAw$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M",
		"$pbkdf2-sha512$1212$RHY0Fr3IDMSVO/RSZyb5ow$eNLfBK.eVozomMr.1gYa17k9B7KIK25NOEshvhrSX.esqY3s.FvWZViXz4KoLlQI.BzY/YTNJOiKc5gBYFYGww",
		"pbkdf2_sha256$600000$seasalt$OAXyhAQ/4ZDA9V5RMExt3C1OwQdUpLZ99vm1McFlLRA=",
	}
	passwords := map[int]string{1: "abc", 3: "pleaseletmein", 7: "lètmein"}
	var lines strings.Builder
	for i, hash := range hashes {
		fmt.Fprintf(&lines, `{"id":%q,"username":"user%d","passwordHash":%q}`+"\n", id(i), i, hash)
	}
	// From standard input, as at the end of a pipe.
	stdin, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = stdin
	t.Cleanup(func() { os.Stdin = before })
	if _, err := writer.WriteString(lines.String()); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	wantCommand(t, 0, fmt.Sprintf("%d taken over", len(hashes)), "user", "import", "--yes")
	start(t)
	for i := range hashes {
		password := passwords[i]
		if password == "" {
			password = "password"
		}
		signInAndStepUp(t, address, fmt.Sprintf("user%d", i), password, nil)
		hash := one[string](t, "", `SELECT password_hash FROM users WHERE id = $1`, id(i))
		if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,") {
			t.Errorf("after the login %s became %s", hashes[i], hash)
		}
	}
}

func TestImportReportsLines(t *testing.T) {
	serveAt(t, "")
	const hash = "$2b$04$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2"
	user := func(n int, name, more string) string {
		return fmt.Sprintf(`{"id":%q,"username":%q,"passwordHash":%q%s}`, id(n), name, hash, more)
	}
	lines := []struct{ text, want string }{
		{user(1, "mira", ""), ""},
		{"", ""},
		{"{", "line 3: not a user in JSON: the syntax is wrong"},
		{"[]", "line 4: not a user in JSON: it is not an object"},
		{user(5, "a", `,"password":"secret"`), "line 5: not a user in JSON: unknown member /password"},
		{user(6, "b", `,"UserHandle":"AAAA"`), "line 6: not a user in JSON: unknown member /UserHandle"},
		{user(7, "c", `,"username":"c"`), "line 7: not a user in JSON: the syntax is wrong, or a member comes twice"},
		{user(8, "d", `,"userHandle":"AA=="`), "line 8: not a user in JSON: the value of /userHandle is not"},
		{user(9, "e", `,"createdAt":"yesterday"`), "line 9: not a user in JSON: the value of /createdAt is not"},
		{user(10, "f", `,"passkeys":[{"credentialId":"AAAA","publicKey":"AAAA","signCount":"0"}]`), "line 10: not a user in JSON: the value of /passkeys/0/signCount is not"},
		{user(11, "g", ``) + user(12, "h", ""), "line 11: not a user in JSON: the syntax is wrong"},
		{user(0, "i", ""), ""},
		{user(13, "MIRA", ""), `line 13, "MIRA": another one to be imported has the user name`},
		{user(14, "j", `,"userHandle":"AAAA","passkeys":[{"credentialId":"AAAA","publicKey":"AAAA","signCount":0}]`), `line 14, passkey 1 of "j": the credential id does not have`},
		{`{"username":"k","passwordHash":"x"}`, `line 15, "k": there is no id`},
		{strings.Replace(user(16, "l", ""), hash, "$1$md5$crypt", 1), `line 16, "l": the password hash is of a kind`},
		{strings.Replace(user(17, "m", ""), `"m"`, `"m\u001b[31m"`, 1), `line 17, "m\x1b[31m": the user name is outside the rules`},
		{user(18, "n", `,"email":{"address":"secret\u001b@example.com","confirmedAt":"2024-01-03T03:04:05Z"}`), `line 18, e-mail address of "n": it is not one plain address`},
		{user(19, "o", `,"email":{"address":"secret@example.com"}`), `line 19, e-mail address of "o": it does not say when`},
		{user(20, "p", `,"email":"secret@example.com"`), "line 20: not a user in JSON: the value of /email is not"},
		{user(21, "q", `,"email":{"address":"secret@example.com","confirmedAt":"2024-01-03T03:04:05Z"}`), ""},
	}
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.text + "\r\n")
	}
	if err := os.WriteFile("users.jsonl", []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	report := wantCommand(t, 0, "20 users read: 6 can be taken over, 0 are here already, 14 left out.\n"+
		"0 passkeys can be taken over, 1 left out.\n1 e-mail addresses can be taken over, 2 left out.\n", "user", "import", "users.jsonl")
	for _, l := range lines {
		if !strings.Contains(report, "left out: "+l.want) && l.want != "" {
			t.Errorf("the report lacks %q", l.want)
		}
	}
	if strings.Contains(report, hash) || strings.Contains(report, "secret") || strings.Contains(report, "\x1b") {
		t.Errorf("the report quotes what it must not:\n%s", report)
	}
	if t.Failed() {
		t.Log(report)
	}
	wantCommand(t, 1, "no such file", "user", "import", "nowhere.jsonl")
	if err := os.WriteFile("long.jsonl", []byte(user(1, "mira", "")+"\n"+strings.Repeat(" ", maxLine)), 0o600); err != nil {
		t.Fatal(err)
	}
	wantCommand(t, 1, "line 2 is longer than", "user", "import", "--yes", "long.jsonl")
}

// The form of an export is a promise to other programs that read it.
func TestExportForm(t *testing.T) {
	serveAt(t, "")
	const line = `{"id":"00000000-0000-4000-8000-000000000001","username":"Mira","passwordHash":"$2b$04$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2","userHandle":"bWlyYQ","createdAt":"2024-01-02T03:04:05.678901Z","disabledAt":"2025-01-02T03:04:05Z","email":{"address":"Mira@example.com","confirmedAt":"2024-01-03T03:04:05.678901Z"},"passkeys":[{"id":"00000000-0000-4000-8000-00000000000a","credentialId":"AAECAwQFBgcICQoLDA0ODw","publicKey":%q,"signCount":7,"flags":29,"transports":["internal","hybrid"],"aaguid":"01020304-0506-0708-0102-030405060708","attested":true,"name":"Phone","createdAt":"2024-02-02T03:04:05Z","lastUsedAt":"2024-03-02T03:04:05Z"}]}` + "\n"
	// An Ed25519 key: the base point of RFC 8032.
	key := "pAEBAycgBiFYIFhmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm"
	want := fmt.Sprintf(line, key)
	if err := os.WriteFile("in.jsonl", []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
	wantCommand(t, 0, "1 passkeys taken over, 0 left out.\n1 e-mail addresses taken over, 0 left out.\n", "user", "import", "--yes", "in.jsonl")
	if _, got := exported(t, 1); got != want {
		t.Errorf("exported\n%s\nwant\n%s", got, want)
	}
	if !json.Valid([]byte(want)) {
		t.Error("that is no JSON")
	}
}

// More users than are read at once come out once each.
func TestExportInPages(t *testing.T) {
	serveAt(t, "")
	const users = 2*stepkey.MaxImportBatch + 1
	var lines strings.Builder
	for i := range users {
		fmt.Fprintf(&lines, `{"id":%q,"username":"user%d","passwordHash":"$2b$04$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2"}`+"\n", id(i+1), i)
	}
	if err := os.WriteFile("in.jsonl", []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	wantCommand(t, 0, fmt.Sprintf("%d taken over", users), "user", "import", "--yes", "in.jsonl")
	_, text := exported(t, users)
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		var u struct{ ID string }
		if err := json.Unmarshal([]byte(line), &u); err != nil {
			t.Fatal(err)
		}
		seen[u.ID] = true
	}
	if len(seen) != users {
		t.Errorf("%d different users exported, want %d", len(seen), users)
	}
}
