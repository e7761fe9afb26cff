package stepkey_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/httpapi"
	policy "github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
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
	for _, program := range blocks(t, "docs/other-origin.md", "go") {
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
			t.Errorf("a program in a document does not build: %v\n%s", err, out)
		}
	}
}

// The program in README.md runs, and the pages that its answers lead to are there.
func TestProgramInREADMERuns(t *testing.T) {
	programs := blocks(t, "README.md", "go")
	if len(programs) != 1 {
		t.Fatalf("README.md has %d programs, and this test runs one", len(programs))
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	folder := t.TempDir()
	file, program := filepath.Join(folder, "main.go"), filepath.Join(folder, "program")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(programs[0], "localhost:3000", "localhost:"+port)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"vet", file}, {"build", "-o", program, file}} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			t.Fatalf("the program in README.md: go %v: %v\n%s", args, err, out)
		}
	}
	var log bytes.Buffer
	running := exec.CommandContext(t.Context(), program)
	running.Dir, running.Stderr = folder, &log
	running.Env = append(os.Environ(), "STEPKEY_SECRET="+rootSecret)
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- running.Wait() }()
	defer func() {
		_ = running.Process.Kill()
		<-ended
	}()
	base := "http://localhost:" + port
	for {
		if _, err := http.Get(base + "/livez"); err == nil {
			break
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("it ended: %v: %s", err, log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	for _, test := range []struct {
		path string
		want int
	}{
		{"/docs", 200},
		{"/account", 200},
		{"/.well-known/change-password", 200}, // after the redirect
		{"/.well-known/passkey-endpoints", 200},
		{"/payouts", 401},
		{"/nothing", 404},
	} {
		answer, err := http.Get(base + test.path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != test.want {
			t.Errorf("GET %s: %d, want %d", test.path, answer.StatusCode, test.want)
		}
	}

	// httpapi.NewServer bounds headers to 16 KiB and those of net/http to 1 MiB.
	request, err := http.NewRequestWithContext(t.Context(), "GET", base+"/livez", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Large", strings.Repeat("x", 64<<10))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KiB of headers: %d, want 431", answer.StatusCode)
	}

	if err := running.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = <-ended
	ended <- err
	if err != nil {
		t.Errorf("after an interrupt it ended with %v: %s", err, log.String())
	}
	// SQLite removes its log when the last connection is closed.
	if _, err := os.Stat(filepath.Join(folder, "app.db-wal")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the store was not closed: app.db-wal: %v", err)
	}
}

// README.md shows the diff that gives an application passkeys, as it is, and counts its lines.
func TestDiffInREADME(t *testing.T) {
	want, err := os.ReadFile("examples/existing-app/stepup.diff")
	if err != nil {
		t.Fatal(err)
	}
	if shown := blocks(t, "README.md", "diff"); !slices.Equal(shown, []string{string(want)}) {
		t.Errorf("README.md does not show examples/existing-app/stepup.diff, but %q", shown)
	}
	changed := len(regexp.MustCompile(`(?m)^[+-]`).FindAll(want, -1)) - 2 // the names of the files
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if count := fmt.Sprintf("%d changed lines:", changed); !strings.Contains(string(text), count) {
		t.Errorf("README.md does not say %q", count)
	}
}

// Links to files of ours, and to headings in them, lead somewhere.
func TestLinksInDocuments(t *testing.T) {
	documents := []string{"README.md", "SECURITY.md", "CHANGELOG.md"}
	for _, pattern := range []string{"docs/*.md", "docs/decisions/*.md"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, more...)
	}
	link := regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`)
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			target := document
			if match[1] != "" {
				target = filepath.Join(filepath.Dir(document), match[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", document, match[1])
				continue
			}
			if match[2] != "" && !slices.Contains(headings(t, target), match[2]) {
				t.Errorf("%s links to %s#%s, which has no such heading", document, match[1], match[2])
			}
		}
	}
}

// An operator who meets a reason in the log finds what it means.
func TestReasonsOfRefusedCeremoniesAreDocumented(t *testing.T) {
	source, err1 := os.ReadFile("internal/ceremony/error.go")
	document, err2 := os.ReadFile("docs/passkeys.md")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(document), "## Why a passkey was refused")
	section, _, _ = strings.Cut(section, "\n## ")
	reasons := regexp.MustCompile(`Reason = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(reasons) < 20 {
		t.Fatalf("%d reasons found", len(reasons))
	}
	for _, reason := range reasons {
		if !strings.Contains(section, "`"+reason[1]+"`") {
			t.Errorf("docs/passkeys.md does not say what the reason %s means", reason[1])
		}
	}
}

// headings returns the anchors that GitHub makes of a document's headings.
func headings(t *testing.T, document string) (anchors []string) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		anchor := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(match[1]), "")
		anchors = append(anchors, strings.ReplaceAll(anchor, " ", "-"))
	}
	return anchors
}

