package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// mountedAt returns the path below which the handler is mounted, such as "/auth-service", or an empty string
// for the root. The part of the path that http.StripPrefix removed is still in RequestURI.
func mountedAt(r *http.Request) string {
	if r.RequestURI == r.URL.Path {
		return ""
	}
	requested, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return ""
	}
	prefix, stripped := strings.CutSuffix(requested.EscapedPath(), r.URL.EscapedPath())
	// A browser would read the text after two slashes as a host.
	if !stripped || !strings.HasPrefix(prefix, "/") || strings.HasPrefix(prefix, "//") {
		return ""
	}
	return prefix
}

// prefixOf returns the prefix of the links in the answer to a request.
func prefixOf(ctx context.Context) string {
	if known, ok := ctx.Value(requestKey{}).(*request); ok {
		return known.prefix
	}
	return ""
}

// pagesAt returns the URL below which the pages are: Config.PublicURL if it has a path, and otherwise its
// origin with the prefix of the request.
func (a *api) pagesAt(ctx context.Context) string {
	public := a.service.PublicURL()
	if u, err := url.Parse(public); err == nil && u.Path == "" {
		return public + prefixOf(ctx)
	}
	return public
}

// escaped returns a configured prefix as written in links.
func escaped(prefix string) string {
	return (&url.URL{Path: strings.TrimRight(prefix, "/")}).EscapedPath()
}
