package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// maxChanged is how many lines may change to add passkeys to an application: lines added and lines removed.
const maxChanged = 40

// Applied to the application as it was, stepup.diff yields the application as it is.
func TestDiff(t *testing.T) {
	want, err := os.ReadFile("stepup.diff")
	if err != nil {
		t.Fatal(err)
	}
	const remake = "diff -U1 --label before/main.go --label main.go before/main.go main.go"
	got, err := exec.CommandContext(t.Context(), "diff", strings.Fields(remake)[1:]...).Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) { // 1: the files differ
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("stepup.diff is not the difference: run in this folder %s >stepup.diff\n%s", remake, got)
	}
	if n := changed(string(want)); n > maxChanged {
		t.Errorf("stepup.diff changes %d lines, and at most %d may", n, maxChanged)
	}
}

// changed counts the lines that a unified diff adds or removes.
func changed(diff string) (n int) {
	for line := range strings.SplitSeq(diff, "\n") {
		isHeader := strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ")
		if !isHeader && (strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-")) {
			n++
		}
	}
	return n
}
