package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Each script that is served is made of its sources as they are now.
func TestServedScriptsAreCurrent(t *testing.T) {
	const root = "../.."
	for _, s := range scripts() {
		want, err := build(filepath.Join(root, s.source), s.language)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(root, s.served))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not made of %s: run make generate", s.served, s.source)
		}
	}
}

func TestBuildReportsErrors(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.js")
	if err := os.WriteFile(broken, []byte("const a = ;"), 0o600); err != nil {
		t.Fatal(err)
	}
	if script, err := build(broken, ""); err == nil {
		t.Errorf("build of broken code yields %q", script)
	}
}
