package rules

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/token"
)

const appOrigin = "https://app.example.com"

var (
	nobody   = Subject{}
	byWord   = Subject{ID: "1", Name: "Mira", Level: token.LevelPassword, PasswordTime: now.Add(-20 * time.Minute)}
	full     = Subject{ID: "1", Name: "Mira", Level: token.LevelFull, PasswordTime: now.Add(-20 * time.Minute), PasskeyTime: now.Add(-5 * time.Minute)}
	recovery = Subject{ID: "1", Name: "Mira", Level: token.LevelRecovery, PasswordTime: now}
)

func in(s Subject, groups ...string) Subject { s.Groups = groups; return s }

func hard(s Subject) Subject { s.Hardware = true; return s }

func lowered(s Subject) Subject { s.Level = token.LevelPassword; return s }

func TestDecide(t *testing.T) {
	text := "[purposes]\npayout = 'passkey within 10m or password within 1m'\n" + string(appWith("",
		"open GET /static/**", "password * /**", "full * /admin/** group=ops", "full<10m POST /payouts group=finance user=MIRA",
		"purpose:payout POST /transfers/*", "deny * /internal/**", "hardware * /keys", "password<10m * /recent", "full<4m * /fresh", "full * /mine id=1",
		"password * /users/*/*", "full * /users/me/*", "hardware * /users/me/keys"))
	f, err := Parse([]byte(text), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		who            Subject
		method, target string
		want           Verdict
		missing        string
	}{
		{nobody, "GET", "/static/a.css", Allow, ""},
		{nobody, "HEAD", "/static", Allow, ""},
		{nobody, "POST", "/static/a.css", StepUp, "sign-in"},
		{byWord, "POST", "/static/a.css", Allow, ""},
		{recovery, "GET", "/", StepUp, "sign-in"},
		{byWord, "GET", "/", Allow, ""},
		{nobody, "GET", "/admin", StepUp, "passkey"},
		{in(byWord, "ops"), "GET", "/admin/x", StepUp, "passkey"},
		{byWord, "GET", "/admin/x", Deny, ""},
		{full, "GET", "/admin/x", Deny, ""},
		{in(full, "a", "ops"), "GET", "/admin/x", Allow, ""},
		{in(lowered(full), "ops"), "GET", "/admin/x", StepUp, "passkey"},
		{in(full, "finance"), "POST", "/payouts", Allow, ""},
		{in(full, "finance"), "POST", "/payouts/", Allow, ""},
		{in(byWord, "finance"), "POST", "/payouts", StepUp, "passkey within 10m"},
		{in(Subject{ID: "2", Name: "Noor", Level: token.LevelFull, PasskeyTime: now}, "finance"), "POST", "/payouts", Deny, ""},
		{full, "POST", "/transfers/7", Allow, ""},
		{byWord, "POST", "/transfers/7", StepUp, "passkey within 10m"},
		{full, "POST", "/transfers/7/8", Allow, ""},
		{full, "GET", "/internal", Deny, ""},
		{full, "GET", "/keys", StepUp, "hardware"},
		{hard(full), "GET", "/keys", Allow, ""},
		{hard(lowered(full)), "GET", "/keys", StepUp, "hardware"},
		{full, "GET", "/recent", Allow, ""},
		{byWord, "GET", "/recent", StepUp, "sign-in within 10m (expired)"},
		{full, "GET", "/fresh", StepUp, "passkey within 4m (expired)"},
		{Subject{Level: token.LevelFull, PasskeyTime: now.Add(time.Hour)}, "GET", "/fresh", StepUp, "passkey within 4m"},
		{full, "GET", "/mine", Allow, ""},
		{Subject{ID: "2", Name: "1", Level: token.LevelFull, PasskeyTime: now}, "GET", "/mine", Deny, ""},
		{byWord, "GET", "/users/7/keys", Allow, ""},
		{byWord, "GET", "/users/me/name", StepUp, "passkey"},
		{full, "GET", "/users/me/keys", StepUp, "hardware"},
		{full, "get", "/", Refused, ""},
		{full, "GET ", "/", Refused, ""},
		{full, "", "/", Refused, ""},
		{full, "TRACE", "/", Refused, ""},
		{full, "GET", "/admin;a/x", Refused, ""},
		{nobody, "OPTIONS", "/", StepUp, "sign-in"},
	} {
		d := f.Decide(Request{Origin: appOrigin, Method: test.method, Target: test.target}, test.who, now)
		if d.Verdict != test.want || Describe(d.Missing) != test.missing || d.Reason == "" || d.Passes() != (test.want == Allow) {
			t.Errorf("%s %s at %q: %s, missing %q (%s); want %s, %q", test.method, test.target, test.who.Level, d.Verdict, Describe(d.Missing), d.Reason, test.want, test.missing)
		}
	}
}

