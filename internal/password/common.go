package password

import (
	_ "embed" // common.txt
	"sort"
	"strings"
)

// commonList holds common passwords, folded, one a line, sorted by bytes, each
// line ended by a line feed. It is searched where it lies: a map of it would
// cost more than a megabyte of memory that is hardly ever read. Where it comes
// from is said in NOTICE; gencommon makes it and says how to run it.
//
//go:embed common.txt
var commonList string

// maxCommonBytes bounds a line of the list; the generator keeps to it.
const maxCommonBytes = 32

// isCommon reports whether folded is a line of the list.
func isCommon(folded string) bool {
	if len(folded) > maxCommonBytes {
		return false
	}
	// Each offset stands for the line that it lies in: the lines are sorted,
	// so "the line at this offset is not before folded" is monotonic.
	offset := sort.Search(len(commonList), func(i int) bool { return lineAt(i) >= folded })
	return offset < len(commonList) && lineAt(offset) == folded
}

// lineAt returns the line that the byte at offset belongs to, without its end.
func lineAt(offset int) string {
	start := strings.LastIndexByte(commonList[:offset], '\n') + 1
	length := strings.IndexByte(commonList[start:], '\n')
	return commonList[start : start+length]
}
