package main

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestCircumstances(t *testing.T) {
	c := circumstances{
		day:      time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC),
		machine:  machine{cpu: "AMD EPYC", kernel: "6.18.44", memory: 4 << 30, commit: "3745873-dirty"},
		postgres: "15.18", rounds: 7, command: "go run ./bench",
		before: bustle{load: "0.10", busy: 0.02}, after: bustle{load: "2.31", busy: 0.03},
	}
	text := c.text()
	for _, want := range []string{
		"2026-11-30", "`3745873-dirty`", "rounds: 7", "`go run ./bench`", "AMD EPYC", "4.0 GiB", "Linux 6.18.44", runtime.Version(),
		"PostgreSQL 15.18", "Load average 0.10 before and 2.31 after", "2 % of the CPUs were busy before and 3 % after",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "not quiet") {
		t.Errorf("a quiet machine is called busy:\n%s", text)
	}
	c.after.busy, c.postgres = 0.4, ""
	if text = c.text(); !strings.Contains(text, "\n\n**The machine was not quiet**") || strings.Contains(text, "PostgreSQL") {
		t.Errorf("a busy machine, without PostgreSQL:\n%s", text)
	}
}

func TestInspect(t *testing.T) {
	m, err := inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m.cpu == "" || m.kernel == "" || m.commit == "" || m.memory < 64<<20 {
		t.Errorf("%+v", m)
	}
}

func TestParseTicks(t *testing.T) {
	got, err := parseTicks("cpu  10 1 5 100 20 2 3 4 7 8\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
	if err != nil || got != (ticks{idle: 120, total: 145}) {
		t.Errorf("%+v, %v, want idle and iowait of all but the guests' time", got, err)
	}
	for _, stat := range []string{"", "intr 1 2 3", "cpu 1 2", "cpu 1 2 3 x 5 6 7 8"} {
		if _, err := parseTicks(stat); err == nil {
			t.Errorf("%q is read", stat)
		}
	}
}

func TestGoals(t *testing.T) {
	times := func(ours time.Duration) sample {
		return sample{ours: []time.Duration{ours}, bare: []time.Duration{time.Millisecond}}
	}
	for _, test := range []struct {
		operation, database, tokens string
		ours                        time.Duration
		text, reached               string
	}{
		{guardedRoute, "SQLite", "HS256", 1250 * time.Microsecond, "≤ 1.25", "yes"},
		{guardedRoute, "SQLite", "HS256", 1256 * time.Microsecond, "≤ 1.25", "**no**"},
		{profileRoute, "PostgreSQL", "ES256", 1300 * time.Microsecond, "≤ 1.3", "yes"},
		{refreshed, "PostgreSQL", "HS256", 6 * time.Millisecond, "≤ 5", "**no**"},
		{refreshed, "SQLite", "HS256", 6 * time.Millisecond, "≤ 10", "yes"},
		{steppedUp, "PostgreSQL", "HS256", 8 * time.Millisecond, "≤ 8", "yes"},
		{loggedIn, "SQLite", "HS256", 1004 * time.Microsecond, "≤ 1", "yes"}, // 1.00 in the table
		{introspected, "SQLite", "HS256", 500 * time.Microsecond, "≥ 1150 a second and vCPU", "yes: 2000"},
		{introspected, "SQLite", "HS256", time.Millisecond, "≥ 1150 a second and vCPU", "**no**: 1000"},
		{"something else", "SQLite", "HS256", time.Millisecond, "–", "–"},
	} {
		g := goalOf(test.operation, test.database, test.tokens)
		if text, reached := g.text(), g.reached(times(test.ours)); text != test.text || reached != test.reached {
			t.Errorf("%s, %s, %s: %q, %q, want %q, %q", test.operation, test.database, test.tokens, text, reached, test.text, test.reached)
		}
	}
}
