package messages

import (
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func files(pairs ...string) fs.FS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

const english = `{"page": {"title": "Account", "hello": "Hello {name}", "left": {"one": "{count} code", "other": "{count} codes"}}}`

func load(t *testing.T, sources ...fs.FS) *Set {
	t.Helper()
	set, err := Load(sources...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func text(t *testing.T, c *Catalog, key string, arguments ...any) string {
	t.Helper()
	words, err := c.Text(key, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return words
}

func TestText(t *testing.T) {
	set := load(t, files(
		"en.json", english, "de.json", `{"page": {"title": "Konto", "left": {"one": "{count} Code", "other": "{count} Codes"}}}`,
		"pl.json", `{"page": {"left": {"one": "{count} kod", "few": "{count} kody", "many": "{count} kodów", "other": "{count} kodu"}}}`,
	))
	for _, test := range []struct {
		language, key string
		arguments     []any
		want          string
	}{
		{"en", "page.title", nil, "Account"},
		{"de", "page.title", nil, "Konto"},
		{"de", "page.hello", []any{"name", "{count}"}, "Hello {count}"}, // falls back, and what is inserted stays as it is
		{"en", "page.left", []any{"count", 1}, "1 code"},
		{"en", "page.left", []any{"count", 0}, "0 codes"},
		{"pl", "page.left", []any{"count", 3}, "3 kody"},
		{"pl", "page.left", []any{"count", 5}, "5 kodów"},
		{"pl", "page.title", nil, "Account"},
	} {
		if got := text(t, set.Match(test.language), test.key, test.arguments...); got != test.want {
			t.Errorf("%s in %s: %q, want %q", test.key, test.language, got, test.want)
		}
	}
}

// A plural that falls back on English follows the rules of English: Polish has no words for "few" here.
func TestFallbackFollowsItsOwnRules(t *testing.T) {
	set := load(t, files("en.json", english, "cs.json", `{"page": {"title": "Účet"}}`, "ja.json", `{"page": {"title": "アカウント"}}`))
	for _, language := range []string{"cs", "ja"} {
		for count, want := range map[int]string{1: "1 code", 2: "2 codes"} {
			if got := text(t, set.Match(language), "page.left", "count", count); got != want {
				t.Errorf("%d in %s: %q, want %q", count, language, got, want)
			}
		}
	}
}

func TestMistakesInTheProgram(t *testing.T) {
	c := load(t, files("en.json", english)).Match()
	for name, try := range map[string]func() (string, error){
		"unknown key":            func() (string, error) { return c.Text("page.none") },
		"argument without value": func() (string, error) { return c.Text("page.hello", "name") },
		"no argument":            func() (string, error) { return c.Text("page.hello") },
		"another argument":       func() (string, error) { return c.Text("page.hello", "count", 1) },
	} {
		if got, err := try(); err == nil {
			t.Errorf("%s: %q, want an error", name, got)
		}
	}
}

func TestMatch(t *testing.T) {
	set := load(t, files("en.json", english, "de.json", `{}`, "pt-BR.json", `{}`, "ar.json", `{}`))
	for _, test := range []struct {
		preferences []string
		want        string
	}{
		{nil, "en"},
		{[]string{""}, "en"},
		{[]string{"de-AT,de;q=0.9,en;q=0.5"}, "de"},
		{[]string{"fr,de;q=0.5"}, "de"},
		{[]string{"pt"}, "pt-BR"},
		{[]string{"ja"}, "en"},
		{[]string{"de", "en"}, "de"},
		{[]string{"", "de"}, "de"},
		{[]string{"xx-invalid-;;;", "de"}, "de"},
		{[]string{"ar-EG"}, "ar"},
	} {
		if got := set.Match(test.preferences...).Lang(); got != test.want {
			t.Errorf("%q: %s, want %s", test.preferences, got, test.want)
		}
	}
	if got := set.Match("ar").Direction(); got != "rtl" {
		t.Errorf("Arabic is written %s", got)
	}
	if got := set.Match("de").Direction(); got != "ltr" {
		t.Errorf("German is written %s", got)
	}
	if err := set.Prefer("de"); err != nil || set.Match("ja").Lang() != "de" {
		t.Errorf("preferred: %v, %s", err, set.Match("ja").Lang())
	}
	if err := set.Only("de"); err != nil || set.Match("en").Lang() != "de" || len(set.Tags()) != 1 {
		t.Errorf("only: %v, %v", err, set.Tags())
	}
	if err := set.Prefer("fr"); err == nil {
		t.Error("a language that is not there is preferred")
	}
}

func TestLaterFilesReplaceMessages(t *testing.T) {
	set := load(t, files("en.json", english, "de.json", `{"page": {"title": "Konto"}}`),
		files("en.json", `{"page": {"title": "Profile"}}`, "de.json", `{"page": {"hello": "Hallo {name}"}}`, "fr.json", `{"page": {"title": "Compte"}}`))
	for key, want := range map[string]string{"en page.title": "Profile", "de page.title": "Konto", "de page.hello": "Hallo Mira", "fr page.title": "Compte"} {
		language, key, _ := strings.Cut(key, " ")
		if got := text(t, set.Match(language), key, "name", "Mira"); got != want {
			t.Errorf("%s in %s: %q, want %q", key, language, got, want)
		}
	}
}

func TestBadFiles(t *testing.T) {
	for name, test := range map[string]struct{ file, content, want string }{
		"unknown message":   {"de.json", `{"page": {"titel": "Konto"}}`, `"page.titel"`},
		"unknown group":     {"de.json", `{"side": {"title": "Konto"}}`, `"side.title"`},
		"unknown argument":  {"de.json", `{"page": {"hello": "Hallo {nmae}"}}`, "{nmae}"},
		"plural for text":   {"de.json", `{"page": {"title": {"one": "Konto", "other": "Konten"}}}`, "page.title"},
		"text for plural":   {"de.json", `{"page": {"left": "{count} Codes"}}`, "page.left"},
		"missing category":  {"pl.json", `{"page": {"left": {"one": "{count} kod", "other": "{count} kodu"}}}`, "many"},
		"unknown category":  {"de.json", `{"page": {"left": {"one": "a", "plural": "b", "other": "c"}}}`, "plural"},
		"number":            {"de.json", `{"page": {"title": 1}}`, "page.title"},
		"twice":             {"de.json", `{"page": {"title": "a", "title": "b"}}`, "title"},
		"no JSON":           {"de.json", `{`, "de.json"},
		"no language":       {"german words.json", `{}`, "language tag"},
		"replaced argument": {"en.json", `{"page": {"title": "{x}"}}`, "{x}"},
	} {
		_, err := Load(files("en.json", english), files(test.file, test.content))
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.file) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := Load(files("de.json", `{}`)); err == nil {
		t.Error("loaded without English")
	}
}

func TestTree(t *testing.T) {
	set := load(t, files("en.json", english))
	want := map[string]any{"title": "Account", "hello": "Hello {name}", "left": map[string]any{"one": "{count} code", "other": "{count} codes"}}
	if got := set.Match().Tree("page"); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Scripts learn which plurals follow the rules of English, and languages their own names.
func TestWhatFallsBackOnEnglish(t *testing.T) {
	set := load(t, files("en.json", `{"language": "English", "page": {"left": {"one": "{count} code", "other": "{count} codes"}}}`, "ja.json", `{}`,
		"de.json", `{"language": "Deutsch", "page": {"left": {"one": "{count} Code", "other": "{count} Codes"}}}`))
	for language, want := range map[string]any{"ja": "en", "de": nil, "en": nil} {
		if got := set.Match(language).Tree("page")["left"].(map[string]any)["lang"]; got != want {
			t.Errorf("%s: the plural follows %v, want %v", language, got, want)
		}
	}
	for language, want := range map[string]string{"ja": "ja", "de": "Deutsch", "en": "English"} {
		if got := set.Match(language).Name(); got != want {
			t.Errorf("%s is called %q, want %q", language, got, want)
		}
	}
}

// A set that is restricted to one language leaves the sets of others as they are.
func TestServiceIsLoadedForEachAnew(t *testing.T) {
	one, other := loadService(t), loadService(t)
	if err := one.Only("de"); err != nil {
		t.Fatal(err)
	}
	if tags := one.Tags(); !slices.Equal(tags, []string{"de"}) {
		t.Errorf("the set that was restricted has %v", tags)
	}
	for _, set := range []*Set{other, loadService(t)} {
		if tags := set.Tags(); !slices.Equal(tags, []string{"en", "de"}) {
			t.Errorf("another set has %v", tags)
		}
		if got := set.Match("fr").Lang(); got != "en" {
			t.Errorf("another set answers in %s, want en", got)
		}
	}
}

func loadService(t *testing.T) *Set {
	t.Helper()
	set, err := LoadService(nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// The languages that Stepkey brings are complete, and no message is empty or ends in space.
func TestServiceLanguagesAreComplete(t *testing.T) {
	set := load(t, Service)
	for _, c := range set.Catalogs() {
		if missing := c.Missing(); len(missing) > 0 {
			t.Errorf("%s lacks %s", c.Lang(), strings.Join(missing, ", "))
		}
		for key, m := range c.messages {
			texts := slices.Collect(maps.Values(m.plural))
			if !m.counts() {
				texts = []string{m.text}
			}
			for _, words := range texts {
				if words == "" || strings.TrimSpace(words) != words {
					t.Errorf("%s: %s is %q", c.Lang(), key, words)
				}
			}
			if !reflect.DeepEqual(m.arguments(), set.catalogs[0].messages[key].arguments()) {
				t.Errorf("%s: %s has the arguments %v, English has %v", c.Lang(), key, m.arguments(), set.catalogs[0].messages[key].arguments())
			}
		}
	}
	if want := []string{"en", "de"}; !reflect.DeepEqual(set.Tags(), want) {
		t.Errorf("languages %v, want %v", set.Tags(), want)
	}
}
