package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// textsOf are the string literals in the files of a package, tests apart.
func textsOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, text)
			}
			return true
		})
	}
	return texts
}

// The library does not know the settings of this command, and this command names no field.
func TestErrorsNameFieldsInTheLibraryAndSettingsHere(t *testing.T) {
	setting, field := regexp.MustCompile(`\b(STEPKEY|RP|JWT|DB|REDIS|SMTP|DATABASE)_[A-Z_]+\b`), regexp.MustCompile(`\b(Config|Options)\.[A-Z]`)
	fields := 0
	for _, dir := range []string{"../..", "../../sqlstore", "../../sqlstore/postgres", "../../sqlstore/sqlite", "../../sqlstore/internal/engine", "../../redisstore", "../../smtpmail", "../../webui", "../../internal/storeurl"} {
		for _, text := range textsOf(t, dir) {
			if found := setting.FindString(text); found != "" {
				t.Errorf("%s: %q names the setting %s", dir, text, found)
			}
			if field.MatchString(text) {
				fields++
				if left := field.FindString(settingNames.Replace(text)); left != "" {
					t.Errorf("%s: no setting stands for the field in %q", dir, text)
				}
			}
		}
	}
	if fields < 20 {
		t.Errorf("found %d texts with fields, want 20 and more", fields)
	}
}
