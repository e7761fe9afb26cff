package sqlite_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A program with another driver under the name "sqlite" starts, and so does one without any.
// The tests of e2e/drivers go on with a real driver.
func TestProgramsWithOtherDrivers(t *testing.T) {
	for name, test := range map[string]struct{ register, want string }{
		"without a driver":    {``, `no driver for SQLite is registered`},
		"with another driver": {`sql.Register("sqlite", another{})`, `of another driver`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "main.go")
			program := `package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/stepkey/stepkey/sqlstore/sqlite"
)

type another struct{}

func (another) Open(string) (driver.Conn, error) { return nil, errors.New("of another driver") }

func init() { ` + test.register + ` }

var _ = sql.Register

func main() {
	_, err := sqlite.Open(context.Background(), ` + "`" + filepath.Join(dir, "app.db") + "`" + `, sqlite.Options{})
	fmt.Println(err)
}
`
			if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("go", "run", file).CombinedOutput()
			if err != nil || !strings.Contains(string(out), test.want) {
				t.Errorf("%v: %s, want it to say %q", err, out, test.want)
			}
		})
	}
}
