package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// appWith returns a file with these rules.
func appWith(more string, lines ...string) []byte {
	return []byte("[[app]]\norigin = \"https://app.example.com\"\n" + more + "rules = [\n'" + strings.Join(lines, "',\n'") + "',\n]\n")
}

func parse(t testing.TB, more string, lines ...string) *File {
	t.Helper()
	f, err := Parse(appWith(more, lines...), now)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// An error names the line and the rule, and says what to do.
func TestRulesThatDoNotLoad(t *testing.T) {
	for _, test := range []struct {
		name  string
		rules []string
		want  string // in the error, apart by |
	}{
		{"two words", []string{"full *"}, `line 4: rule "full *"|write a rule like`},
		{"another access", []string{"admin * /**"}, "line 4|begin with open, deny"},
		{"an unknown purpose", []string{"purpose:payout * /**"}, `no purpose "payout": add it`},
		{"open with an age", []string{"open<10m * /**"}, "open has no age"},
		{"an age without a unit", []string{"full<10 * /**"}, "<90s, <10m"},
		{"an age of zero", []string{"full<0s * /**"}, "out of range"},
		{"an empty age", []string{"full< * /**"}, "is not an age"},
		{"lower case", []string{"full get /**"}, "methods in capitals"},
		{"an empty method", []string{"full GET, /**"}, "is not a method"},
		{"a method twice", []string{"full GET,GET /**"}, "twice"},
		{"HEAD", []string{"full GET,HEAD /**"}, "covered by GET"},
		{"a path without a slash", []string{"full * admin"}, "does not begin with a slash"},
		{"a dot segment", []string{"full * /a/../b"}, "no request has the path"},
		{"a query", []string{"full * /a?b=c"}, "query"},
		{"a slash at the end", []string{"full * /a/"}, "ends with a slash"},
		{"a star in a segment", []string{"full * /a*"}, "stands for one whole segment"},
		{"two stars in the middle", []string{"full * /**/a"}, "** may only end the path"},
		{"a condition without a value", []string{"full * /** user="}, "is not a condition"},
		{"another condition", []string{"full * /** role=ops"}, "is not a condition"},
		{"weaker in the middle", []string{"full * /** weaker user=mira"}, "weaker last"},
		{"open for some", []string{"open * /** user=mira"}, "for everybody"},
		{"deny for some", []string{"deny * /** group=ops"}, "for everybody"},
		{"no user name", []string{"full * /** user=-"}, "is not a user name"},
		{"twice the same", []string{"full * /a/**", "password * /a/**"}, "line 5|line 4|remove one"},
		{"an overlap", []string{"full GET /**", "password * /admin/**"}, "line 5|line 4|neither is more specific"},
		{"an overlap of stars", []string{"full * /*/b", "password * /a/*"}, "neither is more specific"},
		{"an overlap of methods", []string{"full GET,POST /a", "password POST,PUT /a"}, "neither is more specific"},
		{"weaker", []string{"full * /**", "password * /a/**"}, "line 5|line 4|word weaker"},
		{"weaker in another order", []string{"password * /a/**", "full * /**"}, `line 4, "password * /a/**" lets|line 5`},
		{"weaker by age", []string{"full<10m * /**", "full * /a/**"}, "word weaker"},
		{"weaker by a longer age", []string{"full<10m * /**", "full<11m * /a/**"}, "word weaker"},
		{"weaker by kind", []string{"hardware * /**", "full * /a/**"}, "word weaker"},
		{"weaker by group", []string{"full * /** group=ops", "full<1m * /a/**"}, "word weaker"},
		{"weaker by a second group", []string{"full * /** group=ops", "full * /a/** group=ops group=finance"}, "word weaker"},
		{"weaker than deny", []string{"deny * /**", "hardware<1s * /a/**"}, "word weaker"},
		{"weaker than the one around the one around", []string{"full * /**", "password * /a/b", "deny * /a/**"}, "word weaker"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := Parse(appWith("", test.rules...), now)
			if err == nil || f != nil {
				t.Fatal("it loads")
			}
			for part := range strings.SplitSeq(test.want, "|") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v; want %q", err, part)
				}
			}
		})
	}
}

