package gate

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/messages"
)

// A browser applies the style and runs the script of a page only if its policy has their digests.
func TestPagesAllowTheirOwnStyle(t *testing.T) {
	for _, colours := range []string{"", ":root{--accent:#0b57d0}"} {
		p, err := newPage("Acme", colours, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		p.write(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK, content{name: "form", Posts: true})
		policy, body := w.Header().Get("Content-Security-Policy"), w.Body.String()
		if !strings.Contains(body, colours+"</style>") {
			t.Errorf("the page lacks the colours %q: %s", colours, body)
		}
		for _, element := range []string{"style", "script"} {
			_, rest, _ := strings.Cut(body, "<"+element+">")
			text, _, found := strings.Cut(rest, "</"+element+">")
			if !found || !strings.Contains(policy, element+"-src "+digestOf(text)) {
				t.Errorf("the policy %q does not allow the %s %q", policy, element, text)
			}
		}
	}
}

// The colours of the pages are those of the service's pages, so that a company's colours fit both.
func TestPagesHaveTheServicesColours(t *testing.T) {
	sheet, err := os.ReadFile("../webui/static/assets/stepkey.css")
	if err != nil {
		t.Fatal(err)
	}
	dark := "@media(prefers-color-scheme:dark)"
	ours, oursDark, _ := strings.Cut(pageStyle, dark)
	theirs, theirsDark, found := strings.Cut(strings.ReplaceAll(string(sheet), "@media (", "@media("), dark)
	if !found {
		t.Fatal("stepkey.css has no dark colours")
	}
	for _, pages := range []struct{ ours, theirs string }{{ours, theirs}, {oursDark[:strings.Index(oursDark, "}}")], theirsDark}} {
		colours := regexp.MustCompile(`--[a-z-]+:#[0-9a-f]+`).FindAllString(pages.ours, -1)
		if len(colours) < 9 {
			t.Errorf("colours: %v", colours)
		}
		for _, colour := range colours {
			if !regexp.MustCompile(colour + `[;}\s]`).MatchString(pages.theirs) {
				t.Errorf("stepkey.css has another %s", colour)
			}
		}
	}
}

// Each page has its messages in each language, and each message is on a page.
func TestPagesHaveTheirWords(t *testing.T) {
	languages, err := messages.LoadService(nil)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, source := range []string{"handshake.go", "refuse.go", "form.go"} {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?:pageOf\(|name :?= )"(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			used[match[1]] = true
		}
	}
	for _, c := range languages.Catalogs() {
		for name := range c.Tree("gate") {
			if !used[name] {
				t.Errorf("no page says gate.%s", name)
			}
		}
		for name := range used {
			for _, key := range []string{"heading", "text"} {
				if text, err := c.Text(fmt.Sprintf("gate.%s.%s", name, key), "service", "Example"); err != nil || text == "" {
					t.Errorf("%s: gate.%s.%s: %q, %v", c.Lang(), name, key, text, err)
				}
			}
		}
	}
}
