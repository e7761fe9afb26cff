package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestBareHandlerAnswersAsRecorded(t *testing.T) {
	recorded := answers{"POST /passkeys/authenticate/verify": {
		Status: http.StatusCreated,
		Header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}, "Content-Length": {"12"}},
		Body:   []byte(`{"token":42}`),
	}}
	server := httptest.NewServer(bareHandler(recorded))
	defer server.Close()

	got, err := send(t.Context(), server.Client(), server.URL, "token", "POST", "/passkeys/authenticate/verify", []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	want := recorded["POST /passkeys/authenticate/verify"]
	if got.Status != want.Status || string(got.Body) != string(want.Body) {
		t.Errorf("got %d %s, want %d %s", got.Status, got.Body, want.Status, want.Body)
	}
	for name := range want.Header {
		if !slices.Equal(got.Header[name], want.Header[name]) {
			t.Errorf("%s: got %q, want %q", name, got.Header[name], want.Header[name])
		}
	}
	if len(got.Header) != len(want.Header) {
		t.Errorf("headers %v, want those recorded and no others", got.Header)
	}
}

func TestSendRefusesFailures(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, err := send(t.Context(), server.Client(), server.URL, "", "GET", "/users/profile", nil)
	if err == nil || !strings.Contains(err.Error(), "GET /users/profile: 404") {
		t.Errorf("send: %v, want an error: a benchmark of refusals measures nothing", err)
	}
}

func TestRoundCountsOperations(t *testing.T) {
	var calls atomic.Int32
	work := func(context.Context, int) error {
		calls.Add(1)
		return nil
	}
	l := load{pid: os.Getpid(), n: 100, workers: 4, do: work}
	if _, err := round(t.Context(), []load{l}); err != nil {
		t.Fatal(err)
	}
	if want := int32(4 * turns * (100 / 4 / turns)); calls.Load() != want {
		t.Errorf("%d calls, want %d: in each turn as many by each worker", calls.Load(), want)
	}
}

func TestRoundGivesTheFirstFailure(t *testing.T) {
	broken := errors.New("broken")
	l := load{pid: os.Getpid(), n: 100, workers: 4, do: func(ctx context.Context, worker int) error {
		if worker == 3 {
			return broken
		}
		<-ctx.Done() // the failure of one worker ends the others
		return ctx.Err()
	}}
	if _, err := round(t.Context(), []load{l}); !errors.Is(err, broken) {
		t.Errorf("round: %v, want the failure itself", err)
	}
}

func TestCompareTakesTurnsAndDropsTheWarmUp(t *testing.T) {
	var order strings.Builder
	side := func(letter string) load {
		return load{pid: os.Getpid(), n: 1, workers: 1, do: func(context.Context, int) error {
			order.WriteString(letter)
			return nil
		}}
	}
	s, err := compare(t.Context(), side("A"), side("B"), 3)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("AB", 4*turns); order.String() != want || len(s.ours) != 3 || len(s.bare) != 3 {
		t.Errorf("order %s with %d and %d results, want %s with 3 of each", &order, len(s.ours), len(s.bare), want)
	}
}

func TestCPUTimeIsUserAndSystemTimeOfTheProcess(t *testing.T) {
	hash() // some of each
	least := ownUsage(t)
	got, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if most := ownUsage(t); got < least-time.Microsecond || got > most+time.Microsecond {
		t.Errorf("CPU time %v, want one between %v and %v", got, least, most)
	}
	if m, err := memoryOf(os.Getpid()); err != nil || m.own < 1<<20 || m.resident < m.own || m.most < m.resident {
		t.Errorf("memoryOf: %+v, %v, want some megabytes, and more in this order: own, resident, most", m, err)
	}
}

// ownUsage returns the CPU time of this process as getrusage(2) has it, to the
// microsecond.
func ownUsage(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestSpreadAndReport(t *testing.T) {
	c := cost{
		setup: setup{database: "SQLite", tokens: "HS256"}, operation: "GET /users/profile",
		sample: sample{
			ours: []time.Duration{30 * time.Microsecond, 20 * time.Microsecond, 40 * time.Microsecond},
			bare: []time.Duration{20 * time.Microsecond, 20 * time.Microsecond, 20 * time.Microsecond},
		},
		small: []time.Duration{10 * time.Microsecond, 10 * time.Microsecond, 10 * time.Microsecond},
	}
	s := start{
		setup: c.setup, first: spreadOf([]time.Duration{90 * time.Millisecond}),
		again: spreadOf([]time.Duration{40 * time.Millisecond, 50 * time.Millisecond}), resident: spreadOf([]int{24 << 20}),
		own: spreadOf([]int{10_000_000}), most: 60_000_000,
	}
	text := report([]cost{c}, []start{s}, 3)
	for _, row := range []string{
		"| GET /users/profile | SQLite | HS256 | 30.0 µs (20.0–40.0) | 20.0 µs (20.0–20.0) | 1.50 (1.00–2.00) | ≤ 1.25 | **no** | 3.00 (2.00–4.00) |\n",
		"| SQLite | HS256 | 90 ms (90–90) | 50 ms (40–50) | yes | 25.2 MB (25.2–25.2) | **no** | 10.0 MB (10.0–10.0) | 60.0 MB | yes |\n",
	} {
		if !strings.Contains(text, row) {
			t.Errorf("the report lacks %q:\n%s", row, text)
		}
	}
}

func TestPlainProxyPassesOn(t *testing.T) {
	app := httptest.NewServer(bareHandler(answers{"GET /": {Status: http.StatusOK, Body: []byte("hello")}}))
	defer app.Close()
	target, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(plainProxy(target))
	defer proxy.Close()
	if err := get(t.Context(), proxy.Client(), proxy.URL+"/", http.Header{}); err != nil {
		t.Error(err)
	}
	app.Close()
	if err := get(t.Context(), proxy.Client(), proxy.URL+"/", http.Header{}); err == nil {
		t.Error("a failure counts as an answer")
	}
}

func TestReportOfTheGate(t *testing.T) {
	c := gateCost{operation: "/forward-auth", yardstick: "net/http, 204", connections: 32, goal: goal{most: 1.15}, sample: sample{
		ours: []time.Duration{30 * time.Microsecond}, bare: []time.Duration{20 * time.Microsecond},
	}}
	text := reportGate([]gateCost{c}, 1)
	const row = "| /forward-auth | 32 | 30.0 µs (30.0–30.0) | net/http, 204 | 20.0 µs (20.0–20.0) | 1.50 (1.50–1.50) | ≤ 1.15 | **no** |\n"
	if !strings.Contains(text, row) {
		t.Errorf("the report lacks %q:\n%s", row, text)
	}
}

// The measured nginx passes on what the one of the example does.
func TestNginxIsThatOfTheExample(t *testing.T) {
	text, err := os.ReadFile("../../examples/gate/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	statements := func(config string) map[string]bool {
		found := map[string]bool{}
		config = regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(config, "")
		for statement := range strings.SplitSeq(config, ";") {
			if words := strings.Fields(statement); len(words) > 2 && strings.Contains(statement, "$stepkey_") {
				found[strings.Join(words, " ")] = true
			}
		}
		return found
	}
	example, measured := statements(string(text)), statements(nginxConfig)
	for statement := range example {
		if !measured[statement] {
			t.Errorf("the measured nginx lacks %q", statement)
		}
	}
	if len(example) < 14 {
		t.Errorf("the example has %d such statements", len(example))
	}
}
