package username_test

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/rangetable"

	"github.com/stepkey/stepkey/internal/username"
)

func TestCanonical(t *testing.T) {
	for _, test := range []struct{ typed, want string }{
		{"Mira", "mira"},
		{"  mira\t", "mira"},
		{"ＭＩＲＡ", "mira"},
		{"STRASSE", "strasse"},
		{"Straße", "strasse"},
		{"Ω", "ω"},
		{"ß\u0301", "s\u015b"}, // folding undoes the normal form
		{"mira@example.com", "mira@example.com"},
		{"a.b_c-d+e1", "a.b_c-d+e1"},
		{"नमस्ते", "नमस्ते"},
		{strings.Repeat("a", 64), strings.Repeat("a", 64)},
	} {
		got, ok := username.Canonical(test.typed)
		if !ok || got != test.want {
			t.Errorf("%q: %q, %v; want %q", test.typed, got, ok, test.want)
		}
		again, ok := username.Canonical(got)
		if !ok || again != got {
			t.Errorf("%q is not canonical: it becomes %q, %v", got, again, ok)
		}
	}
	for _, typed := range []string{
		"", " ", strings.Repeat("a", 65), "a b", "a\x00", "a\nb", ".a", "@mira", "a/b", "a<b", "mi\u200dra", "mi\u202era",
		"\xff", "a;b", "a:b", strings.Repeat("ﷺ", 64), "´", "🙂",
	} {
		if got, ok := username.Canonical(typed); ok || got != "" {
			t.Errorf("%q: %q, %v; want none", typed, got, ok)
		}
	}
}

// A name with an invisible character looks like somebody else's.
func TestInvisibleCharacters(t *testing.T) {
	for _, table := range []*unicode.RangeTable{
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Cf, unicode.Zs,
	} {
		rangetable.Visit(table, func(r rune) {
			if got, ok := username.Canonical("ad" + string(r) + "min"); ok {
				t.Errorf("U+%04X: %q is a user name", r, got)
			}
		})
	}
}