// Every code that the service or a guard can answer is in openapi.json, and has its place
// at /docs: a problem document's type is a link to it.
func TestProblemCodesAreDocumented(t *testing.T) {
	document, err := os.ReadFile("httpapi/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Components struct {
			Schemas struct {
				ProblemCode struct {
					Enum     []string
					Problems map[string]struct{ Status int } `json:"x-problems"`
				}
				GuardProblem struct {
					Properties struct{ Code struct{ Enum []string } }
				}
			}
		}
	}
	if err := json.Unmarshal(document, &api); err != nil {
		t.Fatal(err)
	}
	schemas := api.Components.Schemas
	for _, source := range []struct {
		file, code string
		documented []string
	}{
		{"httpapi/problem.go", `\bcode: "(\w+)"`, schemas.ProblemCode.Enum},
		{"guard/refusal.go", `p\.Code, .* = "(\w+)"`, schemas.GuardProblem.Properties.Code.Enum},
	} {
		if got := codesIn(t, source.file, source.code); !slices.Equal(got, sorted(source.documented)) {
			t.Errorf("%s has the codes\n%s\nopenapi.json\n%s", source.file, got, sorted(source.documented))
		}
	}
	all := sorted(append(schemas.ProblemCode.Enum, schemas.GuardProblem.Properties.Code.Enum...))
	if got := codesIn(t, "webui/static/docs.html", `class="problem" id="(\w+)"`); !slices.Equal(got, all) {
		t.Errorf("/docs has the codes\n%s\nopenapi.json\n%s", got, all)
	}
	page, err := os.ReadFile("webui/static/docs.html")
	if err != nil {
		t.Fatal(err)
	}
	for code, problem := range schemas.ProblemCode.Problems {
		heading := fmt.Sprintf(`<code>%s</code> <span class="out">%d</span>`, code, problem.Status)
		if !strings.Contains(string(page), heading) {
			t.Errorf("/docs does not say that %s has status %d", code, problem.Status)
		}
	}
	if shortest := fmt.Sprintf("fewer than %d characters", policy.DefaultMinLength); !strings.Contains(string(page), shortest) {
		t.Errorf("/docs does not say %q", shortest)
	}
}

func codesIn(t *testing.T, file, pattern string) (codes []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
		codes = append(codes, match[1])
	}
	return sorted(codes)
}

// sorted returns a set in order.
func sorted(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// Each promise of SECURITY.md is in the table of tests, and the files there exist.
func TestPromisesNameTheirTests(t *testing.T) {
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, promises, found := strings.Cut(string(text), "## What Stepkey promises\n")
	promises, _, ended := strings.Cut(promises, "\n## ")
	if !found || !ended {
		t.Fatal("SECURITY.md promises nothing")
	}
	tests := map[string]string{}
	for _, row := range tableRows(t, "docs/architecture.md", "| promise | test |") {
		tests[row[0]] = row[1]
	}
	names := regexp.MustCompile(`(?m)^- (?:\*\*(.+?)\.\*\*)?`).FindAllStringSubmatch(promises, -1)
	if len(names) == 0 {
		t.Error("SECURITY.md lists no promise")
	}
	for _, name := range names {
		if tests[name[1]] == "" {
			t.Errorf("docs/architecture.md names no test of the promise %q", name[1])
		}
	}
	for promise, list := range tests {
		files := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(list, -1)
		if len(files) == 0 && !strings.Contains(list, "`") {
			t.Errorf("no test of %q is named", promise)
		}
		for _, file := range files {
			// A name without a folder may belong to the one before it.
			found, err := filepath.Glob(file[1])
			if beside, _ := filepath.Glob(filepath.Join("*", file[1])); err != nil || len(found)+len(beside) == 0 {
				t.Errorf("the test of %q, %s, does not exist", promise, file[1])
			}
		}
	}
}

// No entry of the changelog stands twice, in the same words or about the same setting.
func TestChangelogEntriesDiffer(t *testing.T) {
	text, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range strings.Split(string(text), "\n### ") {
		seen := map[string]string{}
		for _, entry := range strings.Split(section, "\n- ")[1:] {
			entry = strings.Join(strings.Fields(entry), " ")
			for _, subject := range append(sorted(regexp.MustCompile(`STEPKEY_[A-Z_]+`).FindAllString(entry, -1)), entry) {
				if other, ok := seen[subject]; ok {
					t.Errorf("%s stands twice:\n%s\n%s", subject, other, entry)
				}
				seen[subject] = entry
			}
		}
	}
}

// docs/maintenance.md lists the kinds of events that event.go has.
func TestKindsOfEventsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("docs/maintenance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| kinds | |\n")
	table, _, ended := strings.Cut(table, "\n\n")
	if !found || !ended {
		t.Fatal("docs/maintenance.md has no table of kinds")
	}
	var listed []string
	for _, match := range regexp.MustCompile("`([a-z_]+\\.[a-z_]+)`").FindAllStringSubmatch(table, -1) {
		listed = append(listed, match[1])
	}
	if kinds := codesIn(t, "storage/event.go", `EventKind = "([^"]+)"`); !slices.Equal(sorted(listed), kinds) {
		t.Errorf("documented are\n%s\nstorage/event.go has\n%s", sorted(listed), kinds)
	}
}