func TestRulesThatLoad(t *testing.T) {
	for _, list := range [][]string{
		{"password * /**", "open GET /static/**", "full * /admin/** group=ops", "full<10m POST /payouts group=finance user=mira", "deny * /internal/**"},
		{"full * /**", "password * /a/** weaker"},
		{"full<10m * /**", "full<10m * /a", "full<9m GET /a"},
		{"deny * /**", "open GET /health"},
		{"full * /** group=ops group=finance", "full * /a group=ops user=mira"},
		{"open * /**", "password * /a"},
		{"full * /a", "password * /b", "password GET /c/*/d", "full * /c/x/e"},
	} {
		if _, err := Parse(appWith("", list...), now); err != nil {
			t.Errorf("%q: %v", list, err)
		}
	}
}

func TestFilesThatDoNotLoad(t *testing.T) {
	const app = "[[app]]\norigin = 'https://a.example.com'\nrules = ['full * /**']\n"
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "no [[app]]"},
		{"no TOML", "[[app]\n", "line 1"},
		{"a number", "[[app]]\norigin = 1\n", "line 2"},
		{"another table", app + "[users]\na = 1\n", `line 4: "users`},
		{"a misspelt key", app + "case-blind = true\n", `line 4: "app.case-blind" is not a key`},
		{"a key with capitals", "[[app]]\nOrigin = 'https://a.example.com'\nrules = ['full * /**']\n", "line 2: the key \"Origin\" has capitals"},
		{"no origin", "[[app]]\nrules = ['full * /**']\n", "line 1: origin"},
		{"an origin with a path", "[[app]]\norigin = 'https://a.example.com/x'\nrules = ['full * /**']\n", "use https://a.example.com"},
		{"plain http", "[[app]]\norigin = 'http://a.example.com'\nrules = ['full * /**']\n", "plain http"},
		{"an origin twice", app + app, "line 4: the origin https://a.example.com already has"},
		{"no rules", "[[app]]\norigin = 'https://a.example.com'\n", "0 rules"},
		{"another mode", app + "mode = 'log'\n", `"enforce" or "shadow"`},
		{"shadow without an end", app + "mode = 'shadow'\n", "without an end"},
		{"shadow for long", app + "mode = 'shadow'\nuntil = '2027-03-01'\n", "more than 90 days"},
		{"shadow until a word", app + "mode = 'shadow'\nuntil = 'soon'\n", "is not a date"},
		{"an end without shadow", app + "until = '2027-01-01'\n", "without mode"},
		{"a purpose that is none", app + "[purposes]\n# x\npayout = 'full'\n", "line 6: "},
		{"a name that is none", app + "[purposes]\n\"Pay out\" = 'passkey within 1m'\n", "line 5: "},
		{"another factor", "[[app]]\norigin = 'https://a.example.com'\nrules = ['purpose:p * /**']\n[purposes]\np = 'totp within 1m'\n", "needs totp"},
		{"a mode in a purpose", "[[app]]\norigin = 'https://a.example.com'\nrules = ['purpose:p * /**']\n[purposes]\np = 'passkey within 1m; offered until 2027-01-01'\n", "only package stepup knows"},
		{"two faults", "[[app]]\norigin = 'https://a.example.com'\nrules = [\n'full',\n'full * x']\n", "line 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if f, err := Parse([]byte(test.text), now); err == nil || f != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.toml")
	text := "[purposes]\npayout = '\"Pay out\": passkey within 10m'\nb.c = 'x'\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, now); err == nil {
		t.Error("a name with a dot and no quotes loads")
	}
	text = "[purposes]\npayout = '\"Pay out\": passkey within 10m'\n\"b.c\" = 'password within 1m'\n" + string(appWith("", "purpose:payout * /**"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load(path, now)
	if err != nil {
		t.Fatal(err)
	}
	if want := "payout \"Pay out\": passkey within 10m\nb.c: password within 1m\n"; f.PurposeText() != want || f.Apps() != 1 || f.Rules() != 1 {
		t.Errorf("%q, %d, %d", f.PurposeText(), f.Apps(), f.Rules())
	}
	if _, err := Load(path+"x", now); err == nil {
		t.Error("a file that is not there loads")
	}
	if err := os.WriteFile(path, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, now); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Error(err)
	}
}
