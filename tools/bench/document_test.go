package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const twoParts = "# Page\n\nby hand\n\n<!-- bench:gate -->\nold\n\nolder\n<!-- /bench:gate -->\n\nmore by hand\n\n<!-- bench:stepup -->\n<!-- /bench:stepup -->\nthe end\n"

func TestReplacePartLeavesTheRest(t *testing.T) {
	got, err := replacePart(twoParts, "gate", "new\n\nnewer\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(twoParts, "old\n\nolder", "new\n\nnewer", 1); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	again, err := replacePart(got, "gate", "new\n\nnewer\n")
	if err != nil || again != got {
		t.Errorf("the same part again: %v\n%s", err, again)
	}
	filled, err := replacePart(twoParts, "stepup", "new\n")
	if err != nil || !strings.HasSuffix(filled, "<!-- bench:stepup -->\nnew\n<!-- /bench:stepup -->\nthe end\n") {
		t.Errorf("an empty part: %v\n%s", err, filled)
	}
}

func TestReplacePartRefusesOtherMarkers(t *testing.T) {
	for name, document := range map[string]string{
		"none":            "# Page\n",
		"not closed":      "\n<!-- bench:gate -->\n",
		"not opened":      "\n<!-- /bench:gate -->\n",
		"twice":           twoParts + twoParts,
		"in a line":       "\nsee <!-- bench:gate -->\n<!-- /bench:gate -->\n",
		"the wrong order": "\n<!-- /bench:gate -->\n<!-- bench:gate -->\n",
	} {
		if got, err := replacePart(document, "gate", "new"); err == nil {
			t.Errorf("%s: no error, but\n%s", name, got)
		}
	}
}

// The document has a part for each section, so that -report can write it.
func TestDocumentHasAllSections(t *testing.T) {
	text, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sections {
		if _, err := replacePart(string(text), s.name, "new"); err != nil {
			t.Error(err)
		}
	}
}

func TestChosenSections(t *testing.T) {
	all, err := chosen("")
	if err != nil || len(all) != len(sections) {
		t.Errorf("no names: %d sections, %v, want all", len(all), err)
	}
	some, err := chosen("stepup,service")
	if err != nil || len(some) != 2 || some[0].name != "stepup" || some[1].name != "service" {
		t.Errorf("two names: %v, %v", some, err)
	}
	if _, err := chosen("gate,growth"); err == nil || !strings.Contains(err.Error(), `"growth"`) {
		t.Errorf("a section that does not exist: %v", err)
	}
}

func TestWriteSection(t *testing.T) {
	document := filepath.Join(t.TempDir(), "page.md")
	if err := os.Mkdir(filepath.Join(filepath.Dir(document), "images"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(document, []byte(twoParts), 0o644); err != nil {
		t.Fatal(err)
	}
	c := circumstances{day: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), command: "the command", rounds: 7}
	found := findings{text: "the table\n", plots: []plot{ratioPlot("gate", "The gate", []bar{{label: "a row", length: 1}})}}
	if err := writeSection(document, "gate", c, found); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"by hand\n\n<!-- bench:gate -->\nMeasured on 2026-11-30 ", "rounds: 7, by `the command`",
		"\n\n![The gate](images/performance-gate.svg)\n\nthe table\n<!-- /bench:gate -->\n\nmore by hand\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document lacks %q:\n%s", want, text)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(document), "images", "performance-gate.svg")); err != nil {
		t.Error(err)
	}
}
