package webui

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs returns the API reference as a browser without scripts has it, with the text of its tags.
func docs(t *testing.T) (source, text string) {
	t.Helper()
	source = served(t)["/docs"]
	return source, html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(source, ""))
}

// documented are the operations of the document that the tests use.
func documented(t *testing.T) []call {
	t.Helper()
	described, err := standard().reference()
	if err != nil {
		t.Fatal(err)
	}
	var all []call
	for _, group := range described.Groups {
		all = append(all, group.Calls...)
	}
	if len(all) < 60 {
		t.Fatalf("only %d calls", len(all))
	}
	return all
}

// The calls are in the page itself, each with what it is for, so that nobody needs a script to read them.
func TestCallsAreInThePage(t *testing.T) {
	source, text := docs(t)
	for _, c := range documented(t) {
		if !strings.Contains(source, `<div id="`+c.ID+`">`) || !strings.Contains(source, `<li><a href="#`+c.ID+`">`) {
			t.Errorf("%s %s is not in the page and its table of contents", c.Method, c.Path)
		}
		for _, want := range []string{c.Method + " " + c.Path, strings.ReplaceAll(c.Summary, "`", ""), c.Curl} {
			if !strings.Contains(text, want) {
				t.Errorf("%s %s: the page does not say %q", c.Method, c.Path, want)
			}
		}
	}
}

// Backquotes mark code in descriptions, and never reach the reader.
func TestReferenceHasNoBackquotes(t *testing.T) {
	_, text := docs(t)
	if at := strings.IndexByte(text, '`'); at >= 0 {
		t.Errorf("a backquote at %q", text[max(at-60, 0):at+20])
	}
}

// Descriptions are text: their markup is shown as it is written.
func TestDescriptionsAreText(t *testing.T) {
	for text, want := range map[string]string{
		"the member `a<b` and **no** other": "the member <code>a&lt;b</code> and <strong>no</strong> other",
		"<script>alert(1)</script>":         "&lt;script&gt;alert(1)&lt;/script&gt;",
	} {
		if got := string(inline(text)); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// Every example is a whole request: the method, the path, what authorises it, and a body with what is required. Secrets are
// variables.
func TestExamplesForCurl(t *testing.T) {
	calls := map[string]string{}
	for _, c := range documented(t) {
		calls[c.Method+" "+c.Path] = c.Curl
		if strings.ContainsAny(c.Curl, "{}") && !strings.Contains(c.Curl, "<<END") {
			t.Errorf("a parameter is left in %s", c.Curl)
		}
		if c.Needs != "Anyone" && !strings.Contains(c.Curl, "Bearer $") {
			t.Errorf("%s %s needs %q: %s", c.Method, c.Path, c.Needs, c.Curl)
		}
		_, body, found := strings.Cut(c.Curl, "<<END\n")
		if !found {
			continue
		}
		var sent map[string]any
		if err := json.Unmarshal([]byte(strings.TrimSuffix(body, "\nEND")), &sent); err != nil {
			t.Errorf("%v: %s", err, c.Curl)
		}
		for _, f := range c.Body.Members {
			if _, has := sent[f.Name]; !has && !strings.HasSuffix(f.Facts, ", optional") {
				t.Errorf("%s is missing: %s", f.Name, c.Curl)
			}
		}
		for name, value := range sent {
			text, isText := value.(string)
			if isText && regexp.MustCompile(`(?i)password$|token$|code$|secret$`).MatchString(name) && !strings.HasPrefix(text, "$") {
				t.Errorf("a secret is written out: %s", c.Curl)
			}
		}
	}
	for operation, want := range map[string]string{
		"GET /passkeys":         `curl "$STEPKEY/passkeys" \` + "\n" + `  -H "Authorization: Bearer $TOKEN"`,
		"DELETE /passkeys/{id}": `curl -X DELETE "$STEPKEY/passkeys/$ID" \` + "\n" + `  -H "Authorization: Bearer $TOKEN"`,
		"POST /auth/login": `curl "$STEPKEY/auth/login" \` + "\n" + `  -H "Content-Type: application/json" -d @- <<END` + "\n" +
			"{\n  \"username\": \"alice\",\n  \"password\": \"$PASSWORD\"\n}\nEND",
		"POST /auth/introspect": `curl "$STEPKEY/auth/introspect" \` + "\n" + `  -H "Authorization: Bearer $INTROSPECTION_SECRET" \` + "\n" +
			`  --data-urlencode "token=$TOKEN"`,
	} {
		if calls[operation] != want {
			t.Errorf("%s:\n%s\nwant\n%s", operation, calls[operation], want)
		}
	}
}

// Codes that the page explains are links to their explanations.
func TestAnswersLinkToProblems(t *testing.T) {
	for _, c := range documented(t) {
		for _, a := range c.Answers {
			if a.Status >= "400" && len(a.Codes) == 0 && !slices.Contains([]string{"/readyz", "/.well-known/ended-sessions/{minute}"}, c.Path) {
				t.Errorf("%s %s: %s names no problem", c.Method, c.Path, a.Status)
			}
		}
	}
}

// Without a document, which an application may not pass on, the page leads to it.
func TestReferenceWithoutADocument(t *testing.T) {
	recorder := httptest.NewRecorder()
	Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/docs", nil))
	if page := recorder.Body.String(); !strings.Contains(page, `<a href="openapi.json">OpenAPI document</a> lists the calls.`) || strings.Contains(page, "<details") {
		t.Error("the page does not lead to the document")
	}
	for _, wrong := range []string{"", "{", `{"paths": {"/a": {"get": {"tags": ["other"]}}}}`, `{"paths": 1}`} {
		if _, err := newReference([]byte(wrong), nil); err == nil {
			t.Errorf("%q is taken for a document", wrong)
		}
	}
}
