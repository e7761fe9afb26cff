package webui

import (
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stepkey/stepkey/internal/content"
)

// pagePaths are the URL paths of the HTML.
var pagePaths = []string{"/demo", "/sign-in", "/sign-up", "/verify", "/continue", "/docs", "/confirm-email", "/reset-password", "/not-me", "/recover", "/recover-by-link", "/invitation", "/account"}

func get(t *testing.T, handler http.Handler, method, url string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(method, url, nil)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func pagesOf(t *testing.T, options Options) http.Handler {
	t.Helper()
	handler, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// twice are the URL paths of files that are served at two, with the other one.
var twice = map[string]string{"/favicon.ico": "/assets/favicon.svg", "/recover-by-link": "/recover"}

// served is every URL path of the page with its content, in English.
func served(*testing.T) map[string]string { return maps.Clone(english()) }

var english = sync.OnceValue(func() map[string]string {
	contents := map[string]string{}
	for url, f := range load("en") {
		contents[url] = string(f.Body())
	}
	return contents
})

var standard = sync.OnceValue(func() *site {
	s, err := newSite(Options{})
	if err != nil {
		panic(err)
	}
	document, err := os.ReadFile("../httpapi/openapi.json")
	if err != nil {
		panic(err)
	}
	described, err := s.WithDocument(func() []byte { return document })
	if err != nil {
		panic(err)
	}
	return described.(*site)
})

// load is what visitors with that language get, without the messages of other languages.
func load(language string) map[string]content.Content {
	s := standard()
	files := maps.Clone(s.pages[language])
	for url, f := range s.files {
		if !strings.HasPrefix(url, "/assets/messages/") || strings.HasPrefix(url, "/assets/messages/"+language+"/") {
			files[url] = f
		}
	}
	return files
}

func TestEveryFileHasItsTypeAndHeaders(t *testing.T) {
	types := map[string]string{
		"": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".ico": "image/svg+xml", ".ts": "text/plain; charset=utf-8",
	}
	handler := Handler()
	for url := range served(t) {
		response := get(t, handler, http.MethodGet, url)
		want := map[string]string{
			"Content-Type":            types[path.Ext(url)],
			"X-Content-Type-Options":  "nosniff",
			"Cache-Control":           "no-cache",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		}
		if path.Ext(url) == "" {
			want["Content-Security-Policy"] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
				"font-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
		}
		if response.Code != http.StatusOK || response.Body.Len() == 0 {
			t.Errorf("GET %s: status %d with %d bytes, want 200 and content", url, response.Code, response.Body.Len())
		}
		for name, value := range want {
			if got := response.Header().Get(name); got != value {
				t.Errorf("GET %s: %s = %q, want %q", url, name, got, value)
			}
		}
	}
}

func TestPagesAreWhereTheyBelong(t *testing.T) {
	handler := Handler()
	for url, title := range map[string]string{
		"/demo": "Create an account – Stepkey", "/sign-in": "Sign in – Stepkey", "/sign-up": "Create an account – Stepkey", "/verify": "Confirm it’s you – Stepkey", "/continue": "One moment – Stepkey", "/docs": "API reference – Stepkey", "/confirm-email": "Confirm your e‑mail address – Stepkey",
		"/reset-password": "Set a new password – Stepkey", "/not-me": "This was not me – Stepkey",
		"/recover": "Get back into your account – Stepkey", "/recover-by-link": "Get back into your account – Stepkey", "/account": "Your account – Stepkey",
		"/invitation": "Create an account – Stepkey",
	} {
		if body := get(t, handler, http.MethodGet, url).Body.String(); !strings.Contains(body, "<title>"+title+"</title>") {
			t.Errorf("GET %s lacks the title %q", url, title)
		}
	}
	for _, url := range []string{"/index.html", "/demo.html", "/docs.html", "/docs/", "/assets/", "/assets", "/static/index.html", "/assets/../index.html", "/nothing"} {
		if code := get(t, handler, http.MethodGet, url).Code; code != http.StatusNotFound {
			t.Errorf("GET %s: status %d, want 404", url, code)
		}
	}
}

// The page for paths where nothing is finds its style sheet from any depth.
func TestNotFound(t *testing.T) {
	handler := Handler()
	for _, test := range []struct{ url, up string }{{"/nothing", ""}, {"/nothing/at/all", "../../"}} {
		response := get(t, handler, http.MethodGet, test.url)
		body := response.Body.String()
		if response.Code != http.StatusNotFound || response.Header().Get("Content-Security-Policy") != policy {
			t.Errorf("GET %s: %d, %v", test.url, response.Code, response.Header())
		}
		for _, want := range []string{
			"<title>This page does not exist – Stepkey</title>", `href="` + test.up + `assets/stepkey.css"`, `href="` + test.up + `./"`, `href="#main"`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("GET %s lacks %s:\n%s", test.url, want, body)
			}
		}
	}
}

func TestMethods(t *testing.T) {
	handler := Handler()
	head := get(t, handler, http.MethodHead, "/demo")
	if head.Code != http.StatusOK || head.Body.Len() != 0 || head.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD /: status %d, %d bytes, length %q", head.Code, head.Body.Len(), head.Header().Get("Content-Length"))
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		response := get(t, handler, method, "/demo")
		if response.Code != http.StatusMethodNotAllowed || response.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s /: status %d, Allow %q", method, response.Code, response.Header().Get("Allow"))
		}
	}
}

