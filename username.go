package stepkey

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxUsername is how many characters a user name may have, in its canonical
// form.
const MaxUsername = 64

// CanonicalUsername returns the one form in which a user name is unique and is
// looked up: surrounding white space trimmed, NFKC, case folded.
//
// What is left must have 1 to [MaxUsername] characters, all of them letters,
// combining marks, decimal digits or one of . _ - @ +, and begin with a letter
// or a digit. So an e-mail address can be a user name; white space, control
// characters, invisible ones and those that turn the direction of writing can
// not. Otherwise the error is [ErrUsernameInvalid].
//
// Invisible letters and marks (Default_Ignorable_Code_Point of Unicode, such as
// U+034F and variation selectors) are refused, because a name with one looks like
// somebody else's.
func CanonicalUsername(typed string) (string, error) {
	// The bound before the work: NFKC makes at most 18 characters of one.
	if len(typed) > 8*MaxUsername || !utf8.ValidString(typed) {
		return "", ErrUsernameInvalid
	}
	name := norm.NFKC.String(strings.TrimSpace(typed))
	// Folding can undo the normal form, as with U+0345.
	name = norm.NFKC.String(cases.Fold().String(name))
	if n := utf8.RuneCountInString(name); n < 1 || n > MaxUsername {
		return "", ErrUsernameInvalid
	}
	first, _ := utf8.DecodeRuneInString(name)
	if !unicode.IsLetter(first) && !unicode.IsDigit(first) {
		return "", ErrUsernameInvalid
	}
	for _, r := range name {
		if !allowedInUsername(r) {
			return "", ErrUsernameInvalid
		}
	}
	return name, nil
}

func allowedInUsername(r rune) bool {
	switch r {
	case '.', '_', '-', '@', '+':
		return true
	default:
		visible := !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
		return visible && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r))
	}
}
