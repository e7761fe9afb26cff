package rules

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/stepkey/stepkey/internal/origin"
	"github.com/stepkey/stepkey/internal/purposes"
)

// Bounds of a file.
const (
	maxFile   = 1 << 20
	maxRules  = 1000 // of one app; pairs are compared
	maxShadow = 90 * 24 * time.Hour
)

// File is a file of rules that was found to be in order. It does not change, and is safe
// for concurrent use.
type File struct {
	apps     map[string]*app
	purposes []purposes.Line
	rules    int
}

type app struct {
	rules          []rule // most specific first
	shadowUntil    time.Time
	preflight      bool
	allowSemicolon bool
	caseBlind      bool
}

// document is the file as TOML.
type document struct {
	Purposes map[string]string `toml:"purposes"`
	App      []appTable        `toml:"app"`
}

type appTable struct {
	Origin         string   `toml:"origin"`
	Mode           string   `toml:"mode"`
	Until          string   `toml:"until"`
	Rules          []string `toml:"rules"`
	Preflight      bool     `toml:"preflight"`
	AllowSemicolon bool     `toml:"allow_semicolon"`
	CaseBlind      bool     `toml:"case_blind"`
}

// Load reads the file at path. It is [Parse] otherwise.
func Load(path string, now time.Time) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	f, err := Parse(text, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Parse reads rules. Its error names each line that is wrong, and says what to write; a
// file with one wrong line has no effect at all. now decides whether shadow mode ends soon
// enough.
func Parse(text []byte, now time.Time) (*File, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("it is longer than %d bytes: use one file for each gate", maxFile)
	}
	var doc document
	decoder := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := decoder.Decode(&doc); err != nil {
		return nil, explain(err)
	}
	at, err := findLines(text)
	if err != nil {
		return nil, err
	}
	f := &File{apps: map[string]*app{}}
	named, err := f.readPurposes(doc.Purposes, at)
	wrong := []error{err}
	if len(doc.App) == 0 {
		wrong = append(wrong, errors.New("there is no [[app]]: add one with an origin and rules"))
	}
	for i, table := range doc.App {
		wrong = append(wrong, f.readApp(table, at.app(i), named, now))
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return f, nil
}

// Has reports whether there are rules for an origin, as [Origin] returns it.
func (f *File) Has(origin string) bool { return f.apps[origin] != nil }

// Apps returns how many apps there are.
func (f *File) Apps() int { return len(f.apps) }

// Rules returns how many rules all apps have together.
func (f *File) Rules() int { return f.rules }

// PurposeText returns the purposes in the form that stepup.ParsePurposes reads.
func (f *File) PurposeText() string {
	var b strings.Builder
	for _, line := range f.purposes {
		b.WriteString(line.String() + "\n")
	}
	return b.String()
}

func (f *File) readPurposes(table map[string]string, at lines) (map[string]purposes.Line, error) {
	named := map[string]purposes.Line{}
	var wrong []error
	for name, text := range table {
		line, err := purposes.ParseNamed(name, text)
		if err != nil {
			wrong = append(wrong, inLine(at.purposes[name], err))
			continue
		}
		line.Number = at.purposes[name]
		named[name] = line
		f.purposes = append(f.purposes, line)
	}
	slices.SortFunc(f.purposes, func(a, b purposes.Line) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(wrong, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return named, errors.Join(wrong...)
}

func (f *File) readApp(table appTable, at appLines, named map[string]purposes.Line, now time.Time) error {
	if err := origin.CheckPage("origin", table.Origin); err != nil {
		return inLine(at.line, err)
	}
	if f.apps[table.Origin] != nil {
		return inLine(at.line, fmt.Errorf("the origin %s already has an [[app]]: put all its rules there", table.Origin))
	}
	a := &app{preflight: table.Preflight, allowSemicolon: table.AllowSemicolon, caseBlind: table.CaseBlind}
	f.apps[table.Origin] = a
	var err error
	if a.shadowUntil, err = shadowUntil(table, now); err != nil {
		return inLine(at.line, err)
	}
	if n := len(table.Rules); n == 0 || n > maxRules {
		return inLine(at.line, fmt.Errorf("%s has %d rules: write 1 to %d", table.Origin, n, maxRules))
	}
	var list []rule
	var wrong []error
	for i, text := range table.Rules {
		r, err := parseRule(text, a.caseBlind, named)
		r.line = at.rule(i)
		if err != nil {
			wrong = append(wrong, inLine(r.line, fmt.Errorf("rule %q: %w", text, err)))
			continue
		}
		r.allows = r.byName() + " allows it"
		list = append(list, r)
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	f.rules += len(list)
	a.rules, err = order(list)
	return err
}

func shadowUntil(table appTable, now time.Time) (time.Time, error) {
	switch table.Mode {
	case "", "enforce":
		if table.Until != "" {
			return time.Time{}, fmt.Errorf("%s has an until without mode = \"shadow\": remove it", table.Origin)
		}
		return time.Time{}, nil
	case "shadow":
		if table.Until == "" {
			return time.Time{}, fmt.Errorf("%s is in shadow mode without an end: add until = \"2027-03-01\"", table.Origin)
		}
		until, err := purposes.ParseUntil(table.Until)
		if err != nil {
			return time.Time{}, err
		}
		if until.After(now.Add(maxShadow)) {
			return time.Time{}, fmt.Errorf("%s is in shadow mode for more than %d days: choose an earlier until", table.Origin, int(maxShadow.Hours()/24))
		}
		return until, nil
	}
	return time.Time{}, fmt.Errorf("%s has mode %q: write \"enforce\" or \"shadow\"", table.Origin, table.Mode)
}

// explain turns an error of the TOML library into one line for each fault.
func explain(err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var wrong []error
		for _, e := range unknown.Errors {
			row, _ := e.Position()
			wrong = append(wrong, inLine(row, fmt.Errorf("%q is not a key of this file: check its spelling", strings.Join(e.Key(), "."))))
		}
		return errors.Join(wrong...)
	}
	var broken *toml.DecodeError
	if errors.As(err, &broken) {
		row, _ := broken.Position()
		return inLine(row, fmt.Errorf("this is not TOML as expected: %s", strings.TrimPrefix(broken.Error(), "toml: ")))
	}
	return err
}

func inLine(line int, err error) error {
	if line == 0 {
		return err
	}
	return fmt.Errorf("line %d: %w", line, err)
}
