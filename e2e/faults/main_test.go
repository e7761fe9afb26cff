package faults_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stepkey/stepkey/internal/pgtest"
)

var (
	long       = flag.Bool("long", false, "run the long form of each row")
	reportFile = flag.String("report", "", "write the table of results to this file")
)

// programs are the binaries under test, built once.
var programs struct {
	plain   string
	shifted string // its clock is off by what the file in CLOCK_OFFSET_FILE says

	shift    sync.Once // builds shifted, which takes longer than the rest
	shiftErr error
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "stepkey-faults")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs.plain = filepath.Join(dir, "stepkey")
	programs.shifted = filepath.Join(dir, "stepkey-shifted")
	if err := build(programs.plain); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Rows wait more than they work.
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	status := pgtest.Main(m)
	if *reportFile != "" {
		if err := os.WriteFile(*reportFile, results.document(), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return status
}
