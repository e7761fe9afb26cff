package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
)

func TestRulesCheck(t *testing.T) {
	atHome(t)
	text := `[[app]]
origin = "https://app.example.com"
rules = ["open GET /static/**", "password * /**", "full<10m * /admin/** group=ops", "deny * /internal"]
`
	if err := os.WriteFile("rules.toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("wrong.toml", []byte(text+"[[app]]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const app = "https://app.example.com"
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"rules.toml", 0, "4 rules for 1 origins"},
		{"rules.toml GET " + app + "/static/a.css", 0, `allow: line 3, "open GET /static/**"`},
		{"rules.toml GET " + app + "/admin user=mira group=ops level=full age=3m", 0, "allow: "},
		{"rules.toml GET " + app + "/admin user=mira group=ops level=full age=11m", 2, "missing: passkey within 10m (expired)"},
		{"rules.toml GET " + app + "/admin user=mira level=full", 1, "is for other users"},
		{"rules.toml GET " + app, 2, "missing: sign-in"},
		{"rules.toml GET " + app + "?x", 3, "does not begin with a slash"},
		{"rules.toml GET " + app + "/internal level=hardware", 1, "denies it"},
		{"rules.toml GET https://other.example.com/", 1, "no [[app]]"},
		{"rules.toml GET " + app + "/static/../admin", 3, "ambiguous"},
		{"rules.toml get " + app + "/static/x", 3, "method"},
		{"rules.toml GET " + app + "/ level=root", 4, "is not a level"},
		{"rules.toml GET " + app + "/ user=mira", 4, "level is missing"},
		{"rules.toml GET " + app + "/ role=x", 4, "is not known"},
		{"rules.toml GET", 4, "a method and a URL"},
		{"--bogus", 4, "unknown flag"},
		{"", 4, "STEPKEY_RULES"},
		{"wrong.toml", 4, "wrong.toml: line 4"},
		{"none.toml", 4, "none.toml"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), append([]string{"rules", "check"}, strings.Fields(test.args)...), &stdout, &stderr)
		if said := stdout.String() + stderr.String(); code != test.code || !strings.Contains(said, test.says) {
			t.Errorf("%s: %d, %s; want %d, %q", test.args, code, said, test.code, test.says)
		}
	}
	t.Setenv("STEPKEY_RULES", "rules.toml")
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"rules", "check", "GET", app + "/static/a"}, &stdout, &stderr); code != 0 {
		t.Errorf("%d, %s", code, stderr.String())
	}
}
