// Command webscripts minifies the browser client: it reads webui/client/stepkey.js, which is written to be read, and
// writes webui/static/stepkey.js, which is embedded and served. Run it in tools/ after each change of the client:
//
//	go run ./webscripts
//
// A test compares the two, so that CI fails when one was changed without the other.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/evanw/esbuild/pkg/api"
)

// Paths from the folder tools.
const (
	source = "../webui/client/stepkey.js"
	served = "../webui/static/stepkey.js"
)

func main() {
	if err := run(source, served); err != nil {
		fmt.Fprintln(os.Stderr, "webscripts:", err)
		os.Exit(1)
	}
}

func run(source, served string) error {
	text, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	script, err := minify(string(text))
	if err != nil {
		return err
	}
	return os.WriteFile(served, script, 0o644)
}

// minify returns the module for browsers of 2022 and later, which is when the last of them learned class fields and ??=.
func minify(text string) ([]byte, error) {
	result := api.Transform(text, api.TransformOptions{
		Sourcefile: "stepkey.js", Loader: api.LoaderJS, Format: api.FormatESModule, Target: api.ES2022,
		Charset: api.CharsetUTF8, LegalComments: api.LegalCommentsNone,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
	})
	var problems []error
	for _, message := range append(result.Errors, result.Warnings...) {
		problems = append(problems, fmt.Errorf("line %d: %s", lineOf(message), message.Text))
	}
	return result.Code, errors.Join(problems...)
}

func lineOf(message api.Message) int {
	if message.Location == nil {
		return 0
	}
	return message.Location.Line
}
