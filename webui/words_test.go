package webui

import (
	"maps"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// templates are the pages before their words are filled in, by file.
func templates(t *testing.T) map[string]string {
	t.Helper()
	sources := map[string]string{"layout.html": layout, "notfound.html": notFound}
	entries, err := static.ReadDir("static")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if path.Ext(entry.Name()) == ".html" {
			body, err := static.ReadFile("static/" + entry.Name())
			if err != nil {
				t.Fatal(err)
			}
			sources[entry.Name()] = string(body)
		}
	}
	return sources
}

// keys are the paths of the messages in a tree, and whether each is a message rather than a group.
func keys(prefix string, tree map[string]any, into map[string]bool) map[string]bool {
	for name, inner := range tree {
		below, isGroup := inner.(map[string]any)
		if _, counts := below["other"].(string); counts {
			isGroup = false
		}
		into[prefix+name] = !isGroup
		if isGroup {
			keys(prefix+name+".", below, into)
		}
	}
	return into
}

func messagesBelow(prefix string) map[string]bool {
	return keys(prefix+".", standard().languages.Match("en").Tree(prefix), map[string]bool{})
}

// Every key in a template exists, also in parts that are left out, and every message is on a page.
func TestTemplatesAndMessagesAgree(t *testing.T) {
	known, used := messagesBelow("pages"), map[string]bool{}
	for file, source := range templates(t) {
		for _, match := range regexp.MustCompile(`\bt "([\w.]+)"`).FindAllStringSubmatch(source, -1) {
			used[match[1]] = true
			if !known[match[1]] {
				t.Errorf("%s: there is no message %s", file, match[1])
			}
		}
	}
	for key, isMessage := range known {
		if isMessage && !used[key] {
			t.Errorf("%s is on no page", key)
		}
	}
}

// No word of a page is in its template. The calls of the API reference are in English.
func TestTemplatesHaveNoWords(t *testing.T) {
	for file, source := range templates(t) {
		if file == "docs.html" {
			source, _, _ = strings.Cut(source, `<div class="docs" lang="en"`)
			source = regexp.MustCompile(`STEPKEY=|TOKEN=`).ReplaceAllString(source, "") // variables
		}
		text := regexp.MustCompile(`(?s)\{\{.*?\}\}|<[^>]*>`).ReplaceAllString(source, "")
		text = strings.ReplaceAll(text, "/docs", "")
		if left := regexp.MustCompile(`\pL[^\n]*`).FindString(text); left != "" {
			t.Errorf("%s says %q", file, left)
		}
		if left := regexp.MustCompile(`(?:aria-label|title|alt|placeholder)="\pL[^"]*"`).FindString(source); left != "" {
			t.Errorf("%s has %s", file, left)
		}
	}
}

// ownScripts are the scripts as they are written, but for the client and the API reference, which speak English.
func ownScripts(t *testing.T) map[string]string {
	t.Helper()
	scripts := map[string]string{}
	for url, content := range served(t) {
		if path.Ext(url) == ".js" && !strings.HasPrefix(url, "/assets/messages/") && url != "/stepkey.js" && !strings.HasSuffix(url, "/docs.js") {
			scripts[url] = content
		}
	}
	return scripts
}

func TestScriptsHaveNoWords(t *testing.T) {
	for url, script := range ownScripts(t) {
		if found := regexp.MustCompile(`["` + "`" + `][A-Z][a-z]+[’a-z]* [^"` + "`" + `]*["` + "`" + `]`).FindString(script); found != "" {
			t.Errorf("%s says %s", url, found)
		}
		if found := regexp.MustCompile(`(?:problem|answer)\??\.(?:detail|title|message)|error\.message|sentences`).FindString(script); found != "" {
			t.Errorf("%s uses %s: what the server and the client say is in English", url, found)
		}
		if found := regexp.MustCompile(`"en-?\w*"|Intl\.\w+\(undefined`).FindString(script); found != "" {
			t.Errorf("%s has a language of its own: %s", url, found)
		}
	}
}

// importsOf are the names that a script has for the exports of words/GROUP.js.
func importsOf(script, group string) map[string]string {
	names := map[string]string{}
	for _, match := range regexp.MustCompile(`import \{ ([^}]+) \} from "[./]+/words/`+group+`\.js"`).FindAllStringSubmatch(script, -1) {
		for one := range strings.SplitSeq(match[1], ", ") {
			name, alias, renamed := strings.Cut(one, " as ")
			if !renamed {
				alias = name
			}
			names[alias] = name
		}
	}
	return names
}

