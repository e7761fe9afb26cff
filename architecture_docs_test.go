package stepkey_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Each answer in docs/architecture.md is a file that declares the name beside it.
func TestTwentyQuestions(t *testing.T) {
	rows := tableRows(t, "docs/architecture.md", "| where is … | file | name |")
	if len(rows) != 20 {
		t.Errorf("%d questions, want 20", len(rows))
	}
	for _, row := range rows {
		if len(row) != 3 {
			t.Errorf("%q has %d cells, want 3", row, len(row))
			continue
		}
		path, name := strings.Trim(row[1], "`"), strings.Trim(row[2], "`")
		if declared := declarations(t, path); !slices.Contains(declared, name) {
			t.Errorf("%s: %s declares no %s, but %q", row[0], path, name, declared)
		}
	}
}

// declarations are the names that a file declares, methods as Type.Method.
func declarations(t *testing.T, path string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			names = append(names, receiver(d)+d.Name.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok {
					names = append(names, spec.Name.Name)
				}
			}
		}
	}
	return names
}

// receiver is the type of a method and a dot, and nothing for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if pointer, ok := of.(*ast.StarExpr); ok {
		of = pointer.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}

// The list of packages in docs/architecture.md is complete.
func TestPackagesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(text), "| package | what it owns |\n")
	if !found {
		t.Fatal("docs/architecture.md lists no packages")
	}
	list, _, _ = strings.Cut(list, "\n\n")
	out, err := exec.Command("go", "list", "-f", `{{if ne .Name "main"}}{{.ImportPath}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, name := range strings.Fields(string(out)) {
		short := strings.TrimPrefix(strings.TrimPrefix(name, module), "/")
		if short == "" {
			short = "stepkey"
		}
		if !strings.Contains(list, "`"+short+"`") {
			t.Errorf("docs/architecture.md does not list %s", short)
		}
	}
}
