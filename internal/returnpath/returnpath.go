// Package returnpath decides where a page may lead back to: a path of its own origin, however
// that is read.
package returnpath

import (
	"net/url"
	"slices"
	"strings"
)

// MaxBytes is the length of the longest path, with its query, that a page returns to.
const MaxBytes = 2048

// Allowed reports whether a page may return to this path and query. It
// must lead to the origin of the page, however a browser, a proxy or the application
// reads it (CWE-601): browsers take "//host" and "/\host" for another origin, drop tabs
// and line breaks from URLs, and remove dot segments, and others decode once more.
//
// A fragment never reaches the server; the page's script has it and puts it back.
func Allowed(next string) bool {
	if len(next) > MaxBytes || !strings.HasPrefix(next, "/") || strings.ContainsFunc(next, notInPath) {
		return false
	}
	path, _, _ := strings.Cut(next, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil || strings.ContainsFunc(decoded, isControl) {
		return false
	}
	// Decoding makes no slash disappear, so the decoded path has those of the raw one.
	return !strings.Contains(decoded, "//") && !strings.Contains(decoded, `\`)
}

// notInPath reports what no browser sends in a path or query. A request's own URI is
// percent-encoded, so that nothing is lost to requiring ASCII.
func notInPath(c rune) bool { return c <= ' ' || c > '~' || c == '\\' || c == '#' }

func isControl(c rune) bool { return c < ' ' || 0x7f <= c && c <= 0x9f }

// From returns the path and query of an absolute URL that a browser sent, in
// Referer or HX-Current-URL, if it is a page of this host to which a page may return. Its origin must be in origins. A fragment is dropped.
func From(absolute, host string, origins []string) (path string, ok bool) {
	u, err := url.Parse(absolute)
	if err != nil || u.User != nil || u.Host != host || !slices.Contains(origins, u.Scheme+"://"+u.Host) {
		return "", false
	}
	path = u.RequestURI()
	return path, Allowed(path)
}
