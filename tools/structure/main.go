// Command structure measures the packages that others can import, as a Markdown table: their size, and what a program that
// imports one of them takes along. Run it in tools/:
//
//	go run ./structure
//	go run ./structure -build
//
// With -build it also compiles a program that does nothing but import the package, with an empty build cache, and prints the
// CPU time that this takes, of all processes together, and the size of the binary. That takes minutes.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const module = "github.com/stepkey/stepkey"

func main() {
	build := flag.Bool("build", false, "compile a program for each package")
	flag.Parse()
	if err := run(os.Stdout, "..", *build); err != nil {
		fmt.Fprintln(os.Stderr, "structure:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, root string, build bool) error {
	packages, err := importable(root)
	if err != nil {
		return err
	}
	header := []string{"package", "lines", "exported names", "packages of others", "modules of others"}
	if build {
		header = append(header, "CPU time to compile", "binary")
	}
	writeRow(out, header)
	writeRow(out, slices.Repeat([]string{"---"}, len(header)))
	for _, p := range packages {
		row, err := measure(root, p, build)
		if err != nil {
			return fmt.Errorf("%s: %w", p.ImportPath, err)
		}
		writeRow(out, row)
	}
	return nil
}

func writeRow(out io.Writer, cells []string) {
	fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | "))
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Name, Dir string
	GoFiles               []string
	Standard              bool
	Module                *struct{ Path string }
}

// importable are the packages that another module can import.
func importable(root string) ([]listed, error) {
	all, err := list(root, "./...")
	return slices.DeleteFunc(all, func(p listed) bool {
		return p.Name == "main" || strings.Contains(p.ImportPath+"/", "/internal/") || len(p.GoFiles) == 0
	}), err
}

func list(dir string, arguments ...string) ([]listed, error) {
	command := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Dir,GoFiles,Standard,Module"}, arguments...)...)
	command.Dir, command.Stderr = dir, os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
}

func measure(root string, p listed, build bool) ([]string, error) {
	lines, names, err := size(p)
	if err != nil {
		return nil, err
	}
	needed, err := list(root, "-deps", p.ImportPath)
	if err != nil {
		return nil, err
	}
	others, modules := 0, map[string]bool{}
	for _, d := range needed {
		if !d.Standard && d.Module != nil && d.Module.Path != module {
			others++
			modules[d.Module.Path] = true
		}
	}
	name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
	if name == "" {
		name = "(root)"
	}
	row := []string{"`" + name + "`", fmt.Sprint(lines), fmt.Sprint(names), fmt.Sprint(others), fmt.Sprint(len(modules))}
	if !build {
		return row, nil
	}
	took, bytes, err := compile(root, p.ImportPath)
	return append(row, took.Round(100*time.Millisecond).String(), fmt.Sprintf("%.1f MB", float64(bytes)/1e6)), err
}

// size counts the lines of the files that are compiled, comments included, and the exported names: types, functions,
// constants, variables, and methods of exported types.
func size(p listed) (lines, names int, err error) {
	files := token.NewFileSet()
	for _, name := range p.GoFiles {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return 0, 0, err
		}
		lines += strings.Count(string(text), "\n")
		f, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
		if err != nil {
			return 0, 0, err
		}
		for _, d := range f.Decls {
			names += exported(d)
		}
	}
	return lines, names, nil
}

func exported(d ast.Decl) int {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type))) {
			return 1
		}
	case *ast.GenDecl:
		count := 0
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					count++
				}
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					if name.IsExported() {
						count++
					}
				}
			}
		}
		return count
	}
	return 0
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// compile builds a program that imports the package, with a build cache of its own.
func compile(root, importPath string) (took time.Duration, bytes int64, err error) {
	// Inside the module, so that its go.mod counts.
	dir, err := os.MkdirTemp(root, "structure-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	cache, err := os.MkdirTemp("", "structure-cache-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(cache)
	program := fmt.Sprintf("package main\n\nimport _ %q\n\nfunc main() {}\n", importPath)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
		return 0, 0, err
	}
	binary := filepath.Join(cache, "program")
	command := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
	command.Dir, command.Stderr = dir, os.Stderr
	command.Env = append(os.Environ(), "GOCACHE="+cache, "CGO_ENABLED=0")
	if err := command.Run(); err != nil {
		return 0, 0, fmt.Errorf("go build: %w", err)
	}
	// CPU time, because that of a clock on the wall depends on what else the machine does.
	took = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	info, err := os.Stat(binary)
	if err != nil {
		return 0, 0, err
	}
	return took, info.Size(), nil
}
