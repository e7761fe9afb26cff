package gate_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stepkey/stepkey/e2e/browser"
)

// program is the stepkey binary under test, made once for all tests.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "stepkey-gate-*")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if program, err = browser.Build(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}
