package faults_test

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// row is a line of the fault table.
type row struct {
	id                         int // F1 is 1
	fault, injection, expected string
}

// result is a row that has run.
type result struct {
	row
	facts  []string
	missed []string
	passed bool
	took   time.Duration
}

// results are what has run so far; the document is made of them.
var results outcomes

type outcomes struct {
	mu   sync.Mutex
	list []result
}

// trial is the run of one row.
type trial struct {
	*testing.T
	row   row
	began time.Time

	mu     sync.Mutex
	facts  []string
	missed []string
}

// try begins a row. The report gets its observations and whether it passed.
func try(t *testing.T, r row) *trial {
	t.Helper()
	trial := &trial{T: t, row: r, began: time.Now()}
	t.Cleanup(func() {
		if t.Skipped() {
			return
		}
		results.mu.Lock()
		defer results.mu.Unlock()
		results.list = append(results.list, result{r, trial.facts, trial.missed, !t.Failed(), time.Since(trial.began)})
	})
	return trial
}

// besideOthers lets rows run at the same time in the short form. In the long form each
// has the machine to itself, for the sake of its figures. Rows with real deadlines do not
// call it.
func besideOthers(t *testing.T) {
	if !*long {
		t.Parallel()
	}
}

// observe notes a fact for the report.
func (t *trial) observe(format string, arguments ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fact := fmt.Sprintf(format, arguments...)
	t.facts = append(t.facts, fact)
	t.Logf("observed: %s", fact)
}

// miss notes a figure that the row asks for and that this run did not reach. It does not
// fail the test, for it depends on what else the machine does; the report says it.
func (t *trial) miss(format string, arguments ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.missed = append(t.missed, fmt.Sprintf(format, arguments...))
	t.Logf("missed: %s", t.missed[len(t.missed)-1])
}

// pick is one value for the short form and another one for the long form.
func pick[T any](short, whole T) T {
	if *long {
		return whole
	}
	return short
}

func (o *outcomes) document() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	slices.SortFunc(o.list, func(a, b result) int { return cmp.Compare(a.id, b.id) })
	var b bytes.Buffer
	form, command := "short", "make faults"
	if *long {
		form, command = "long", "make reliability"
	}
	failed, missed := 0, 0
	for _, r := range o.list {
		if !r.passed {
			failed++
		}
		if len(r.missed) > 0 {
			missed++
		}
	}
	fmt.Fprintf(&b, `# Reliability

What Stepkey does when something that it stands on fails, as observed. This page is written by `+"`make reliability`"+`; do not edit it.

Each row is a test in [e2e/faults](../e2e/faults/doc.go): the real binary on a real PostgreSQL, while people sign up, sign in, refresh,
add and verify passkeys and read guarded routes. In every row, beside what stands in it: nothing that was acknowledged is lost, no
challenge is accepted twice, nobody gets in without a right to, every request is answered within %s, and all is as before
once the fault is gone, without a restart of the service. "Longest" is the longest answer that anybody waited for;
figures are those of one run on one machine, which the clients share with the service and its databases.

Run on %s, %s form (%s): %s/%s, %d CPUs (%s), %s. %d rows: %d failed, %d missed a figure.

| row | fault | how it is made | expected | observed | result |
|---|---|---|---|---|---|
`, answerWithin, time.Now().UTC().Format("2006-01-02 15:04 UTC"), form, command,
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), runtime.Version(), len(o.list), failed, missed)
	for _, r := range o.list {
		verdict := "pass"
		if len(r.missed) > 0 {
			verdict = "missed: " + strings.Join(r.missed, "; ")
		}
		if !r.passed {
			verdict = "**FAIL**"
		}
		fmt.Fprintf(&b, "| F%d | %s | %s | %s | %s | %s |\n", r.id, cell(r.fault), cell(r.injection), cell(r.expected),
			cell(strings.Join(r.facts, "; ")), cell(verdict))
	}
	return b.Bytes()
}

func cell(text string) string { return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text) }

// processor is the name of the machine's processor, where Linux tells it.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
