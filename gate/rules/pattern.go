package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern matches paths. A segment is literal or any; below means that the paths below
// match as well.
type pattern struct {
	segments []patternSegment
	below    bool
}

type patternSegment struct {
	literal string
	any     bool
}

// parsePattern reads a pattern such as /users/*/keys/**. It is written like a path of a
// request.
func parsePattern(text string, caseBlind bool) (pattern, error) {
	var p pattern
	base, below := strings.CutSuffix(text, "/**")
	if below {
		p.below = true
		if base == "" {
			base = "/"
		}
	}
	if strings.Contains(base, "?") {
		return pattern{}, fmt.Errorf("the path %q has a query, which is not judged: end the path before the ?", text)
	}
	if base != "/" && strings.HasSuffix(base, "/") {
		return pattern{}, fmt.Errorf("the path %q ends with a slash, which makes no difference: leave it out, or write /** for all below", text)
	}
	segments, err := parsePath(encodeLetters(base), false)
	if err != nil {
		return pattern{}, fmt.Errorf("no request has the path %q: %s", text, strings.TrimPrefix(err.Error(), ErrPath.Error()+": "))
	}
	if caseBlind {
		if segments, err = segments.folded(); err != nil {
			return pattern{}, fmt.Errorf("no request has the path %q: %s", text, strings.TrimPrefix(err.Error(), ErrPath.Error()+": "))
		}
	}
	for i, raw := range rawSegments(base) {
		switch {
		case raw == "*":
			p.segments = append(p.segments, patternSegment{any: true})
		case strings.Contains(raw, "*"):
			return pattern{}, fmt.Errorf("the path %q has a * inside a segment: * stands for one whole segment, and ** may only end the path; write %%2A for the character", text)
		default:
			p.segments = append(p.segments, patternSegment{literal: segments[i]})
		}
	}
	return p, nil
}

// encodeLetters lets people write letters beyond ASCII as they are.
func encodeLetters(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if text[i] < utf8.RuneSelf {
			b.WriteByte(text[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", text[i])
		}
	}
	return b.String()
}

func rawSegments(base string) []string {
	if base == "/" {
		return nil
	}
	return strings.Split(base[1:], "/")
}

func (p pattern) matches(at path) bool {
	if len(at) < len(p.segments) || (len(at) > len(p.segments) && !p.below) {
		return false
	}
	for i, segment := range p.segments {
		if !segment.any && segment.literal != at[i] {
			return false
		}
	}
	return true
}

// within reports whether q matches every path that p matches.
func (p pattern) within(q pattern) bool {
	if len(p.segments) < len(q.segments) {
		return false
	}
	if !q.below && (p.below || len(p.segments) != len(q.segments)) {
		return false
	}
	for i, outer := range q.segments {
		if !outer.any && p.segments[i] != outer {
			return false
		}
	}
	return true
}

// meets reports whether a path exists that both match.
func (p pattern) meets(q pattern) bool {
	if len(p.segments) > len(q.segments) {
		p, q = q, p
	}
	if len(p.segments) < len(q.segments) && !p.below {
		return false
	}
	for i, a := range p.segments {
		if b := q.segments[i]; !a.any && !b.any && a.literal != b.literal {
			return false
		}
	}
	return true
}

func (p pattern) anys() (n int) {
	for _, segment := range p.segments {
		if segment.any {
			n++
		}
	}
	return n
}

// methods are the methods of a rule; nil stands for all. GET covers HEAD, which is
// never in the list: an answer to HEAD says what the one to GET says.
type methods []string

func parseMethods(text string) (methods, error) {
	if text == "*" {
		return nil, nil
	}
	var list methods
	for name := range strings.SplitSeq(text, ",") {
		if name == "HEAD" {
			return nil, errors.New("HEAD is covered by GET: write GET")
		}
		if !isMethod(name) {
			return nil, fmt.Errorf("%q is not a method: write * for all, or methods in capitals such as GET,POST without spaces", name)
		}
		if slices.Contains(list, name) {
			return nil, fmt.Errorf("%s is there twice: write it once", name)
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return list, nil
}

// isMethod accepts methods as all registered ones are written. Methods are case-sensitive
// (RFC 9110 §9.1), and an application may read "get" as GET all the same.
func isMethod(name string) bool {
	return name != "" && len(name) <= 32 && !strings.ContainsFunc(name, func(c rune) bool { return (c < 'A' || c > 'Z') && c != '-' })
}

func (m methods) match(method string) bool { return m == nil || slices.Contains(m, method) }

func (m methods) within(n methods) bool {
	if n == nil {
		return true
	}
	if m == nil {
		return false
	}
	return !slices.ContainsFunc(m, func(name string) bool { return !n.match(name) })
}

func (m methods) meet(n methods) bool {
	return m == nil || n == nil || slices.ContainsFunc(m, n.match)
}