func TestUnchangedFilesAreNotSentAgain(t *testing.T) {
	handler := Handler()
	tags := map[string]string{}
	for url := range served(t) {
		tag := get(t, handler, http.MethodGet, url).Header().Get("ETag")
		if !regexp.MustCompile(`^"[\w-]{22}"$`).MatchString(tag) {
			t.Errorf("GET %s: ETag %s is not a strong tag", url, tag)
		}
		if other, ok := tags[tag]; ok && twice[url] != other && twice[other] != url {
			t.Errorf("%s and %s have the same ETag", url, other)
		}
		tags[tag] = url
		again := get(t, handler, http.MethodGet, url, "If-None-Match", tag)
		if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("GET %s with its tag: status %d, %d bytes, want 304 and none", url, again.Code, again.Body.Len())
		}
		if code := get(t, handler, http.MethodGet, url, "If-None-Match", `"other"`).Code; code != http.StatusOK {
			t.Errorf("GET %s with another tag: status %d, want 200", url, code)
		}
	}
	if get(t, Handler(), http.MethodGet, "/demo").Header().Get("ETag") != get(t, handler, http.MethodGet, "/demo").Header().Get("ETag") {
		t.Error("the ETag of / differs between two handlers of the same content")
	}
}

// A browser silently drops everything that the policy forbids; this test names it.
func TestNothingInline(t *testing.T) {
	for _, url := range pagePaths {
		page := served(t)[url]
		for what, pattern := range map[string]string{
			"script without src":  `<script(?:>| [^>]*>[^<]| (?:type="module")?>)`,
			"style element":       `<style`,
			"style attribute":     `<[^>]*\sstyle=`,
			"event handler":       `<[^>]*\son\w+=`,
			"javascript: address": `javascript:`,
			"base element":        `<base`,
		} {
			if found := regexp.MustCompile(`(?i)` + pattern).FindString(page); found != "" {
				t.Errorf("%s has a %s: %s", url, what, found)
			}
		}
	}
	for url, script := range served(t) {
		if path.Ext(url) != ".js" {
			continue
		}
		if found := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.style\b|DOMParser`).FindString(script); found != "" {
			t.Errorf("%s uses %s", url, found)
		}
	}
}

func TestNothingFromElsewhere(t *testing.T) {
	for url, content := range served(t) {
		content = strings.NewReplacer("http://www.w3.org/2000/svg", "", "http://localhost:", "").Replace(content)
		if found := regexp.MustCompile(`(?:href|src)="(?:https?:)?//|url\(|@import|https?://\w`).FindString(content); found != "" {
			t.Errorf("%s points elsewhere: %q", url, found)
		}
	}
}

// The pages work below any prefix, so no link in them begins with a slash.
func TestLinksAreRelative(t *testing.T) {
	for url, content := range served(t) {
		links := regexp.MustCompile(`(?:href|src|action|data-call|from|import)(?:=|: | )"/[^"]*"|\bfetch\("/[^"]*"|\["/[^"]*", "[A-Z]`)
		if found := links.FindString(content); found != "" {
			t.Errorf("%s: %s", url, found)
		}
	}
}

// references are the paths that a page needs, with those its modules import, which this follows.
func references(t *testing.T, url string) []string {
	t.Helper()
	contents := served(t)
	var found []string
	var follow func(url string)
	follow = func(url string) {
		if slices.Contains(found, url) {
			return
		}
		found = append(found, url)
		content, ok := contents[url]
		if !ok {
			t.Errorf("%s is used and does not exist", url)
		}
		for _, match := range regexp.MustCompile(`(?:src|href)="(assets/[^"]+)"`).FindAllStringSubmatch(content, -1) {
			follow("/" + match[1])
		}
		if path.Ext(url) != ".js" {
			return
		}
		for _, match := range regexp.MustCompile(`(?m)(?:from |import\(?)"([^"]+)"`).FindAllStringSubmatch(content, -1) {
			if !strings.HasPrefix(match[1], "./") && !strings.HasPrefix(match[1], "../") {
				t.Errorf("%s imports %s, which is not relative", url, match[1])
				continue
			}
			follow(path.Join(path.Dir(url), match[1]))
		}
		for _, match := range regexp.MustCompile(`await messages\("(\w+)"\)`).FindAllStringSubmatch(content, -1) {
			follow("/assets/messages/en/" + match[1] + ".js")
		}
	}
	follow(url)
	return found
}

