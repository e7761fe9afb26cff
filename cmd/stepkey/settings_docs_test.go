package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// setting is one, as its tags in settings.go say.
type setting struct{ name, standard, help string }

// settingsOf lists the settings of a struct of commands or settings, each once.
func settingsOf(t reflect.Type) (list []setting) {
	for field := range fields(t) {
		name := field.Tag.Get("env")
		if name == "" {
			if field.Type.Kind() == reflect.Struct {
				list = append(list, settingsOf(field.Type)...)
			}
			continue
		}
		help, standard, _ := strings.Cut(field.Tag.Get("help"), " Default: ")
		standard = strings.TrimSuffix(standard, ".")
		if value := field.Tag.Get("default"); value != "" {
			standard = "`" + value + "`"
		}
		list = append(list, setting{name, standard, help})
	}
	return list
}

func fields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// allSettings are those of serve and, after them, those that other commands have besides.
func allSettings() []setting {
	list := settingsOf(reflect.TypeFor[settings]())
	for _, s := range settingsOf(reflect.TypeFor[commands]()) {
		if !slices.ContainsFunc(list, func(known setting) bool { return known.name == s.name }) {
			list = append(list, s)
		}
	}
	return list
}

var update = flag.Bool("update", false, "write docs/settings.md anew")

const settingsDocument = "../../docs/settings.md"

// docs/settings.md says what settings.go says. After a change there, write it with
//
//	go test ./cmd/stepkey -run SettingsReference -update
func TestSettingsReference(t *testing.T) {
	text, err := os.ReadFile(settingsDocument)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- generated from cmd/stepkey/settings.go -->\n", "<!-- end -->\n"
	before, rest, found := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatal("docs/settings.md has lost its marks")
	}
	var table strings.Builder
	table.WriteString("| setting | default | what it is for |\n|---|---|---|\n")
	for _, s := range allSettings() {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", s.name, s.standard, strings.ReplaceAll(s.help, "|", `\|`))
	}
	want := before + begin + table.String() + end + after
	if *update {
		if err := os.WriteFile(settingsDocument, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Error("docs/settings.md is not what settings.go says; write it with: go test ./cmd/stepkey -run SettingsReference -update")
	}
}

// Every setting that a document names exists.
func TestSettingsInDocumentsExist(t *testing.T) {
	documents := []string{"README.md", "SECURITY.md", "CHANGELOG.md", ".env.example", "compose.yaml", "Dockerfile", "httpapi/openapi.json"}
	for _, folder := range []string{"docs", "examples", "webui/static"} {
		err := filepath.WalkDir(filepath.Join("../..", folder), func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && filepath.Ext(name) != ".png" {
				documents = append(documents, strings.TrimPrefix(filepath.ToSlash(name), "../../"))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, s := range allSettings() {
		names = append(names, s.name)
	}
	mentioned := 0
	for _, document := range documents {
		text, err := os.ReadFile(filepath.Join("../..", document))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\b(?:STEPKEY_|RP_|DB_|JWT_|SMTP_|REDIS_|DATABASE_)[A-Z][A-Z_]*`).FindAllString(string(text), -1) {
			mentioned++
			if !slices.Contains(names, name) {
				t.Errorf("%s names the setting %s, which does not exist", document, name)
			}
		}
	}
	if mentioned < 2*len(names) {
		t.Errorf("only %d settings were found in documents", mentioned)
	}
}
