// Package purposes reads and writes the text in which an operator says what a
// purpose requires, one line each:
//
//	# People who move money
//	payout "Pay out": passkey within 10m or password within 1m and totp within 5m; offered until 2027-03-01
//
// A line is a name, a title in Go's double quotes that may be left out, a colon, a
// rule, and perhaps a mode with its end: offered or shadow, until a date (midnight
// UTC) or a time (RFC 3339). Without a mode the purpose is required. In a rule "and"
// binds tighter than "or". Empty lines and what follows a "#" outside the title are
// comments.
//
// The package knows only the text. Its callers check what a purpose may require,
// and from when on.
package purposes

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The modes that a line can name. A required purpose names none.
const (
	Required = ""
	Offered  = "offered"
	Shadow   = "shadow"
)

const example = `payout "Pay out": passkey within 10m`

// Need is one factor, proved at most Within ago.
type Need struct {
	Factor string
	Within time.Duration
}

// Line is one purpose as it is written.
type Line struct {
	Number int // of the line in its text, from 1
	Name   string
	Title  string
	Rule   [][]Need  // all needs of one list
	Mode   string    // Required, Offered or Shadow
	Until  time.Time // end of Mode in UTC; zero if Required
}

// Parse reads the purposes in text. Its error names every line that is wrong, and
// says how to write it.
func Parse(text string) ([]Line, error) {
	var lines []Line
	var wrong []error
	number := 0
	for raw := range strings.SplitSeq(text, "\n") {
		number++
		raw = strings.TrimSpace(raw)
		if raw == "" || strings.HasPrefix(raw, "#") {
			continue
		}
		line, err := parseLine(raw)
		line.Number = number
		if err == nil {
			err = checkNew(line.Name, lines)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("line %d: %w", number, err))
			continue
		}
		lines = append(lines, line)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return lines, nil
}

// ParseNamed reads a purpose whose name stands elsewhere, as in a table of names: text is
// what follows the name in a line, and the colon may be left out if there is no title.
func ParseNamed(name, text string) (Line, error) {
	if err := CheckName(name); err != nil {
		return Line{}, err
	}
	text = strings.TrimSpace(text)
	if strings.Contains(text, "\n") {
		return Line{}, fmt.Errorf("the purpose %q has more than one line: write one", name)
	}
	if !strings.HasPrefix(text, `"`) && !strings.HasPrefix(text, ":") {
		text = ":" + text
	}
	return parseLine(name + text)
}

func checkNew(name string, lines []Line) error {
	if i := slices.IndexFunc(lines, func(l Line) bool { return l.Name == name }); i >= 0 {
		return fmt.Errorf("the purpose %q is already in line %d: give it another name, or join the rules with \"or\"", name, lines[i].Number)
	}
	return nil
}

func parseLine(text string) (Line, error) {
	line, rest, err := parseHead(text)
	if err != nil {
		return Line{}, err
	}
	rest, _, _ = strings.Cut(rest, "#")
	rule, mode, hasMode := strings.Cut(rest, ";")
	if line.Rule, err = parseRule(strings.Fields(rule)); err != nil {
		return Line{}, err
	}
	if hasMode {
		line.Mode, line.Until, err = parseMode(strings.Fields(mode))
	}
	return line, err
}

// parseHead reads the name and the title, and returns what follows the colon.
func parseHead(text string) (line Line, rest string, err error) {
	end := strings.IndexAny(text, " \t\":")
	if end < 0 {
		return Line{}, "", fmt.Errorf("there is no colon after the name: write it like %s", example)
	}
	line.Name, rest = text[:end], strings.TrimSpace(text[end:])
	if err := CheckName(line.Name); err != nil {
		return Line{}, "", err
	}
	if strings.HasPrefix(rest, `"`) {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return Line{}, "", fmt.Errorf(`the title does not end: put it in double quotes, with \" for a quote inside`)
		}
		// QuotedPrefix accepts only what Unquote reads.
		line.Title, _ = strconv.Unquote(quoted)
		if err := CheckTitle(line.Title); err != nil {
			return Line{}, "", err
		}
		rest = strings.TrimSpace(rest[len(quoted):])
	}
	rest, found := strings.CutPrefix(rest, ":")
	if !found {
		return Line{}, "", fmt.Errorf("there is no colon after the name and its title in double quotes: write it like %s", example)
	}
	return line, rest, nil
}

func parseRule(words []string) ([][]Need, error) {
	if len(words) == 0 {
		return nil, fmt.Errorf("there is no rule after the colon: write it like %s", example)
	}
	var rule [][]Need
	var list []Need
	for {
		need, err := parseNeed(words)
		if err != nil {
			return nil, err
		}
		list, words = append(list, need), words[3:]
		if len(words) == 0 {
			return append(rule, list), nil
		}
		switch words[0] {
		case "and":
		case "or":
			rule, list = append(rule, list), nil
		default:
			return nil, fmt.Errorf(`%q follows "%s within %s": go on with "and", "or", or "; offered until DATE"`, words[0], need.Factor, FormatAge(need.Within))
		}
		words = words[1:]
	}
}

// parseNeed reads the first three of words.
func parseNeed(words []string) (Need, error) {
	if len(words) < 3 || words[1] != "within" {
		return Need{}, fmt.Errorf(`%q is not a factor and its age: write "passkey within 10m"`, strings.Join(words[:min(3, len(words))], " "))
	}
	if err := CheckFactor(words[0]); err != nil {
		return Need{}, err
	}
	age, err := time.ParseDuration(words[2])
	if err != nil {
		return Need{}, fmt.Errorf("%q is not an age: write it like 90s, 10m or 1h30m", words[2])
	}
	return Need{Factor: words[0], Within: age}, CheckAge(age)
}

func parseMode(words []string) (mode string, until time.Time, err error) {
	if len(words) != 3 || (words[0] != Offered && words[0] != Shadow) || words[1] != "until" {
		return "", time.Time{}, fmt.Errorf(`%q is not a mode: write "offered until 2027-03-01" or "shadow until 2027-03-01", or end the line before the semicolon if the purpose is required`,
			strings.Join(words, " "))
	}
	until, err = ParseUntil(words[2])
	return words[0], until, err
}

// ParseUntil reads the end of a mode: a date (midnight UTC) or a time (RFC 3339). The
// result is in UTC.
func ParseUntil(text string) (time.Time, error) {
	until, err := time.Parse(time.DateOnly, text)
	if err != nil {
		until, err = time.Parse(time.RFC3339, text)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a date: write it like 2027-03-01 or 2027-03-01T12:00:00Z", text)
	}
	return until.UTC(), CheckUntil(until)
}

// String writes the line in the form that Parse reads.
func (l Line) String() string {
	var b strings.Builder
	b.WriteString(l.Name)
	if l.Title != "" {
		b.WriteString(" " + strconv.Quote(l.Title))
	}
	b.WriteString(": " + FormatRule(l.Rule))
	if l.Mode != Required {
		b.WriteString("; " + l.Mode + " until " + formatUntil(l.Until))
	}
	return b.String()
}

// FormatRule writes a rule in the form that a line has.
func FormatRule(rule [][]Need) string {
	alternatives := make([]string, len(rule))
	for i, list := range rule {
		needs := make([]string, len(list))
		for j, need := range list {
			needs[j] = need.Factor + " within " + FormatAge(need.Within)
		}
		alternatives[i] = strings.Join(needs, " and ")
	}
	return strings.Join(alternatives, " or ")
}
