// Command webscripts builds the browser scripts that are minified: from modules that are written to be read it makes the
// single files that are embedded and served. Run it in tools/ after each change of a source:
//
//	go run ./webscripts
//
// A test compares the two, so that CI fails when one was changed without the other.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// A script is built from the module source, and all that it imports, into the file served. Paths are from the root of the
// repository. Where it imports words.json, it gets the words of the language, from a file beside that one, unless this is empty.
type script struct{ source, served, language string }

func scripts() []script {
	return []script{
		{"webui/client/stepkey.js", "webui/static/stepkey.js", ""},
		{"stepup/web/client/stepup.js", "stepup/web/stepup.js", ""},
		{"stepup/web/client/stepup.js", "stepup/web/stepup.de.js", "de"},
	}
}

func main() {
	if err := run(".."); err != nil {
		fmt.Fprintln(os.Stderr, "webscripts:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	for _, s := range scripts() {
		text, err := build(filepath.Join(root, s.source), s.language)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(root, s.served), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// build returns one module for browsers of 2022 and later, which is when the last of them learned class fields and ??=.
func build(source, language string) ([]byte, error) {
	result := api.Build(api.BuildOptions{
		Plugins:     []api.Plugin{wordsIn(language)},
		EntryPoints: []string{source}, Bundle: true, Write: false,
		Format: api.FormatESModule, Target: api.ES2022, Platform: api.PlatformBrowser,
		Charset: api.CharsetUTF8, LegalComments: api.LegalCommentsNone,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
	})
	var problems []error
	for _, message := range append(result.Errors, result.Warnings...) {
		problems = append(problems, fmt.Errorf("%s: %s", placeOf(message), message.Text))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return result.OutputFiles[0].Contents, nil
}

// wordsIn has imports of words.json load the words of a language.
func wordsIn(language string) api.Plugin {
	return api.Plugin{Name: "words", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `/words\.json$`}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			file := "words.json"
			if language != "" {
				file = "words." + language + ".json"
			}
			return api.OnResolveResult{Path: filepath.Join(args.ResolveDir, filepath.Dir(args.Path), file)}, nil
		})
	}}
}

func placeOf(message api.Message) string {
	if message.Location == nil {
		return "no place"
	}
	return fmt.Sprintf("%s:%d", message.Location.File, message.Location.Line)
}