func TestEachAmbiguousPathIsRefused(t *testing.T) {
	f := parse(t, "", "open * /**")
	for _, target := range ambiguous {
		if d := f.Decide(Request{Origin: appOrigin, Method: "GET", Target: target}, full, now); d.Verdict != Refused || d.Passes() {
			t.Errorf("%.40q: %s", target, d.Verdict)
		}
	}
}

func TestUnknownOriginIsDenied(t *testing.T) {
	f := parse(t, "mode = 'shadow'\nuntil = '2026-12-31'\n", "open * /**")
	for _, origin := range []string{"", "https://other.example.com", "http://app.example.com", "https://app.example.com:8443"} {
		if d := f.Decide(Request{Origin: origin, Method: "GET", Target: "/"}, full, now); d.Verdict != Deny || d.Passes() {
			t.Errorf("%q: %s", origin, d.Verdict)
		}
	}
}

func TestShadowPassesUntilItEnds(t *testing.T) {
	f := parse(t, "mode = 'shadow'\nuntil = '2026-12-01'\n", "full * /**", "deny * /x")
	for _, target := range []string{"/", "/x", "/a//b"} {
		r := Request{Origin: appOrigin, Method: "GET", Target: target}
		if d := f.Decide(r, nobody, now); d.Verdict == Allow || !d.Passes() {
			t.Errorf("%s: %s, passes %t", target, d.Verdict, d.Passes())
		}
		if d := f.Decide(r, nobody, now.Add(12*time.Hour)); d.Passes() {
			t.Errorf("%s passes after the end", target)
		}
	}
}

func TestOptionsOfAnApp(t *testing.T) {
	lines := []string{"password * /**", "full * /admin/**", "open GET /public/**", "deny * /internal"}
	blind := parse(t, "case_blind = true\n", append(lines, "hardware * /Ämter")...)
	semicolon := parse(t, "allow_semicolon = true\n", lines...)
	preflight := parse(t, "preflight = true\n", lines...)
	plain := parse(t, "", lines...)
	get := func(target string) Request { return Request{Origin: appOrigin, Method: "GET", Target: target} }
	for _, test := range []struct {
		name string
		file *File
		r    Request
		want Verdict
	}{
		{"another case", plain, get("/ADMIN"), Allow},
		{"another case, blind", blind, get("/ADMIN"), StepUp},
		{"another case of a letter beyond ASCII", blind, get("/%C3%A4mter"), StepUp},
		{"the sign of Kelvin", blind, get("/%E2%84%AA"), Refused},
		{"a long s", blind, get("/%C5%BFtatic"), Refused},
		{"a parameter", semicolon, get("/admin;a/x"), StepUp},
		{"a parameter of an open path", semicolon, get("/public;a/x"), Allow},
		{"a parameter after an open path", semicolon, get("/public/x;a"), Allow},
		{"a hidden dot segment", semicolon, get("/public/..;/admin"), Refused},
		{"a preflight", preflight, Request{Origin: appOrigin, Method: "OPTIONS", Target: "/admin", Preflight: true}, Allow},
		{"a preflight of what is denied", preflight, Request{Origin: appOrigin, Method: "OPTIONS", Target: "/internal", Preflight: true}, Deny},
		{"a bare OPTIONS", preflight, Request{Origin: appOrigin, Method: "OPTIONS", Target: "/admin"}, StepUp},
		{"a GET with the headers of a preflight", preflight, Request{Origin: appOrigin, Method: "GET", Target: "/admin", Preflight: true}, StepUp},
		{"a preflight that is not passed", plain, Request{Origin: appOrigin, Method: "OPTIONS", Target: "/admin", Preflight: true}, StepUp},
	} {
		if d := test.file.Decide(test.r, byWord, now); d.Verdict != test.want {
			t.Errorf("%s: %s (%s), want %s", test.name, d.Verdict, d.Reason, test.want)
		}
	}
	if d := semicolon.Decide(get("/public;a/x"), nobody, now); d.Verdict != StepUp {
		t.Errorf("an application that keeps parameters would serve another path than the open one: %s", d.Verdict)
	}
}

