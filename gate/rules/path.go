package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxTarget bounds a request target in bytes. RFC 9110 §4.1 asks for at least 8000.
const maxTarget = 8192

// ErrPath means that servers could read a request target in more than one way, so that
// the application could serve another path than the one that was judged.
var ErrPath = errors.New("rules: the path is ambiguous")

// path is a request path as segments, decoded once. The path "/" has none, and a slash at
// the end makes no difference: most applications serve the same for both.
type path []string

// parsePath reads the path of a request target in origin form (RFC 9112 §3.2.1), the
// only form that is accepted. It refuses instead of repairing: the application gets the
// target as it came, and would repair it differently. The query is not judged, but must
// not contain what could end it early.
func parsePath(target string, semicolon bool) (path, error) {
	if len(target) > maxTarget {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrPath, maxTarget)
	}
	raw, query, _ := strings.Cut(target, "?")
	if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r == '#' || r == 0x7f }) {
		return nil, fmt.Errorf("%w: the query has a space, a control character or a #", ErrPath)
	}
	rest, rooted := strings.CutPrefix(raw, "/")
	if !rooted {
		return nil, fmt.Errorf("%w: it does not begin with a slash", ErrPath)
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" && len(raw) <= 1 {
		return path{}, nil
	}
	segments := make(path, 0, strings.Count(rest, "/")+1)
	for part := range strings.SplitSeq(rest, "/") {
		segment, err := parseSegment(part, semicolon)
		if err != nil {
			return nil, err
		}
		segments = append(segments, segment)
	}
	return segments, nil
}

func parseSegment(raw string, semicolon bool) (string, error) {
	for i := range len(raw) {
		switch c := raw[i]; {
		case c <= ' ' || c >= 0x7f:
			return "", fmt.Errorf("%w: it has a character that must be percent-encoded", ErrPath)
		case c == '\\' || c == '#':
			return "", fmt.Errorf("%w: it has a %c", ErrPath, c)
		case c == ';' && !semicolon:
			return "", fmt.Errorf("%w: it has a ; (set allow_semicolon if the application needs it)", ErrPath)
		}
	}
	segment, err := decode(raw)
	if err != nil {
		return "", err
	}
	return segment, checkSegment(segment)
}

// decode undoes percent-encoding once.
func decode(raw string) (string, error) {
	if !strings.Contains(raw, "%") {
		return raw, nil
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' {
			b.WriteByte(raw[i])
			continue
		}
		if i+2 >= len(raw) {
			return "", fmt.Errorf("%w: a %% is not followed by two hexadecimal digits", ErrPath)
		}
		high, low := unhex(raw[i+1]), unhex(raw[i+2])
		if high < 0 || low < 0 {
			return "", fmt.Errorf("%w: a %% is not followed by two hexadecimal digits", ErrPath)
		}
		c := byte(high<<4 | low)
		// Encoded, these are data to one server and syntax to another.
		if strings.IndexByte(`/\%;?#`, c) >= 0 {
			return "", fmt.Errorf("%w: it has an encoded %c", ErrPath, c)
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String(), nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// checkSegment refuses what servers drop, trim or resolve.
func checkSegment(segment string) error {
	switch {
	case segment == "":
		return fmt.Errorf("%w: it has two slashes side by side", ErrPath)
	case !utf8.ValidString(segment):
		return fmt.Errorf("%w: it is not UTF-8", ErrPath)
	case strings.ContainsFunc(segment, unicode.IsControl):
		return fmt.Errorf("%w: it has an encoded control character", ErrPath)
	// A segment parameter hides a dot segment: "..;x" is ".." to a server that drops it.
	case strings.HasSuffix(beforeParameters(segment), "."):
		return fmt.Errorf("%w: a segment is or ends in a dot", ErrPath)
	case strings.TrimSpace(segment) != segment, strings.TrimSpace(beforeParameters(segment)) != beforeParameters(segment):
		return fmt.Errorf("%w: a segment begins or ends in a space", ErrPath)
	case beforeParameters(segment) == "":
		return fmt.Errorf("%w: a segment is nothing but parameters", ErrPath)
	}
	return nil
}

// beforeParameters returns a segment without its parameters (RFC 3986 §3.3), which some
// servers ignore.
func beforeParameters(segment string) string {
	name, _, _ := strings.Cut(segment, ";")
	return name
}

// withoutParameters returns the path as servers see it that ignore parameters, and
// whether it is another one.
func (p path) withoutParameters() (path, bool) {
	if !slices.ContainsFunc(p, func(segment string) bool { return strings.Contains(segment, ";") }) {
		return p, false
	}
	stripped := make(path, len(p))
	for i, segment := range p {
		stripped[i] = beforeParameters(segment)
	}
	return stripped, true
}

// folded returns the path of a case-blind application. Servers do not agree whether the
// two letters below are an s and a k.
func (p path) folded() (path, error) {
	lower := make(path, len(p))
	for i, segment := range p {
		if strings.ContainsAny(segment, "\u017f\u212a") {
			return nil, fmt.Errorf("%w: it has a letter that is an s or a k in another case", ErrPath)
		}
		lower[i] = strings.Map(fold, segment)
	}
	return lower, nil
}

// fold returns the smallest of the letters that differ from r in case alone.
func fold(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}
