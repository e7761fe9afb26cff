package stepup_test

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest"
	"github.com/stepkey/stepkey/stepup"
)

// refusal is a kind of request, and what has to be in its answer besides the documented status.
type refusal struct {
	method  string // GET by default
	headers string // "Name: value" in lines, besides those of a page
	body    string
	user    string // "none", or "token" for a user without a session
	header  string // of the answer, "Name: beginning of the value"
	text    string
}

const asPage = "Accept: text/html\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document\nSec-Fetch-Site: same-origin\n"

const asForm = asPage + "Content-Type: application/x-www-form-urlencoded\n"

// refusals are the rows of the reference, by their first cell.
var refusals = map[string]refusal{
	"page": {headers: asPage, header: "Location: /_stepkey/verify?p=payout&next=%2Fpayouts"},
	"form": {method: "POST", headers: asForm, body: "amount=100", text: `data-form="`},
	"form with files, above 64 KiB or not UTF-8": {
		method: "POST", headers: asForm, body: "amount=" + strings.Repeat("1", 64<<10), header: "Location: /_stepkey/verify?p=payout&next=%2Fform",
	},
	"form of another site": {method: "POST", headers: strings.Replace(asForm, "same-origin", "cross-site", 1), body: "amount=100", text: "came from another site"},
	"frame":                {headers: strings.Replace(asPage, "document", "iframe", 1), text: `target="_top"`},
	"prefetch, prerender":  {headers: asPage + "Sec-Purpose: prefetch;prerender\n"},
	"htmx":                 {headers: "HX-Request: true\nHX-Current-URL: {origin}/cart\n", header: "Hx-Redirect: /_stepkey/verify?p=payout&next=%2Fcart", text: `"code":"step_up_required"`},
	"Turbo visit":          {headers: "X-Turbo-Request-Id: 1\nAccept: text/html\n", header: "Location: /_stepkey/verify?p=payout"},
	"Turbo form":           {method: "POST", headers: "X-Turbo-Request-Id: 1\nAccept: text/html\n", body: "amount=1", text: `"code":"step_up_required"`},
	"Inertia":              {headers: "X-Inertia: true\n", header: "X-Inertia-Location: /_stepkey/verify?p=payout"},
	"script, API":          {headers: "Accept: */*\n", header: `Www-Authenticate: Bearer error="insufficient_user_authentication"`, text: `"code":"step_up_required"`},
	"API token":            {user: "token", text: `"code":"session_required"`},
	"nobody, page":         {user: "none", headers: asPage, header: "Location: /login?next=%2Fpayouts"},
	"nobody, script":       {user: "none", text: `"code":"unauthorized"`},
	"old session, page":    {user: "token", headers: asPage, text: `href="/login?next=%2Fpayouts"`},
	"nobody knows, page":   {user: "unknown", headers: asPage, text: "<h1>Not available</h1>"},
	"nobody knows, script": {user: "unknown", text: `"code":"unavailable"`},
}

func TestRefusalsAreAsDocumented(t *testing.T) {
	a := newApp(t, database(t, "sqlite"), nil)
	owner, _ := a.signIn("42")
	owner.Enrol()
	rows := stepup.DocumentedRows(t, "| request | recognised by | answer |")
	if len(rows) != len(refusals) {
		t.Errorf("the reference has %d kinds of requests, this test %d", len(rows), len(refusals))
	}
	for _, row := range rows {
		t.Run(row[0], func(t *testing.T) {
			test, known := refusals[row[0]]
			documented := regexp.MustCompile("^`([0-9]{3})`").FindStringSubmatch(row[2])
			if !known || documented == nil {
				t.Fatalf("no test holds the row %q", row)
			}
			status, _ := strconv.Atoi(documented[1])
			c := browserOf(a, test.user)
			answer := c.Do(requestOf(t, a, test))
			name, value, _ := strings.Cut(test.header, ": ")
			if body := c.Body(answer); answer.StatusCode != status || !strings.Contains(body, test.text) || !strings.HasPrefix(answer.Header.Get(name), value) {
				t.Errorf("%d %v %.300s; want %d, %q and %q", answer.StatusCode, answer.Header, body, status, test.header, test.text)
			}
			if answer.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control %q, want no-store", answer.Header.Get("Cache-Control"))
			}
		})
	}
}

// The reference says what has to be deleted to start with another secret, and what goes with it.
func TestAnotherSecretAsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/stepup-reference.md")
	if err != nil {
		t.Fatal(err)
	}
	statement := regexp.MustCompile("(?s)```sql\n(.*?)```").FindStringSubmatch(string(text))
	if statement == nil {
		t.Fatal("the reference shows no statement")
	}
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			db := database(t, kind)
			var origins []string
			a := newApp(t, db, func(c *stepup.Config) { origins = c.Origins })
			c, cookie := a.signIn("42")
			c.Enrol()
			a.want("with the old secret", c, c.Get("/payouts"), http.StatusOK, "payouts")

			other := stepup.Config{
				DB: db, Secret: "aT3vNWS6yCC8ly5gq4/GBrxqj4L0dCryss/HOhbNB8I=", RPName: "Shop", Origins: origins, SignIn: "/login?next=",
				Identify: a.identify, Clock: a.clock.Now,
				Purposes: []stepup.Purpose{{Name: "payout", Rule: stepup.Passkey.Within(10 * time.Minute)}},
			}
			if _, err := stepup.New(t.Context(), other); !errors.Is(err, stepkey.ErrOtherSecret) {
				t.Fatalf("New with another secret: %v, want %v", err, stepkey.ErrOtherSecret)
			}
			query := statement[1]
			if kind == "sqlite" {
				query = strings.Replace(query, "stepkey.settings", "stepkey_settings", 1)
			}
			if _, err := db.ExecContext(t.Context(), query); err != nil {
				t.Fatal(err)
			}
			kit, err := stepup.New(t.Context(), other)
			if err != nil {
				t.Fatal(err)
			}
			if err := kit.Check(t.Context(), a.identity(cookie), "payout"); err == nil {
				t.Error("a verification from before counts with another secret")
			}
			a.replace(kit)
			a.want("with the new secret", c, c.Get("/payouts"), http.StatusOK, "payouts")
			if err := kit.Check(t.Context(), a.identity(cookie), "payout"); err != nil {
				t.Errorf("the passkey of before was verified, and Check returns %v", err)
			}
		})
	}
}

// browserOf is the browser of a user who has a passkey and has verified none, or of somebody else.
func browserOf(a *app, user string) *stepkeytest.Client {
	a.fails = nil
	if user == "none" {
		return a.browserWith("nobody's")
	}
	c, cookie := a.signIn("42")
	id := a.identity(cookie)
	switch user {
	case "token":
		id.Session = ""
		a.setIdentity(cookie, &id)
	case "unknown":
		a.fails = errors.New("sessions are away")
	}
	return c
}

func requestOf(t *testing.T, a *app, test refusal) *http.Request {
	t.Helper()
	method := test.method
	if method == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(t.Context(), method, a.url+"/payouts", strings.NewReader(test.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Referer", a.url+"/form")
	for line := range strings.Lines(strings.ReplaceAll(test.headers, "{origin}", a.url)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		r.Header.Set(name, value)
	}
	return r
}
