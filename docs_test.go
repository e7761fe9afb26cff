package stepkey_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// blocks returns the code blocks of a document in one language.
func blocks(t *testing.T, document, language string) []string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		found = append(found, match[1])
	}
	if len(found) == 0 {
		t.Fatalf("%s has no %s", document, language)
	}
	return found
}

func TestProgramsInDocumentsBuild(t *testing.T) {
	for _, program := range append(blocks(t, "README.md", "go"), blocks(t, "docs/other-origin.md", "go")...) {
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
			t.Errorf("a program in a document does not build: %v\n%s", err, out)
		}
	}
}

// Links to files of ours lead somewhere.
func TestLinksInDocuments(t *testing.T) {
	documents := []string{"README.md", "SECURITY.md", "CHANGELOG.md"}
	for _, pattern := range []string{"docs/*.md", "docs/decisions/*.md"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, more...)
	}
	link := regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), match[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", document, match[1])
			}
		}
	}
}

// A problem document's type is a link to its code at /docs.
func TestProblemCodesHaveAnchors(t *testing.T) {
	document, err := os.ReadFile("httpapi/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Components struct {
			Schemas struct{ ProblemCode struct{ Enum []string } }
		}
	}
	if err := json.Unmarshal(document, &api); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("webui/static/docs.html")
	if err != nil {
		t.Fatal(err)
	}
	codes := api.Components.Schemas.ProblemCode.Enum
	for _, code := range codes {
		if !strings.Contains(string(page), `id="`+code+`"`) {
			t.Errorf("/docs has no anchor #%s", code)
		}
	}
	if got := strings.Count(string(page), `class="problem" id="`); len(codes) == 0 || got != len(codes) {
		t.Errorf("/docs has %d codes, openapi.json %d", got, len(codes))
	}
}