// docs/moving-in.md lists the members that an import takes.
func TestMembersOfImportsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("docs/moving-in.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("cmd/stepkey/jsonlines.go")
	if err != nil {
		t.Fatal(err)
	}
	member := regexp.MustCompile("`([A-Za-z]+)`")
	for _, test := range []struct{ structure, heading string }{{"userLine", "Of a user:\n\n"}, {"passkeyLine", "Of a passkey:\n\n"}} {
		_, body, found := strings.Cut(string(source), "type "+test.structure+" struct {\n")
		body, _, _ = strings.Cut(body, "\n}")
		_, table, foundTable := strings.Cut(string(text), test.heading)
		table, _, _ = strings.Cut(table, "\n\n")
		if !found || !foundTable {
			t.Fatalf("there is no %s or no table %q", test.structure, test.heading)
		}
		var want, listed []string
		for _, match := range regexp.MustCompile(`json:"([^",]+)`).FindAllStringSubmatch(body, -1) {
			want = append(want, match[1])
		}
		for line := range strings.SplitSeq(table, "\n") {
			first, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
			for _, match := range member.FindAllStringSubmatch(first, -1) {
				if match[1] != "member" {
					listed = append(listed, match[1])
				}
			}
		}
		if !slices.Equal(sorted(want), sorted(listed)) {
			t.Errorf("%s has the members\n%s\ndocs/moving-in.md\n%s", test.structure, sorted(want), sorted(listed))
		}
	}
}

// Numbers in documents are those of the program.
func TestNumbersInDocuments(t *testing.T) {
	const day = 24 * time.Hour
	minutes := func(d time.Duration) int { return int(d / time.Minute) }
	hours := func(d time.Duration) int { return int(d / time.Hour) }
	days := func(d time.Duration) int { return int(d / day) }
	seconds := func(d time.Duration) int { return int(d / time.Second) }
	for _, test := range []struct {
		document string
		phrases  []string
	}{
		{"docs/sessions.md", []string{
			fmt.Sprintf("| access token | %d minutes, never beyond what it rests on; verifiers grant %d seconds more", minutes(token.Lifetime), seconds(token.Leeway)),
			fmt.Sprintf("| session with refresh token | %d days idle, %d days in all |", days(stepkey.SessionIdle), days(stepkey.SessionLifetime)),
			fmt.Sprintf("| %d minutes after the password |", minutes(stepkey.NoStepUpLifetime)),
			fmt.Sprintf("| level `full` | %d hours after the passkey, %d hour idle;", hours(stepkey.FullLifetime), hours(stepkey.FullIdle)),
			fmt.Sprintf("| %d minutes (passkey), %d minutes (password, for the first one) |", minutes(stepkey.FullWindow), minutes(stepkey.FirstPasskeyWindow)),
			fmt.Sprintf("| action token | %d seconds, once |", seconds(token.ActionLifetime)),
			fmt.Sprintf("| sessions per user | %d with refresh token, %d without;", stepkey.MaxSessions, stepkey.MaxPlainSessions),
			fmt.Sprintf("fetch the list for %d seconds", seconds(guard.DefaultMaxStale)),
			fmt.Sprintf("published %d minutes before it signs", minutes(stepkey.KeyLead)),
			fmt.Sprintf("A key signs for %d days", days(stepkey.KeyLifetime)),
		}},
		{"docs/operations.md", []string{fmt.Sprintf("An instance holds %d connections, or three quarters", httpapi.DefaultMaxConnections)}},
		{"SECURITY.md", []string{fmt.Sprintf("at most %d minutes after its session has ended, and %d seconds more", minutes(token.Lifetime), seconds(token.Leeway))}},
		{"docs/limits.md", []string{
			fmt.Sprintf("a wait of %d s, doubled", seconds(storage.FirstWait)),
			fmt.Sprintf("lasts %d days", days(stepkey.DeviceLifetime)),
		}},
		{"docs/recovery.md", []string{
			fmt.Sprintf("A session at this level lasts %d minutes", minutes(stepkey.RecoveryLifetime)),
			fmt.Sprintf("| passkeys and codes | password and e-mail | %d hours |", hours(stepkey.RecoveryWait)),
		}},
		{"docs/maintenance.md", []string{
			fmt.Sprintf("then the name alone, %d days;", days(stepkey.NameQuarantine)),
			fmt.Sprintf("at most %d of a user", stepkey.MaxPasskeys),
			fmt.Sprintf("of a session %d days after the last attempt", days(stepkey.SessionLifetime)),
			fmt.Sprintf("| `refused_ceremonies` | %d days", days(storage.KeepRefusedCeremonies)),
			fmt.Sprintf("| `events` | %d days", days(sqlstore.KeepEvents)),
			fmt.Sprintf("the newest %d %03d of a user", storage.MaxKeptEvents/1000, storage.MaxKeptEvents%1000),
		}},
	} {
		text, err := os.ReadFile(test.document)
		if err != nil {
			t.Fatal(err)
		}
		flat := strings.Join(strings.Fields(string(text)), " ")
		for _, phrase := range test.phrases {
			if !strings.Contains(flat, phrase) {
				t.Errorf("%s does not say %q, as the constants do", test.document, phrase)
			}
		}
	}
}
