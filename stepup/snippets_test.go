package stepup_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/stepup"
)

// The reference shows parts of programs. Each is a part of an example that is compiled and run, or of this file.
func TestPartsInTheReferenceAreCompiled(t *testing.T) {
	text, err := os.ReadFile("../docs/stepup-reference.md")
	if err != nil {
		t.Fatal(err)
	}
	flat := func(source string) string {
		var lines []string
		for line := range strings.Lines(source) {
			lines = append(lines, strings.TrimSpace(line))
		}
		return "\n" + strings.TrimSpace(strings.Join(lines, "\n")) + "\n"
	}
	parts := regexp.MustCompile("(?ms)^```go([^\n]*)\n(.*?)^```").FindAllStringSubmatch(string(text), -1)
	if len(parts) < 10 {
		t.Errorf("the reference shows %d parts", len(parts))
	}
	for _, part := range parts {
		name, isPart := strings.CutPrefix(part[1], "-part")
		file := "snippets_test.go"
		if name != "" {
			file = "../examples/" + strings.TrimSpace(name) + "/main.go"
		}
		source, err := os.ReadFile(file)
		if err != nil || !isPart {
			t.Errorf("%q: %v", part[1], err)
			continue
		}
		if !strings.Contains(flat(string(source)), flat(part[2])) {
			t.Errorf("%s does not contain\n%s", file, part[2])
		}
	}
}

var (
	mux      *http.ServeMux
	pay      http.Handler
	sessions interface {
		LoadAndSave(http.Handler) http.Handler
	}
	csrf struct {
		Protect func(key []byte) func(http.Handler) http.Handler
	}
)

func requireAnAction(keys *stepup.Kit) {
	mux.Handle("POST /payouts", keys.RequireAction("payout", "amount", "to")(pay))
}

func insideSessionsAndOutsideCSRF(keys *stepup.Kit, key []byte) http.Handler {
	handler := sessions.LoadAndSave(keys.Require("payout")(csrf.Protect(key)(pay)))
	return handler
}

func behindAProxy() stepup.Config {
	return stepup.Config{
		Path: "/shop/_stepkey/", Prefix: "/shop", SignIn: "/shop/login?next=",
	}
}

func countAWeek(ctx context.Context, keys *stepup.Kit) error {
	for count, err := range keys.Counts(ctx, time.Now().AddDate(0, 0, -7)) {
		if err != nil {
			return err
		}
		fmt.Println(count.Day, count.Route, count.Outcome, count.N)
	}
	return nil
}

func deleteUser(ctx context.Context, db *sql.DB, keys *stepup.Kit, key string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := keys.Forget(ctx, tx, key); err != nil {
		return err
	}
	// DELETE FROM users …
	return tx.Commit()
}

var _ = []any{requireAnAction, insideSessionsAndOutsideCSRF, behindAProxy, countAWeek, deleteUser}
