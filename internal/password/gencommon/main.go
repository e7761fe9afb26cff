// Command gencommon makes the list of common passwords that package password
// embeds, from a JSON array of passwords.
//
//	npm pack @zxcvbn-ts/language-common@4.1.3
//	tar -xzf zxcvbn-ts-language-common-4.1.3.tgz package/src/passwords.json
//	go run ./internal/password/gencommon -out internal/password/common.txt package/src/passwords.json
//
// Entries are converted to the form in which passwords are compared (NFKC, case
// folded). Those under 8 bytes are dropped, because they are refused for their
// length anyway, and the rest are sorted by bytes.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	minBytes = 8
	maxBytes = 32 // maxCommonBytes of package password
)

func main() {
	out := flag.String("out", "common.txt", "the list to write")
	flag.Parse()
	if err := run(flag.Arg(0), *out); err != nil {
		fmt.Fprintln(os.Stderr, "gencommon:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	raw, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	var passwords []string
	if err := json.Unmarshal(raw, &passwords); err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	lines := list(passwords)
	if err := os.WriteFile(out, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	fmt.Printf("%d of %d passwords written to %s\n", len(lines), len(passwords), out)
	return nil
}

func list(passwords []string) []string {
	var lines []string
	for _, password := range passwords {
		folded := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(password)))
		if len(folded) >= minBytes && len(folded) <= maxBytes && !strings.ContainsRune(folded, '\n') {
			lines = append(lines, folded)
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}