func TestPagesAreWholeAndLight(t *testing.T) {
	const limit = 40_000 // bytes, as browsers get them
	contents := served(t)
	used := []string{"/favicon.ico", "/stepkey.js", "/stepkey.d.ts"}
	for _, language := range standard().languages.Tags() {
		files := load(language)
		for _, page := range pagePaths {
			weight := 0
			for _, url := range references(t, page) {
				weight += files[strings.Replace(url, "/messages/en/", "/messages/"+language+"/", 1)].CompressedSize()
				used = append(used, url)
			}
			t.Logf("%s weighs %d bytes in %s", page, weight, language)
			if weight >= limit {
				t.Errorf("%s weighs %d bytes in %s, want less than %d", page, weight, language, limit)
			}
		}
	}
	for url := range contents {
		if !slices.Contains(used, url) {
			t.Errorf("%s is on no page", url)
		}
	}
}

// A browser learns of all modules from the page itself, so that no module waits for another one to name it.
func TestModulesArePreloaded(t *testing.T) {
	for _, page := range pagePaths {
		html := served(t)[page]
		for _, url := range references(t, page) {
			link := `<link rel="modulepreload" href="` + url[1:] + `">`
			if path.Ext(url) == ".js" && !strings.Contains(html, link) && !strings.Contains(html, `src="`+url[1:]+`"`) {
				t.Errorf("%s lacks %s", page, link)
			}
		}
		for _, link := range regexp.MustCompile(`rel="modulepreload" href="([^"]+)"`).FindAllStringSubmatch(html, -1) {
			if !slices.Contains(references(t, page), "/"+link[1]) {
				t.Errorf("%s preloads %s, which it does not use", page, link[1])
			}
		}
	}
}

// The client is light enough to be used where there are no passkeys yet.
func TestClientIsLight(t *testing.T) {
	const limit = 4_000 // bytes, as gzip makes it
	script, compressed := served(t)["/stepkey.js"], load("en")["/stepkey.js"].CompressedSize()
	t.Logf("/stepkey.js weighs %d bytes, compressed %d", len(script), compressed)
	if compressed >= limit {
		t.Errorf("/stepkey.js weighs %d bytes compressed, want less than %d", compressed, limit)
	}
	if found := regexp.MustCompile(`(?m)(?:^|;)\s*import |import\(`).FindString(script); found != "" {
		t.Errorf("/stepkey.js depends on something: %s", found)
	}
}

func TestFilesAreCompressed(t *testing.T) {
	handler := Handler()
	for url := range served(t) {
		if got := get(t, handler, http.MethodGet, url, "Accept-Encoding", "gzip").Header().Get("Content-Encoding"); got != "gzip" {
			t.Errorf("GET %s: Content-Encoding %q, want gzip", url, got)
		}
	}
}

// Every id that scripts look up, and that labels, descriptions and icons point at, is in the page.
func TestIDsExist(t *testing.T) {
	contents := served(t)
	for _, page := range pagePaths {
		ids := map[string]bool{}
		for _, match := range regexp.MustCompile(`\sid="([^"]+)"`).FindAllStringSubmatch(contents[page], -1) {
			if ids[match[1]] {
				t.Errorf("%s has the id %s twice", page, match[1])
			}
			ids[match[1]] = true
		}
		var wanted []string
		for _, match := range regexp.MustCompile(`\s(?:(?:for|aria-labelledby|aria-describedby)="|href="#)([^"]+)"`).FindAllStringSubmatch(contents[page], -1) {
			wanted = append(wanted, strings.Fields(match[1])...)
		}
		for _, url := range references(t, page) {
			for _, match := range regexp.MustCompile(`byId\("([^"]+)"\)`).FindAllStringSubmatch(contents[url], -1) {
				if page == "/demo" || slices.Contains([]string{"docs.js", "link.js"}, path.Base(url)) {
					wanted = append(wanted, match[1])
				}
			}
			for _, match := range regexp.MustCompile(`icon\("([^"]+)"\)`).FindAllStringSubmatch(contents[url], -1) {
				wanted = append(wanted, "i-"+match[1])
			}
		}
		for _, id := range wanted {
			if !ids[id] {
				t.Errorf("%s lacks the id %s", page, id)
			}
		}
	}
}