// Every message that a script names exists, and every message for scripts is named by one.
func TestScriptsAndMessagesAgree(t *testing.T) {
	scripts := ownScripts(t)
	all := strings.Join(slices.Collect(maps.Values(scripts)), "\n")
	problems := codes(t, "httpapi/problem.go", `\bcode: "(\w+)"`)
	for group := range standard().languages.Match("en").Tree("scripts") {
		prefix := "scripts." + group + "."
		known := messagesBelow("scripts." + group)
		own := scripts["/assets/words/"+group+".js"]
		for url, script := range scripts {
			names := importsOf(script, group)
			if len(names) == 0 {
				continue
			}
			for alias, name := range names {
				if _, ok := known[prefix+name]; !ok {
					continue // made by words/GROUP.js
				}
				for _, match := range regexp.MustCompile(`[^./\w]`+alias+`\.(\w+)`).FindAllStringSubmatch(script, -1) {
					if _, ok := known[prefix+name+"."+match[1]]; !ok {
						t.Errorf("%s: there is no message %s.%s", url, prefix+name, match[1])
					}
				}
			}
		}
		for _, match := range regexp.MustCompile(`\bwords((?:\.\w+)+)`).FindAllStringSubmatch(own, -1) {
			if _, ok := known[prefix+match[1][1:]]; !ok {
				t.Errorf("words/%s.js: there is no message %s%s", group, prefix, match[1][1:])
			}
		}
		for key, isMessage := range known {
			if !isMessage || strings.HasPrefix(key, "scripts.account.events.") {
				continue
			}
			name := path.Base(strings.ReplaceAll(key, ".", "/"))
			if name == "lead" || name == "text" {
				name = path.Base(path.Dir(strings.ReplaceAll(key, ".", "/")))
			}
			isByCode := slices.Contains(problems, name) || name == "create" // a ceremony of the client
			if !isByCode && !regexp.MustCompile(`\b`+name+`\b`).MatchString(all) {
				t.Errorf("no script uses %s", key)
			}
		}
	}
}

// Each notice has a look and words.
func TestNoticesHaveLookAndWords(t *testing.T) {
	var looks, words []string
	for _, match := range regexp.MustCompile(`(?m)^\t?(\w+): (?:plain|ok|warn|lock|shut|bad)\(`).FindAllStringSubmatch(served(t)["/assets/words/common.js"], -1) {
		looks = append(looks, match[1])
	}
	for key, isMessage := range messagesBelow("scripts.common.notices") {
		if !isMessage {
			words = append(words, strings.TrimPrefix(key, "scripts.common.notices."))
		}
	}
	slices.Sort(looks)
	slices.Sort(words)
	if !slices.Equal(looks, words) {
		t.Errorf("notices look\n%q and say\n%q", looks, words)
	}
}

// codes are the first groups of a pattern in a file of the module.
func codes(t *testing.T, file, pattern string) []string {
	t.Helper()
	source, err := os.ReadFile("../" + file)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
		found = append(found, match[1])
	}
	if len(found) == 0 {
		t.Fatalf("%s has no %s", file, pattern)
	}
	return found
}

func TestEveryEventHasAName(t *testing.T) {
	known := messagesBelow("scripts.account.events")
	kinds := codes(t, "storage/event.go", `EventKind = "([\w.]+)"`)
	for _, kind := range kinds {
		// The account is gone with its activity.
		if !known["scripts.account.events."+kind] && kind != "user.deleted" {
			t.Errorf("the event %s has no name", kind)
		}
	}
	for key, isMessage := range known {
		if isMessage && !slices.Contains(kinds, strings.TrimPrefix(key, "scripts.account.events.")) {
			t.Errorf("%s names no event", key)
		}
	}
}

// forPrograms are the problems that a page meets only if it is wrong itself, or does not fit the server: there is one notice
// for all of them. Those of guard come from services that have pages of their own.
var forPrograms = []string{
	"invalid_request", "two_refresh_tokens", "method_not_allowed", "payload_too_large", "unsupported_media_type",
	"action_required", "hardware_required", "forbidden",
}

// bySeconds are the problems with Retry-After: the notice counts down.
var bySeconds = []string{"unavailable"}

// byPlace are problems with words on the one page that meets them.
var byPlace = map[string]string{
	"link_expired": "links.dead", "invitation_invalid": "sign.deadInvitation",
	"no_address": "recover.no_address", "password_by_mail": "recover.password_by_mail",
	"cross_site": "common.notices.address",
}

