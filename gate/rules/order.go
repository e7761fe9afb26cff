package rules

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// order puts more specific rules before those around them, so that the first match is the
// most specific one. It returns an error for each pair of rules of which neither is more
// specific, and for each rule that is weaker than one around it without saying so.
func order(list []rule) ([]rule, error) {
	var wrong []error
	for i, r := range list {
		for _, earlier := range list[:i] {
			wrong = append(wrong, checkPair(r, earlier))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	sorted := slices.Clone(list)
	// If all that r matches is matched by q, then r comes first in each of these orders or
	// is equal in it: a longer path, nothing below it, fewer stars, fewer methods.
	slices.SortFunc(sorted, func(r, q rule) int {
		return cmp.Or(
			cmp.Compare(len(q.segments), len(r.segments)),
			compareBool(r.below, q.below),
			cmp.Compare(r.anys(), q.anys()),
			compareBool(r.methods == nil, q.methods == nil),
			cmp.Compare(len(r.methods), len(q.methods)),
		)
	})
	return sorted, nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func checkPair(r, earlier rule) error {
	if !r.overlaps(earlier) {
		return nil
	}
	inner, outer := r, earlier
	switch rInside, earlierInside := earlier.covers(r), r.covers(earlier); {
	case rInside && earlierInside:
		return fmt.Errorf("%s matches the same requests as %s: remove one of them", r.byName(), earlier.byName())
	case !rInside && !earlierInside:
		return fmt.Errorf("%s and %s match some requests together, and neither is more specific: "+
			"write one of them for fewer methods or paths, so that the other one matches all that it matches", r.byName(), earlier.byName())
	case earlierInside:
		inner, outer = earlier, r
	}
	if inner.access.open || inner.weaker || inner.asStrictAs(outer) {
		return nil
	}
	return fmt.Errorf("%s lets requests pass that %s around it refuses: make it as strict, or end it with the word weaker",
		inner.byName(), outer.byName())
}
