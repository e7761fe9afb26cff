package web

import (
	"encoding/json"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/content"
)

const path = "/_stepkey/"

func states() []State {
	return []State{
		StateVerify, StateEnrol, StateOffer, StateWaits, StateReauthenticate, StateCrossSite, StateAgain, StateNothing,
	}
}

func full(state State) VerifyPage {
	return VerifyPage{
		State: state, Service: "Ledger", Title: "Pay out", Reason: "Your last verification is over 5 minutes old.",
		Account: "mira", Device: "Firefox on Linux", Purpose: "payout", Next: "/payouts?month=9", Form: "sealed", Action: "act",
		Auto: true, Fields: []Field{{"Amount", "100 €"}, {"To", "Ada"}},
		UsableFrom: time.Date(2026, 9, 3, 14, 3, 0, 0, time.FixedZone("", 7200)),
		Links:      []Link{{"Enter a code", "/totp?next=%2Fpayouts"}}, RecoveryCodes: true, Back: "/payouts", Nonce: "r4nd0m",
	}
}

func verify(t *testing.T, page VerifyPage) string {
	t.Helper()
	var text strings.Builder
	if err := New(path, English).Verify(&text, page); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func manage(t *testing.T, page ManagePage) string {
	t.Helper()
	text, err := New(path, English).Manage(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEachStateHasItsSentenceAndItsButtons(t *testing.T) {
	words := New(path, English).words
	for _, test := range []struct {
		state       State
		lead        string
		has, hasNot []string
	}{
		{StateVerify, "verifyLead", []string{`data-do="verify"`}, []string{`data-do="add"`, `data-do="skip"`}},
		{StateEnrol, "enrolLead", []string{`data-do="verify"`, `data-do="add"`, `data-step="verify" hidden`}, []string{`data-do="skip"`, `data-step="add" hidden`}},
		{StateOffer, "offerLead", []string{`data-do="add"`, `data-do="skip"`, `data-step="verify" hidden`}, nil},
		{StateWaits, "waitsLead", []string{`<time datetime="2026-09-03T12:03:00Z"`}, []string{`data-do="verify"`, `data-do="add"`}},
		{StateReauthenticate, "reauthenticateLead", []string{`href="/totp?next=%2Fpayouts">Enter a code</a>`}, []string{`data-do=`}},
		{StateCrossSite, "crossSiteLead", []string{`data-back`}, []string{`data-do=`}},
		{StateAgain, "againLead", []string{`data-do="verify"`, words["againHint"]}, []string{`data-do="add"`}},
		{StateNothing, "nothingLead", []string{`href="/totp?next=%2Fpayouts">Enter a code</a>`}, []string{`data-do=`}},
	} {
		t.Run(string(test.state), func(t *testing.T) {
			page := full(test.state)
			page.RecoveryCodes = false
			if test.state != StateWaits {
				page.UsableFrom = time.Time{}
			}
			text := verify(t, page)
			for _, want := range append(test.has, words[test.lead], `data-state="`+string(test.state)+`"`, "<h1>Pay out</h1>", "Firefox on Linux", "over 5 minutes old") {
				if !strings.Contains(html.UnescapeString(text), want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			for _, unwanted := range test.hasNot {
				if strings.Contains(text, unwanted) {
					t.Errorf("the page has %q", unwanted)
				}
			}
		})
	}
}

// Turbo would put the page into the one before it, whose script has run already.
func TestTurboLoadsThePageAfresh(t *testing.T) {
	if text := verify(t, full(StateVerify)); !strings.Contains(text, `<meta name="turbo-visit-control" content="reload">`) {
		t.Errorf("Turbo is not told to load the page: %s", text)
	}
}

func TestARecoveryCodeLeadsToANewPasskey(t *testing.T) {
	page := full(StateVerify)
	for _, want := range []string{`<form data-recover`, `data-step="add" hidden`, `data-do="add"`} {
		if !strings.Contains(verify(t, page), want) {
			t.Errorf("the page lacks %q", want)
		}
		page.RecoveryCodes = false
		if strings.Contains(verify(t, page), want) {
			t.Errorf("without codes, the page has %q", want)
		}
		page.RecoveryCodes = true
	}
}

// Texts on a page may come from anybody: a name from its owner, a value from the request.
func TestHostileTextsStayTexts(t *testing.T) {
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}`
	page := VerifyPage{
		Service: hostile, Title: hostile, Reason: hostile, Account: hostile, Device: hostile, Purpose: hostile, Next: hostile,
		Form: hostile, Action: hostile, Fields: []Field{{hostile, hostile}}, Nonce: hostile, Back: "javascript:alert(1)",
		Links: []Link{{hostile, "javascript:alert(1)"}}, RecoveryCodes: true,
	}
	texts := map[string]string{"manage": manage(t, ManagePage{
		Service: hostile, Account: hostile, Nonce: hostile, Passkeys: []Passkey{{ID: hostile, Name: hostile, Provider: hostile}},
	})}
	for _, state := range states() {
		page.State = state
		texts[string(state)] = verify(t, page)
	}
	for name, text := range texts {
		if found := regexp.MustCompile(`<script>|<img|javascript:`).FindString(text); found != "" {
			t.Errorf("%s has %q", name, found)
		}
	}
}

// A browser silently drops everything that the strictest policy forbids; this test names it.
func TestNothingInline(t *testing.T) {
	texts := map[string]string{"manage": manage(t, ManagePage{Passkeys: []Passkey{{ID: "1", Name: "Laptop"}}, Nonce: "r4nd0m"})}
	for _, state := range states() {
		texts[string(state)] = verify(t, full(state))
	}
	for name, text := range texts {
		if found := regexp.MustCompile(`(?i)<script(?:>|[^>]*>[^<])|<style|<[^>]*\s(?:style|on\w+)=|<base`).FindString(text); found != "" {
			t.Errorf("%s has %q", name, found)
		}
		for _, tag := range regexp.MustCompile(`<(?:script|link)[^>]*>`).FindAllString(text, -1) {
			if !strings.Contains(tag, ` nonce="r4nd0m"`) || !strings.Contains(tag, ` integrity="sha384-`) || !strings.Contains(tag, `="/_stepkey/stepup.`) {
				t.Errorf("%s has %s", name, tag)
			}
		}
		for _, address := range regexp.MustCompile(`\s(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(address[1], "/") || strings.HasPrefix(address[1], "//") {
				t.Errorf("%s points to %s", name, address[1])
			}
		}
	}
	if found := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser`).Find(read("stepup.js")); found != nil {
		t.Errorf("stepup.js uses %s", found)
	}
	if strings.Contains(New(path, English).Policy(), "unsafe") || strings.Contains(New(path, English).Policy(), "form-action") {
		t.Errorf("policy: %s", New(path, English).Policy())
	}
	if text := verify(t, VerifyPage{State: StateVerify}); strings.Contains(text, "nonce") {
		t.Error("a page without nonce has the attribute")
	}
}

func TestTheListIsReadWithoutScript(t *testing.T) {
	day := time.Date(2026, 9, 3, 14, 3, 0, 0, time.UTC)
	text := manage(t, ManagePage{Service: "Ledger", Account: "mira", CodesLeft: 9, Passkeys: []Passkey{
		{ID: "1", Name: "Laptop", Provider: "Alder", CreatedAt: day, LastUsedAt: day.AddDate(0, 1, 0), Synced: true},
		{ID: "2", Name: "Key", CreatedAt: day, UsableFrom: day.AddDate(0, 0, 1)},
		{ID: "3", Name: "Phone", CreatedAt: day},
	}})
	text, _, _ = strings.Cut(text, "<template>")
	shown := regexp.MustCompile(`<(\w+)[^>]* hidden>.*?</`).ReplaceAllString(text, "</")
	shown = strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(shown, " ")), " ")
	const want = "Laptop Alder Synced Added 3 Sep 2026 Last used 3 Oct 2026 " +
		"Key This device only Added 3 Sep 2026 Works from 4 Sep 2026, 14:03 UTC " +
		"Phone This device only Added 3 Sep 2026 Not used yet"
	if !strings.Contains(shown, want) {
		t.Errorf("the list reads\n%s\nand lacks\n%s", shown, want)
	}
}

func TestExpired(t *testing.T) {
	if got, want := New(path, German).Expired(time.Hour), "Deine letzte Bestätigung ist über 1 Stunde her."; got != want {
		t.Errorf("in German %q, want %q", got, want)
	}
	for d, want := range map[time.Duration]string{
		30 * time.Second: "30 seconds", time.Minute: "1 minute", 5 * time.Minute: "5 minutes", 90 * time.Minute: "90 minutes",
		time.Hour: "1 hour", 12 * time.Hour: "12 hours",
	} {
		if got := New(path, English).Expired(d); got != "Your last verification is over "+want+" old." {
			t.Errorf("Expired(%v) = %q", d, got)
		}
	}
}

// A page with all that it loads, compressed as it is sent.
func TestPageIsLight(t *testing.T) {
	const limit = 20_000 // bytes; the promise is 40 kB
	p := New(path, English)
	page := sizeOf(verify(t, full(StateVerify)))
	script, style := p.Script().CompressedSize(), p.Style().CompressedSize()
	t.Logf("page %d, script %d, style %d: %d bytes", page, script, style, page+script+style)
	if page+script+style >= limit {
		t.Errorf("the page weighs %d bytes, want less than %d", page+script+style, limit)
	}
}

type allWords struct{ Page, Script map[string]any }

func wordsOf(t *testing.T, file string) (words allWords) {
	t.Helper()
	if err := json.Unmarshal(read(file), &words); err != nil {
		t.Fatal(err)
	}
	return words
}

// unnamed are the words that Go code uses, not a template.
var unnamed = []string{"expired", "codesLeft", "thenVerify", "second", "seconds", "minute", "minutes", "hour", "hours", "day", "moment"}

// Both languages have the same words with the same places for what is filled in, and no text was forgotten in English.
func TestLanguagesAreComplete(t *testing.T) {
	english, german := wordsOf(t, "words.json"), wordsOf(t, "words.de.json")
	places := regexp.MustCompile(`%[sd]|\{\}`)
	same := []string{"page.passkeys", "script.name"} // in both languages
	var compare func(key string, en, de any)
	compare = func(key string, en, de any) {
		switch en := en.(type) {
		case map[string]any:
			de, _ := de.(map[string]any)
			for name := range de {
				if _, ok := en[name]; !ok {
					t.Errorf("%s.%s is in German alone", key, name)
				}
			}
			for name, inner := range en {
				compare(key+"."+name, inner, de[name])
			}
		case []any:
			de, _ := de.([]any)
			if len(de) != len(en) {
				t.Errorf("%s has %d parts in German", key, len(de))
				return
			}
			for i := range en {
				compare(key, en[i], de[i])
			}
		case string:
			de, _ := de.(string)
			if (de == en) != (slices.Contains(same, key) || en == "") || !slices.Equal(places.FindAllString(en, -1), places.FindAllString(de, -1)) {
				t.Errorf("%s is %q and %q", key, en, de)
			}
		}
	}
	compare("page", english.Page, german.Page)
	compare("script", english.Script, german.Script)
}

func TestGerman(t *testing.T) {
	var text strings.Builder
	page := full(StateWaits)
	if err := New(path, German).Verify(&text, page); err != nil {
		t.Fatal(err)
	}
	shown := html.UnescapeString(text.String())
	for _, want := range []string{`<html lang="de">`, "Dein neuer Passkey funktioniert noch nicht.", `data-exact>3.9.2026, 12:03 UTC</time>`, "<h1>Pay out</h1>"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the page lacks %q:\n%s", want, shown)
		}
	}
	english, german := New(path, English).Script(), New(path, German).Script()
	if english.URL == german.URL || !strings.HasPrefix(german.URL, path+"stepup.js?v=") {
		t.Errorf("the scripts are at %s and %s", english.URL, german.URL)
	}
	if !strings.Contains(string(read("stepup.de.js")), "Folge deinem Gerät.") {
		t.Error("the German script does not speak German")
	}
	if Speaks("fr") || Speaks("") || !Speaks(English) || !Speaks(German) {
		t.Error("the languages are others")
	}
}

// Each word is used, and each that is used is there: the templates fail without, the script shows nothing.
func TestWordsAreThoseUsed(t *testing.T) {
	words := wordsOf(t, "words.json")
	templates := string(read("verify.html")) + string(read("manage.html"))
	for key := range words.Page {
		if !strings.Contains(templates, `"`+key+`"`) && !strings.HasSuffix(key, "Lead") && !slices.Contains(unnamed, key) {
			t.Errorf("page.%s is on no page", key)
		}
	}
	script := string(read("stepup.js"))
	for key := range words.Script {
		if strings.Count(script, "."+key) == 0 {
			t.Errorf("script.%s is used by no script", key)
		}
	}
}

// sizeOf is how many bytes a browser gets.
func sizeOf(text string) int {
	return content.New("text/html; charset=utf-8", []byte(text)).CompressedSize()
}
