package main

import (
	"fmt"
	"strings"
)

// openMarker and closeMarker are around a generated part of a document.
func openMarker(part string) string  { return "<!-- bench:" + part + " -->" }
func closeMarker(part string) string { return "<!-- /bench:" + part + " -->" }

// replacePart returns the document with text between the markers of a part. Each marker has to be there once, on a line of its
// own; all outside of them stays as it is.
func replacePart(document, part, text string) (string, error) {
	opening, closing := "\n"+openMarker(part)+"\n", "\n"+closeMarker(part)+"\n"
	if n := strings.Count(document, openMarker(part)); n != 1 {
		return "", fmt.Errorf("%d times %s, want it once", n, openMarker(part))
	}
	if n := strings.Count(document, closeMarker(part)); n != 1 {
		return "", fmt.Errorf("%d times %s, want it once", n, closeMarker(part))
	}
	before, rest, found := strings.Cut(document, opening)
	if !found {
		return "", fmt.Errorf("%s is not a line of its own", openMarker(part))
	}
	_, after, found := strings.Cut("\n"+rest, closing) // the line break for a part that is empty
	if !found {
		return "", fmt.Errorf("no line %s behind %s", closeMarker(part), openMarker(part))
	}
	return before + opening + strings.Trim(text, "\n") + closing + after, nil
}
