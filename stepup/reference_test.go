package stepup

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/keptform"
	"github.com/stepkey/stepkey/internal/returnpath"
)

const reference = "../docs/stepup-reference.md"

func readReference(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// DocumentedRows returns the cells of the table of the reference that has this head.
func DocumentedRows(t testing.TB, head string) (rows [][]string) {
	t.Helper()
	_, table, found := strings.Cut(readReference(t), "\n"+head+"\n")
	if !found {
		t.Fatalf("the reference has no table %s", head)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.SplitSeq(strings.TrimSpace(table), "\n") {
		if strings.HasPrefix(line, "|--") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

var inBackticks = regexp.MustCompile("`([^`]+)`")

// namesIn are the names in backticks in the first cells of rows.
func namesIn(rows [][]string) (names []string) {
	for _, row := range rows {
		for _, match := range inBackticks.FindAllStringSubmatch(row[0], -1) {
			names = append(names, match[1])
		}
	}
	return names
}

// fieldsOf are the exported fields of a struct type in a file.
func fieldsOf(t *testing.T, path, name string) (fields []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != name {
			return true
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			for _, id := range field.Names {
				fields = append(fields, id.Name)
			}
		}
		return false
	})
	return fields
}

func TestReferenceHasTheFields(t *testing.T) {
	for _, test := range []struct{ file, name, head string }{
		{"kit.go", "Config", "| field | default | |"},
		{"identity.go", "Identity", "| field | |"},
	} {
		got, want := namesIn(firstCells(DocumentedRows(t, test.head))), fieldsOf(t, test.file, test.name)
		slices.Sort(got)
		slices.Sort(want)
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s has the fields\n%q, the reference\n%q", test.name, want, got)
		}
	}
}

func firstCells(rows [][]string) (first [][]string) {
	for _, row := range rows {
		first = append(first, row[:1])
	}
	return first
}

func TestReferenceHasTheCodes(t *testing.T) {
	source, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, match := range regexp.MustCompile(`problem\{(?:Status: (\d+), )?Code: "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		status := match[1]
		if status == "" {
			status = "401" // Config.Status
		}
		want = append(want, match[2]+" "+status)
	}
	for _, row := range DocumentedRows(t, "| code | status | what it means, and what helps |") {
		got = append(got, strings.Trim(row[0], "`")+" "+row[1])
	}
	slices.Sort(got)
	slices.Sort(want)
	if want = slices.Compact(want); len(want) < 15 || !slices.Equal(got, want) {
		t.Errorf("problem.go has\n%q, the reference\n%q", want, got)
	}
}

func TestReferenceHasTheOutcomes(t *testing.T) {
	got := namesIn(DocumentedRows(t, "| outcome | |"))
	if want := []string{outcomePass, outcomeAsked, outcomeWouldAsk, outcomeWouldStop}; !slices.Equal(got, want) {
		t.Errorf("outcomes %q, want %q", got, want)
	}
}

func TestPurposesInReferenceParse(t *testing.T) {
	_, text, found := strings.Cut(readReference(t), "\n```purposes\n")
	text, _, ended := strings.Cut(text, "```")
	if !found || !ended {
		t.Fatal("the reference shows no purposes")
	}
	if list, err := ParsePurposes(text); err != nil || len(list) != 4 {
		t.Errorf("%d purposes, %v; want 4", len(list), err)
	}
}

func TestReferenceHasTheLimits(t *testing.T) {
	minutes := func(d time.Duration) int { return int(d / time.Minute) }
	hours := func(d time.Duration) int { return int(d / time.Hour) }
	days := func(d time.Duration) int { return hours(d) / 24 }
	limits, err := os.ReadFile("../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("\n| passkeys of a user | %d |\n", stepkey.MaxPasskeys),
		fmt.Sprintf("| a form that waits for a verification | %d KiB, %d minutes |", keptform.MaxBody>>10, minutes(keptform.Lifetime)),
		fmt.Sprintf("| how long a verification can count | %d hours |", hours(maxPasskeyAge)),
	} {
		if !strings.Contains(string(limits), want) {
			t.Errorf("docs/limits.md lacks %q", want)
		}
	}
	text := readReference(t)
	for _, want := range []string{
		fmt.Sprintf("| passkeys of a user | %d |", stepkey.MaxPasskeys),
		fmt.Sprintf("| a kept form | %d KiB, for %d minutes,", keptform.MaxBody>>10, minutes(keptform.Lifetime)),
		fmt.Sprintf("| a path to return to | %d bytes |", returnpath.MaxBytes),
		fmt.Sprintf("| a verification | %d hours at most;", hours(maxPasskeyAge)),
		fmt.Sprintf("| %d minutes old at most |\n| the passkey for changing passkeys and codes | %d minutes old", minutes(stepkey.FirstPasskeyWindow), minutes(stepkey.FullWindow)),
		fmt.Sprintf("| works after %d hours |", hours(stepkey.RecoveryCoolOff)),
		fmt.Sprintf("| an allowance (`Allow`) | %d days ahead", days(stepkey.MaxAllowance)),
		fmt.Sprintf("| fields of an action | %d |", maxActionFields),
		fmt.Sprintf("| labels of a purpose | %d, of %d bytes |", maxLabels, maxLabelLen),
		fmt.Sprintf("| Shadow | %d days ahead at most; warned of in the log for the last %d days |", days(maxShadow), days(shadowWarning)),
		fmt.Sprintf("| proofs in memory (`Staleness`) | %d |", maxCachedProofs),
		fmt.Sprintf("1 to %d bytes, compared as bytes", maxUserKey),
		fmt.Sprintf("up to %d KiB, kept as a keyed hash", maxSession>>10),
		fmt.Sprintf("A time more than %d s ahead of the clock", int(maxAhead/time.Second)),
		fmt.Sprintf("from memory, at most %d s", int(maxStaleness/time.Second)),
		fmt.Sprintf("at most %d alternatives of %d needs", maxAlternatives, maxNeeds),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the reference lacks %q", want)
		}
	}
}
