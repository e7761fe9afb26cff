package mail

import (
	"encoding/json"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stepkey/stepkey/internal/messages"
)

// withoutWords is a language file in which every message that mails use consists of its arguments, each in signs
// that no language uses.
func withoutWords(t *testing.T) string {
	t.Helper()
	body, err := fs.ReadFile(messages.Service, "en.json")
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(body, &tree); err != nil {
		t.Fatal(err)
	}
	mails, ok := tree["mail"].(map[string]any)
	if !ok {
		t.Fatal("en.json has no mails")
	}
	file, err := json.Marshal(map[string]any{"mail": replaced(mails)})
	if err != nil {
		t.Fatal(err)
	}
	return string(file)
}

var argument = regexp.MustCompile(`\{\w+\}`)

func replaced(tree map[string]any) map[string]any {
	out := map[string]any{}
	for key, value := range tree {
		switch value := value.(type) {
		case string:
			out[key] = "⟦" + strings.Join(argument.FindAllString(value, -1), "·") + "⟧"
		case map[string]any:
			out[key] = replaced(value)
		}
	}
	return out
}

var letter = regexp.MustCompile(`\pL+`)

// Every word of every mail comes from the language files: in a language without words, only the facts are left.
func TestNoWordIsElsewhere(t *testing.T) {
	letters := letters(t, "eo.json", withoutWords(t))
	l := full()
	l.Language, l.Times, l.ResetPage = "eo", 3, "https://app.example.com/reset-password"
	facts := strings.NewReplacer(
		l.ConfirmURL, "", l.ResetURL, "", l.RecoverURL, "", l.FreezeURL, "", l.InvitationURL, "", l.ResetPage, "", l.Home, "",
		l.Username, "", l.Address, "", "Stepkey", "", "Firefox", "", "Linux", "",
	)
	markup := regexp.MustCompile(`<[^>]*>`)
	for _, kind := range Kinds() {
		text := renderWith(t, letters, kind, l)
		for part, body := range map[string]string{"subject": text.Subject, "text": text.Text, "HTML": markup.ReplaceAllString(text.HTML, "")} {
			if found := letter.FindAllString(facts.Replace(body), -1); found != nil {
				t.Errorf("%s: the %s says %q:\n%s", kind, part, found, body)
			}
		}
		if !strings.Contains(text.HTML, `<html lang="eo" dir="ltr">`) || !strings.Contains(text.HTML, `<div lang="eo" dir="ltr">`) {
			t.Errorf("%s: the HTML does not say its language", kind)
		}
	}
}

var url = regexp.MustCompile(`https://[^\s"<]*[\w#]`)

// A mail has the same facts and the same links in every language, and other words.
func TestEveryKindInEveryLanguage(t *testing.T) {
	letters := letters(t)
	same := regexp.MustCompile(`^(Stepkey|-- ?|[^:]+: https://\S+)$`)
	for _, kind := range Kinds() {
		l := full()
		l.Times = 3
		english := renderWith(t, letters, kind, l)
		l.Language = "de"
		german := renderWith(t, letters, kind, l)
		if german.Subject == english.Subject || !strings.HasPrefix(german.Subject, "Stepkey: ") || len(german.Subject) > 70 {
			t.Errorf("%s: the subject is %q", kind, german.Subject)
		}
		for _, line := range strings.Split(german.Text, "\n") {
			if line != "" && !same.MatchString(line) && strings.Contains(english.Text, line) && !strings.Contains(line, "203.0.113.0/24") {
				t.Errorf("%s: the German mail says %q", kind, line)
			}
		}
		for part, bodies := range map[string][2]string{"text": {english.Text, german.Text}, "HTML": {english.HTML, german.HTML}} {
			if want, got := url.FindAllString(bodies[0], -1), url.FindAllString(bodies[1], -1); !slices.Equal(got, want) {
				t.Errorf("%s: the %s has the links\n%q, in English\n%q", kind, part, got, want)
			}
			if kind == Invitation {
				continue
			}
			for _, wanted := range []string{"17. Mai 2030, 07:05 Uhr UTC", "Firefox auf Linux", "203.0.113.0/24", "3 Mal", "Mira"} {
				if !strings.Contains(bodies[1], wanted) {
					t.Errorf("%s: the German %s lacks %q:\n%s", kind, part, wanted, bodies[1])
				}
			}
		}
		if !strings.Contains(german.HTML, `lang="de"`) {
			t.Errorf("%s: the HTML does not say its language", kind)
		}
	}
}

func TestRightToLeft(t *testing.T) {
	l := full()
	l.Language = "ar"
	text := renderWith(t, letters(t, "ar.json", `{"mail": {"open": "أو افتح هذا العنوان:"}}`), ResetPassword, l)
	for _, wanted := range []string{`<html lang="ar" dir="rtl">`, `<div lang="ar" dir="rtl">`, `" dir="ltr" style=`, "أو افتح هذا العنوان:"} {
		if !strings.Contains(text.HTML, wanted) {
			t.Errorf("no %q in\n%s", wanted, text.HTML)
		}
	}
}

// A mail in an unknown language is written in the default one: a mail may have been queued by an instance with more
// files.
func TestUnknownLanguages(t *testing.T) {
	set, err := messages.LoadService(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Prefer("de"); err != nil {
		t.Fatal(err)
	}
	letters, err := New(set)
	if err != nil {
		t.Fatal(err)
	}
	for language, want := range map[string]string{
		"": "Neues Passwort", "fr": "Neues Passwort", "\r\nBcc: x": "Neues Passwort", "en": "Set a new password", "de-AT": "Neues Passwort",
	} {
		l := full()
		l.Language = language
		if text := renderWith(t, letters, ResetPassword, l); !strings.Contains(text.Subject, want) {
			t.Errorf("%q: %s", language, text.Subject)
		}
	}
}

func TestDevices(t *testing.T) {
	for description, want := range map[string]string{
		"Firefox on Linux": "Gerät: Firefox auf Linux", "Unknown device": "Gerät: Unbekanntes Gerät",
		"iPhone": "Gerät: iPhone", "Kettle on fire": "Gerät: Kettle on fire",
	} {
		l := full()
		l.Language, l.Device = "de", description
		if text := render(t, PasskeyAdded, l); !strings.Contains(text.Text, want+"\n") {
			t.Errorf("no %q in\n%s", want, text.Text)
		}
	}
}

func TestMonths(t *testing.T) {
	names := map[string][]string{
		"en": {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
		"de": {"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"},
	}
	for language, months := range names {
		for i, name := range months {
			l := full()
			l.Language, l.At = language, time.Date(2030, time.Month(i+1), 3, 23, 59, 0, 0, time.UTC)
			if text := render(t, PasskeyRemoved, l); !strings.Contains(text.Text, name+" 2030, 23:59") {
				t.Errorf("no %s in\n%s", name, text.Text)
			}
		}
	}
}

// A message that cannot be filled in is found when the service starts.
func TestBrokenMessages(t *testing.T) {
	if _, err := messages.Load(messages.Service, fstest.MapFS{"de.json": {Data: []byte(`{"mail": {"open": "{url}"}}`)}}); err == nil {
		t.Error("a message with an unknown argument is taken")
	}
	set, err := messages.Load(fstest.MapFS{"en.json": {Data: []byte(`{"mail": {"open": "Or open this address:"}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(set); err == nil {
		t.Error("letters are made without words")
	}
}
