package stepkey_test

import (
	"os"
	"regexp"
	"testing"
)

// Each claim of docs/scaling.md that can be tested names its test, which is there.
func TestClaimsAboutScalingNameTheirTests(t *testing.T) {
	rows := tableRows(t, "docs/scaling.md", "| claim | test or command |")
	if len(rows) < 10 {
		t.Errorf("docs/scaling.md has %d claims", len(rows))
	}
	for _, row := range rows {
		files := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1)
		if len(files) == 0 {
			t.Errorf("no test of %q is named", row[0])
		}
		for _, file := range files {
			if _, err := os.Stat(file[1]); err != nil {
				t.Errorf("the test of %q: %v", row[0], err)
			}
		}
	}
}
