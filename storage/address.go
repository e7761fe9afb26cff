package storage

import "strings"

// FoldAddress returns the form in which e-mail addresses are compared and looked up. RFC 5321
// §2.4 lets a provider tell case apart in the part before the @; no provider does.
func FoldAddress(address string) string { return strings.ToLower(address) }