// The English of problem documents is for developers. Each problem that a page can meet has words in every language.
func TestEveryProblemHasWords(t *testing.T) {
	all := append(codes(t, "httpapi/problem.go", `\bcode: "(\w+)"`), codes(t, "guard/refusal.go", `p\.Code, .* = "(\w+)"`)...)
	for _, c := range standard().languages.Catalogs() {
		tree := keys("", c.Tree("scripts"), map[string]bool{})
		for _, code := range all {
			places := []string{"common.notices." + code, "common.fields." + code, "common.later." + code, byPlace[code]}
			hasWords := slices.ContainsFunc(places, func(key string) bool { _, ok := tree[key]; return ok })
			if hasWords == slices.Contains(slices.Concat(forPrograms, bySeconds), code) {
				t.Errorf("%s: whether %s has words is %t", c.Lang(), code, hasWords)
			}
		}
	}
}

// The address comes first, then what was chosen before, then the browser's languages.
func TestLanguageOfAVisitor(t *testing.T) {
	handler := Handler()
	for _, test := range []struct{ url, cookie, header, want string }{
		{"/account", "", "", "en"},
		{"/account", "", "de-AT,de;q=0.9,en;q=0.5", "de"},
		{"/account", "", "fr,de;q=0.5", "de"},
		{"/account", "", "ja", "en"},
		{"/account", "en", "de", "en"},
		{"/account", "fr", "de", "de"},
		{"/account", "%00;<script>", "de", "de"},
		{"/account?ui_locales=fr-CA%20de%20en", "en", "en", "de"},
		{"/account?ui_locales=de-CH", "", "", "de"},
		{"/account?ui_locales=ja", "de", "en", "de"},
		{"/account?ui_locales=%22%3E%3Cscript%3E", "", "de", "de"},
		{"/nothing", "", "de", "de"},
	} {
		headers := []string{"Accept-Language", test.header}
		if test.cookie != "" {
			headers = append(headers, "Cookie", "stepkey-language="+test.cookie)
		}
		response := get(t, handler, http.MethodGet, test.url, headers...)
		if body := response.Body.String(); !strings.Contains(body, `<html lang="`+test.want+`" dir="ltr">`) {
			t.Errorf("%+v: %.60s", test, body)
		}
		if vary := strings.Join(response.Header().Values("Vary"), ", "); !strings.HasPrefix(vary, "Accept-Language, Cookie") {
			t.Errorf("%+v: Vary %q", test, vary)
		}
	}
	page := get(t, handler, http.MethodGet, "/account", "Accept-Language", "de").Body.String()
	for _, want := range []string{
		"<title>Dein Konto – Stepkey</title>", `href="assets/messages/de/account.js"`,
		`<a href="?ui_locales=en" lang="en" hreflang="en">English</a><a href="?ui_locales=de" lang="de" hreflang="de" aria-current="true">Deutsch</a>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the German page lacks %s", want)
		}
	}
}

// Only a language that was asked for and is there is remembered, for the pages beside this one.
func TestChosenLanguageIsRemembered(t *testing.T) {
	handler := Handler()
	for url, want := range map[string]string{
		"/account?ui_locales=de-AT": "stepkey-language=de; Max-Age=31536000; HttpOnly; SameSite=Lax",
		"/account?ui_locales=ja":    "", "/account": "", "/account?ui_locales=": "", "/assets/text.js?ui_locales=de": "", "/nothing?ui_locales=de": "",
	} {
		if got := get(t, handler, http.MethodGet, url).Header().Get("Set-Cookie"); got != want {
			t.Errorf("%s sets %q, want %q", url, got, want)
		}
	}
}

// Files without words are the same for everybody, and caches may know.
func TestFilesWithoutWordsDoNotVary(t *testing.T) {
	handler := Handler()
	for _, url := range []string{"/assets/stepkey.css", "/stepkey.js", "/assets/messages/de/common.js"} {
		if got := get(t, handler, http.MethodGet, url, "Accept-Language", "de").Header().Values("Vary"); !slices.Equal(got, []string{"Accept-Encoding"}) {
			t.Errorf("%s: Vary %q", url, got)
		}
	}
}

// Each language has its own entity tag, which holds for it alone.
func TestTagsOfLanguages(t *testing.T) {
	handler := Handler()
	english := get(t, handler, http.MethodGet, "/account", "Accept-Language", "en").Header().Get("ETag")
	if code := get(t, handler, http.MethodGet, "/account", "Accept-Language", "en", "If-None-Match", english).Code; code != http.StatusNotModified {
		t.Errorf("English again: %d", code)
	}
	if code := get(t, handler, http.MethodGet, "/account", "Accept-Language", "de", "If-None-Match", english).Code; code != http.StatusOK {
		t.Errorf("German with the tag of English: %d", code)
	}
}

func TestOptionsOfWords(t *testing.T) {
	files := fstest.MapFS{
		"fr.json": {Data: []byte(`{"language": "Français", "pages": {"account": {"heading": "Votre compte"}}}`)},
		"en.json": {Data: []byte(`{"pages": {"account": {"heading": "Your profile"}}}`)},
	}
	handler := pagesOf(t, Options{Name: `Bread & "Butter" {count}`, MinPasswordLength: 15, Languages: files})
	for language, wants := range map[string][]string{
		"en": {"<title>Your profile – Bread &amp; &#34;Butter&#34; {count}</title>", "Français"},
		"fr": {"<h1 tabindex=\"-1\">Votre compte</h1>", `lang="fr"`, ">Sessions<"},
	} {
		page := get(t, handler, http.MethodGet, "/account", "Accept-Language", language).Body.String()
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s lacks %s:\n%s", language, want, page)
			}
		}
	}
	if demo := get(t, handler, http.MethodGet, "/demo").Body.String(); !strings.Contains(demo, "At least 15 characters.") || strings.Contains(demo, "Stepkey") {
		t.Errorf("the demo does not say 15, or says Stepkey:\n%s", demo)
	}
	if words := get(t, handler, http.MethodGet, "/assets/messages/fr/common.js").Body.String(); !strings.Contains(words, `Open Bread & \"Butter\" {count} at its own address`) {
		t.Errorf("the service has no name in scripts:\n%s", words)
	}
	only := pagesOf(t, Options{Language: "de"})
	response := get(t, only, http.MethodGet, "/account?ui_locales=en%20de", "Accept-Language", "en")
	if body := response.Body.String(); !strings.Contains(body, `<html lang="de"`) || strings.Contains(body, `class="languages"`) ||
		response.Header().Get("Set-Cookie") != "" || !slices.Equal(response.Header().Values("Vary"), []string{"Accept-Encoding"}) {
		t.Errorf("only German: %v\n%s", response.Header(), body)
	}
	for want, options := range map[string]Options{
		"Options.Language is":         {Language: "german"},
		"Options.Languages: fr.json:": {Languages: fstest.MapFS{"fr.json": {Data: []byte(`{"pages": {"titel": "x"}}`)}}},
	} {
		if _, err := New(options); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Comments are not sent, and all of the code is.
func TestScriptsAreSentWithoutComments(t *testing.T) {
	for url, sent := range ownScripts(t) {
		body, err := static.ReadFile("static" + url)
		if err != nil {
			t.Fatal(err)
		}
		var code []string
		inside := false
		for line := range strings.Lines(string(body)) {
			trimmed := strings.TrimSpace(line)
			begins := strings.HasPrefix(trimmed, "/*")
			if inside = inside || begins; !inside && !strings.HasPrefix(trimmed, "//") {
				code = append(code, line)
			}
			if inside && strings.HasSuffix(trimmed, "*/") {
				inside = false
			}
		}
		if want := strings.Join(code, ""); strings.Join(strings.Fields(sent), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s is sent as\n%s\nwant\n%s", url, sent, want)
		}
	}
}

// Languages from right to left look the same, mirrored: the style sheets name no left and right.
func TestStyleSheetsNameNoSides(t *testing.T) {
	for _, url := range slices.Sorted(maps.Keys(served(t))) {
		if path.Ext(url) != ".css" {
			continue
		}
		if found := regexp.MustCompile(`(?:margin|padding|border)-(?:left|right)|[{;](?:left|right):|text-align:(?:left|right)|float:`).FindString(served(t)[url]); found != "" {
			t.Errorf("%s has %s", url, found)
		}
	}
}

// Indentation is not sent, so no text of a script may have it inside.
func TestScriptsHaveNoTextsOfSeveralLines(t *testing.T) {
	for url := range ownScripts(t) {
		body, err := static.ReadFile("static" + url)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(body)) {
			if code, _, _ := strings.Cut(line, "// "); strings.Count(code, "`")%2 == 1 && !strings.HasPrefix(strings.TrimSpace(line), "*") {
				t.Errorf("%s: a text of several lines begins or ends in %s", url, strings.TrimSpace(line))
			}
		}
	}
}
