// Package username defines which texts are user names, when two of them are the same
// name, and which names are reserved.
package username

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxLength is how many characters a user name may have, in its canonical form.
const MaxLength = 64

// Canonical returns the one form in which a user name is unique and is looked up:
// surrounding white space trimmed, NFKC, case folded. It reports whether that is a user
// name: 1 to [MaxLength] characters, all of them letters, combining marks, decimal digits
// or one of . _ - @ +, the first a letter or a digit. Invisible letters and marks
// (Default_Ignorable_Code_Point of Unicode, such as U+034F and variation selectors) are
// refused, because a name with one looks like another user's.
func Canonical(typed string) (name string, ok bool) {
	// The bound before the work: NFKC makes at most 18 characters of one.
	if len(typed) > 8*MaxLength || !utf8.ValidString(typed) {
		return "", false
	}
	name = norm.NFKC.String(strings.TrimSpace(typed))
	// Folding can undo the normal form, as with U+0345.
	name = norm.NFKC.String(cases.Fold().String(name))
	if n := utf8.RuneCountInString(name); n < 1 || n > MaxLength {
		return "", false
	}
	first, _ := utf8.DecodeRuneInString(name)
	if !unicode.IsLetter(first) && !unicode.IsDigit(first) {
		return "", false
	}
	for _, r := range name {
		if !allowed(r) {
			return "", false
		}
	}
	return name, true
}

func allowed(r rune) bool {
	if strings.ContainsRune(signs, r) {
		return true
	}
	visible := !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	return visible && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r))
}

// signs are the characters of a user name that are neither letters, marks nor digits.
const signs = "._-@+"