// POST as DELETE: the strictest rule of the path applies.
func TestMethodOverride(t *testing.T) {
	f := parse(t, "", "password * /**", "full DELETE /users/*", "deny PURGE /cache")
	for _, target := range []string{"/users/7", "/cache"} {
		r := Request{Origin: appOrigin, Method: "POST", Target: target}
		if d := f.Decide(r, byWord, now); d.Verdict != Allow {
			t.Errorf("%s: %s", target, d.Verdict)
		}
		r.Overrides = true
		if d := f.Decide(r, byWord, now); d.Verdict == Allow {
			t.Errorf("%s with an override: %s", target, d.Verdict)
		}
	}
}

func TestTightening(t *testing.T) {
	f := parse(t, "", "open * /public", "full<10m * /admin", "deny * /x")
	for _, test := range []struct {
		target, level, age string
		who                Subject
		want               Verdict
	}{
		{"/public", "password", "", nobody, StepUp},
		{"/public", "password", "", byWord, Allow},
		{"/public", "full", "1m", full, StepUp},
		{"/admin", "password", "", full, Allow},
		{"/admin", "password", "", byWord, StepUp},
		{"/admin", "hardware", "", full, StepUp},
		{"/x", "password", "", full, Deny},
	} {
		need, err := ParseTightening(test.level, test.age)
		if err != nil {
			t.Fatal(err)
		}
		r := Request{Origin: appOrigin, Method: "GET", Target: test.target, AtLeast: []Need{need}}
		if d := f.Decide(r, test.who, now); d.Verdict != test.want {
			t.Errorf("%+v: %s", test, d.Verdict)
		}
	}
	for _, level := range []string{"open", "deny", "none", "", "purpose:x", "full<1m"} {
		if _, err := ParseTightening(level, "1m"); err == nil {
			t.Errorf("%q makes a request stricter", level)
		}
	}
}

func TestLevelOfADecision(t *testing.T) {
	f := parse(t, "", "password * /**", "full<10m * /a", "password<5m * /b")
	for _, test := range []struct {
		target string
		level  token.Level
		age    time.Duration
	}{{"/", token.LevelPassword, 0}, {"/a", token.LevelFull, 10 * time.Minute}, {"/b", token.LevelPassword, 5 * time.Minute}} {
		d := f.Decide(Request{Origin: appOrigin, Method: "GET", Target: test.target}, nobody, now)
		if level, age := d.Level(); level != test.level || age != test.age {
			t.Errorf("%s: %s, %s", test.target, level, age)
		}
	}
}

func TestReasonNamesTheRule(t *testing.T) {
	f := parse(t, "", "password * /**", "full   *   /admin/**")
	d := f.Decide(Request{Origin: appOrigin, Method: "GET", Target: "/admin"}, nobody, now)
	if !strings.Contains(d.Reason, `line 5, "full * /admin/**"`) {
		t.Error(d.Reason)
	}
	if got := []string{Allow.String(), Deny.String(), StepUp.String(), Refused.String()}; !slices.Equal(got, []string{"allow", "deny", "step-up", "refused"}) {
		t.Error(got)
	}
}
