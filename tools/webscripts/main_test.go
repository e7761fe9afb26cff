package main

import (
	"bytes"
	"os"
	"testing"
)

// The script that is served is made of the source as it is now.
func TestServedScriptIsCurrent(t *testing.T) {
	text, err := os.ReadFile("../" + source)
	if err != nil {
		t.Fatal(err)
	}
	want, err := minify(string(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../" + served)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("webui/static/stepkey.js is not made of webui/client/stepkey.js: run make generate")
	}
}

func TestMinifyReportsErrors(t *testing.T) {
	if script, err := minify("const a = ;"); err == nil {
		t.Errorf("minify of broken code yields %q", script)
	}
}