// A form that is sent without its script must not put the password into an address.
func TestFormsPost(t *testing.T) {
	for page, want := range map[string]int{"/demo": 2, "/sign-in": 1, "/sign-up": 1, "/verify": 0, "/confirm-email": 1, "/reset-password": 2, "/not-me": 1, "/account": 1} {
		forms := regexp.MustCompile(`<form[^>]*>`).FindAllString(served(t)[page], -1)
		if len(forms) != want {
			t.Fatalf("%s: %d forms, want %d", page, len(forms), want)
		}
		for _, form := range forms {
			if !strings.Contains(form, `method="post"`) {
				t.Errorf("%s: %s does not post", page, form)
			}
		}
	}
}

func TestEmbeddedTreeHasNothingElse(t *testing.T) {
	count := 0
	err := fs.WalkDir(static, "static", func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			count++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	made := 0 // from the language files
	for url := range served(t) {
		if strings.HasPrefix(url, "/assets/messages/") {
			made++
		}
	}
	if got := len(served(t)) - len(twice) - made; got != count {
		t.Errorf("%d files are embedded and %d served", count, got)
	}
}

// Where sign-up is not open, no page offers it, and the demo begins with signing in. An invitation works unless it is closed.
func TestPagesOfferSignUpWhereItIsOpen(t *testing.T) {
	for _, test := range []struct {
		mode             string
		offered, invited bool
	}{{"", true, true}, {"open", true, true}, {"invite", false, true}, {"closed", false, false}} {
		handler := pagesOf(t, Options{SignUp: test.mode})
		for _, page := range pagePaths {
			response := get(t, handler, http.MethodGet, page)
			body := response.Body.String()
			if absent, ok := map[string]bool{"/invitation": !test.invited, "/sign-up": !test.offered}[page]; ok {
				if (response.Code == http.StatusNotFound) != absent {
					t.Errorf("%q, %s: %d", test.mode, page, response.Code)
				}
				continue
			}
			wanted := test.offered && slices.Contains([]string{"/demo", "/sign-in", "/account"}, page)
			if strings.Contains(body, "Create an account") != wanted || strings.Contains(body, `id="signup"`) != (wanted && page == "/demo") {
				t.Errorf("%q, %s: offered is %t", test.mode, page, !wanted)
			}
			if strings.Contains(body, "<!--") || strings.Contains(body, "<title> ") {
				t.Errorf("%q, %s is not cut", test.mode, page)
			}
		}
	}
}

// The root leads to the demo, or to the account where there is none, below any prefix and in the language asked for.
func TestRootLeadsOn(t *testing.T) {
	for page, options := range map[string]Options{"demo": {}, "account": {NoDemo: true}} {
		response := get(t, pagesOf(t, options), http.MethodGet, "/?ui_locales=de")
		if got := response.Header().Get("Location"); response.Code != http.StatusFound || got != page+"?ui_locales=de" {
			t.Errorf("%+v: %d, %q", options, response.Code, got)
		}
	}
	without := pagesOf(t, Options{NoDemo: true})
	for _, page := range append(slices.Clone(pagePaths), "/nothing") {
		response := get(t, without, http.MethodGet, page)
		if missing := response.Code == http.StatusNotFound; missing != (page == "/demo" || page == "/nothing") {
			t.Errorf("without a demo, GET %s: %d", page, response.Code)
		}
		if strings.Contains(response.Body.String(), `href="demo"`) {
			t.Errorf("without a demo, %s leads there", page)
		}
	}
}

func TestReturnOriginsAreOnThePages(t *testing.T) {
	handler := pagesOf(t, Options{ReturnOrigins: []string{"https://app.example.com", "https://shop.example.com:8443"}})
	for _, page := range []string{"/sign-in", "/sign-up", "/verify"} {
		want := `data-return-origins="https://app.example.com https://shop.example.com:8443"`
		if body := get(t, handler, http.MethodGet, page).Body.String(); !strings.Contains(body, want) {
			t.Errorf("GET %s lacks %s", page, want)
		}
	}
}

// The sign-up page asks for an address only where one has to be confirmed.
func TestSignUpAsksForAnAddress(t *testing.T) {
	for _, asks := range []bool{false, true} {
		body := get(t, pagesOf(t, Options{SignUpEmail: asks}), http.MethodGet, "/sign-up").Body.String()
		if strings.Contains(body, `id="email"`) != asks {
			t.Errorf("asks for an address: %t, want %t", !asks, asks)
		}
	}
}
