package pgtest

import (
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// ErrNotInstalled is returned by [Start] on a machine without the PostgreSQL
// server programs. Its text names the package to install.
var ErrNotInstalled = errors.New("PostgreSQL server programs (initdb, postgres) are neither in PATH nor in /usr/lib/postgresql/*/bin:" +
	" install the package postgresql (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql)")

// debianBins matches the directories Debian and Ubuntu keep the server programs
// in, one for each major version and none of them in PATH.
const debianBins = "/usr/lib/postgresql/*/bin"

// findPrograms returns the directory that holds both initdb and postgres.
func findPrograms(pattern string) (string, error) {
	// PATH may hold links to single programs; the directory they point to has
	// all of them, in one version.
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(initdb); err == nil && hasPrograms(filepath.Dir(real)) {
			return filepath.Dir(real), nil
		}
	}

	dirs, err := filepath.Glob(pattern)
	if err != nil {
		return "", fmt.Errorf("pgtest: %w", err)
	}
	dirs = slices.DeleteFunc(dirs, func(dir string) bool { return !hasPrograms(dir) })
	if len(dirs) == 0 {
		return "", ErrNotInstalled
	}
	return slices.MaxFunc(dirs, func(a, b string) int { return cmp.Compare(majorVersion(a), majorVersion(b)) }), nil
}

// hasPrograms reports whether dir holds the two programs a server needs.
func hasPrograms(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// majorVersion reads 16 out of /usr/lib/postgresql/16/bin, and 0 out of a path
// of another form. Versions compare as numbers: as text, 9.6 would beat 17.
func majorVersion(dir string) float64 {
	v, err := strconv.ParseFloat(filepath.Base(filepath.Dir(dir)), 64)
	if err != nil {
		return 0
	}
	return v
}
