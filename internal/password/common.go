package password

import (
	_ "embed" // common.txt
	"sort"
	"strings"
)

// commonList holds common passwords, folded, one per line, sorted by bytes,
// each line ended by a line feed. It is searched in place: a map would take
// more than a megabyte of memory that is hardly ever read. NOTICE names its
// source; gencommon generates it.
//
//go:embed common.txt
var commonList string

// maxCommonBytes bounds the length of a line; the generator respects it.
const maxCommonBytes = 32

// isCommon reports whether folded is a line of the list.
func isCommon(folded string) bool {
	if len(folded) > maxCommonBytes {
		return false
	}
	// Each offset represents the line that contains it. The lines are sorted, so
	// "the line at this offset is not before folded" is monotonic.
	offset := sort.Search(len(commonList), func(i int) bool { return lineAt(i) >= folded })
	return offset < len(commonList) && lineAt(offset) == folded
}

// lineAt returns the line that contains the byte at offset, without the line
// feed.
func lineAt(offset int) string {
	start := strings.LastIndexByte(commonList[:offset], '\n') + 1
	length := strings.IndexByte(commonList[start:], '\n')
	return commonList[start : start+length]
}
