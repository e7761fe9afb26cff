package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// A start learns one command, and help all of them.
func TestGrammarIsOfOneCommand(t *testing.T) {
	all := reflect.TypeFor[commands]().NumField()
	for args, want := range map[string]int{
		"": 1, "serve": 1, "serve --port 80": 1, "user list": 1, "healthcheck": 1, "--help": all, "-h": all, "--port 80": all, "sirve": all, "Serve": all,
	} {
		parser, err := kong.New(grammarFor(strings.Fields(args)), kong.Name("stepkey"))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(parser.Model.Children); n != want {
			t.Errorf("stepkey %s: %d commands are known, want %d", args, n, want)
		}
	}
}

// A setting of another command is no misspelt one.
func TestUnknownSettings(t *testing.T) {
	got := unknownSettings([]string{"STEPKEY_GATE_UPSTREAM=http://127.0.0.1", "STEPKEY_DATA=data", "STEPKEY_DATTA=data", "PATH=/bin"})
	if len(got) != 1 || got[0] != "STEPKEY_DATTA" {
		t.Errorf("not settings: %q, want STEPKEY_DATTA", got)
	}
}
