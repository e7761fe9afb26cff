package hibp

import (
	"errors"
	"strings"
)

// errAnswer is for an answer that is not a range, such as the page of a proxy, which
// would otherwise count as a range without the password.
var errAnswer = errors.New("hibp: the answer is not one of the range protocol")

const suffixDigits = 40 - prefixDigits

// listed reports whether suffix is in an answer. It reads the whole answer. A count
// of zero is padding.
func listed(answer, suffix string) (bool, error) {
	found := false
	for line := range strings.Lines(answer) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		row, count, _ := strings.Cut(line, ":")
		if len(row) != suffixDigits || !consistsOf(row, hexDigits) || count == "" || !consistsOf(count, digits) {
			return false, errAnswer
		}
		if strings.EqualFold(row, suffix) && strings.Trim(count, "0") != "" {
			found = true
		}
	}
	return found, nil
}

const (
	digits    = "0123456789"
	hexDigits = digits + "ABCDEFabcdef"
)

func consistsOf(text, characters string) bool { return strings.Trim(text, characters) == "" }
