package pgtest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// install puts empty programs where PostgreSQL's would be.
func install(t *testing.T, dir string, programs ...string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		if err := os.WriteFile(filepath.Join(dir, program), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindProgramsTakesTheNewestVersion(t *testing.T) {
	root := t.TempDir()
	t.Setenv("PATH", root)
	install(t, root+"/9.6/bin", "initdb", "postgres")
	want := install(t, root+"/15/bin", "initdb", "postgres")
	install(t, root+"/17/bin", "initdb") // a client package, without the server

	if got, err := findPrograms(root + "/*/bin"); got != want || err != nil {
		t.Errorf("findPrograms: %q, %v, want %q", got, err, want)
	}
}

func TestFindProgramsPrefersPath(t *testing.T) {
	root := t.TempDir()
	install(t, root+"/17/bin", "initdb", "postgres")
	want := install(t, root+"/own", "initdb", "postgres")
	links := install(t, root+"/links")
	if err := os.Symlink(want+"/initdb", links+"/initdb"); err != nil { // postgres is not linked
		t.Fatal(err)
	}
	t.Setenv("PATH", links)

	want, err := filepath.EvalSymlinks(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := findPrograms(root + "/*/bin"); got != want || err != nil {
		t.Errorf("findPrograms: %q, %v, want %q", got, err, want)
	}
}

func TestFindProgramsNamesThePackage(t *testing.T) {
	root := t.TempDir()
	t.Setenv("PATH", root)
	_, err := findPrograms(root + "/*/bin")
	if !errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), "apt-get install postgresql") {
		t.Errorf("findPrograms: %v, want ErrNotInstalled with the package to install", err)
	}
}

func TestMakeDirLeavesRoomForTheSocket(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("x", maxSocketPath))
	if err := os.Mkdir(long, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := makeDir([]string{long}, nil); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("makeDir: %v, want a refusal for length", err)
	}
	left, err := os.ReadDir(long)
	if err != nil || len(left) != 0 {
		t.Errorf("makeDir left %v behind (%v)", left, err)
	}

	dir, err := makeDir([]string{long, "/tmp"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	if filepath.Dir(dir) != "/tmp" {
		t.Errorf("makeDir: %s, want the next base, /tmp", dir)
	}
}

func TestMakeDirForAnotherUserNeedsPassableParents(t *testing.T) {
	private := filepath.Join(t.TempDir(), "private")
	if err := os.MkdirAll(private+"/inside", 0o700); err != nil {
		t.Fatal(err)
	}
	self := &syscall.Credential{Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
	if _, err := makeDir([]string{private + "/inside"}, self); err == nil || !strings.Contains(err.Error(), "not every user can enter it") {
		t.Errorf("makeDir: %v, want a refusal for the private parent", err)
	}
}
