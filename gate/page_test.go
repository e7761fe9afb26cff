package gate

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stepkey/stepkey/internal/messages"
)

// Each page has its messages in each language, and each message is on a page.
func TestPagesHaveTheirWords(t *testing.T) {
	languages, err := messages.Load(messages.Service)
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
