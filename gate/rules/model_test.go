package rules

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// universe are all paths and methods that the rules of the model can tell apart.
func universe() (paths []path, verbs []string) {
	names := []string{"a", "b", "z"}
	paths = []path{{}}
	for begin := 0; len(paths[begin]) < 4; begin++ {
		for _, name := range names {
			paths = append(paths, append(slices.Clone(paths[begin]), name))
		}
	}
	return paths, []string{"GET", "POST", "PUT"}
}

type naiveRule struct {
	text    string
	matched map[string]bool
}

// naive matches by the words of the reference: a star is one segment, two stars at the end
// are the path itself and all below.
func naive(verbs, pattern string, method string, at path) bool {
	if verbs != "*" && !slices.Contains(strings.Split(verbs, ","), method) {
		return false
	}
	want := strings.Split(strings.Trim(pattern, "/"), "/")
	if pattern == "/" {
		want = nil
	}
	for i, segment := range want {
		if segment == "**" {
			return true
		}
		if i >= len(at) || (segment != "*" && segment != at[i]) {
			return false
		}
	}
	return len(at) == len(want)
}

// The most specific rule wins, in any order: a file loads just if, of each two rules that
// match a request, one matches a part of what the other one matches; and the rule that
// decides matches a part of what each other rule matches.
func TestMostSpecificWins(t *testing.T) {
	paths, verbs := universe()
	segment := rapid.SampledFrom([]string{"a", "b", "*"})
	loaded := 0
	rapid.Check(t, func(t *rapid.T) {
		var list []naiveRule
		var lines []string
		for i := range rapid.IntRange(2, 4).Draw(t, "rules") {
			pattern := "/" + strings.Join(rapid.SliceOfN(segment, 0, 3).Draw(t, "path"), "/")
			if rapid.Bool().Draw(t, "below") {
				pattern = strings.TrimSuffix(pattern, "/") + "/**"
			}
			methods := rapid.SampledFrom([]string{"*", "GET", "POST", "GET,POST"}).Draw(t, "methods")
			r := naiveRule{text: "password " + methods + " " + pattern + " user=u" + string(rune('0'+i)) + " weaker", matched: map[string]bool{}}
			for _, at := range paths {
				for _, verb := range verbs {
					if naive(methods, pattern, verb, at) {
						r.matched[verb+" /"+strings.Join(at, "/")] = true
					}
				}
			}
			list, lines = append(list, r), append(lines, r.text)
		}
		f, err := Parse(appWith("", lines...), now)
		if clash := clashing(list); (err != nil) != clash {
			t.Fatalf("%q: %v, and the model says that it clashes: %t", lines, err, clash)
		}
		if err != nil {
			return
		}
		if slices.ContainsFunc(list[1:], func(r naiveRule) bool { return overlapping(r, list[0]) > 0 }) {
			loaded++
		}
		for _, at := range paths {
			for _, verb := range verbs {
				target := "/" + strings.Join(at, "/")
				checkModel(t, f, list, verb, target)
			}
		}
	})
	if loaded < 10 {
		t.Errorf("%d files with rules inside one another loaded, want at least 10", loaded)
	}
}

func checkModel(t *rapid.T, f *File, list []naiveRule, verb, target string) {
	d := f.Decide(Request{Origin: appOrigin, Method: verb, Target: target}, nobody, now)
	least := -1
	for i, r := range list {
		if r.matched[verb+" "+target] && (least < 0 || len(r.matched) < len(list[least].matched)) {
			least = i
		}
	}
	if least < 0 {
		if d.Verdict != Deny {
			t.Fatalf("%s %s: %s, and no rule matches", verb, target, d.Verdict)
		}
		return
	}
	if !strings.Contains(d.Reason, list[least].text) {
		t.Fatalf("%s %s: %s; want %q", verb, target, d.Reason, list[least].text)
	}
}

func clashing(list []naiveRule) bool {
	for i, r := range list {
		for _, q := range list[:i] {
			both := overlapping(r, q)
			equal := both == len(r.matched) && both == len(q.matched)
			if both > 0 && (equal || (both != len(r.matched) && both != len(q.matched))) {
				return true
			}
		}
	}
	return false
}

func overlapping(r, q naiveRule) (both int) {
	for request := range r.matched {
		if q.matched[request] {
			both++
		}
	}
	return both
}
