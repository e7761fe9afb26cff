package gate

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/stepkey/stepkey/gate/rules"
)

// The headers in which a proxy says what it was asked for.
const (
	forwardedMethod = "X-Forwarded-Method"
	forwardedURI    = "X-Forwarded-Uri"
	forwardedHost   = "X-Forwarded-Host"
	forwardedProto  = "X-Forwarded-Proto"
)

var errRequest = errors.New("gate: the proxy's headers about the request are missing, doubled or malformed")

// readRequest reads the request that the proxy asks about. Each header must be there
// once: of two values the proxy and we could take different ones (CVE-2020-25017).
func readRequest(r *http.Request) (rules.Request, error) {
	if hasAlias(r.Header) {
		return rules.Request{}, errRequest
	}
	var values [4]string
	for i, name := range []string{forwardedMethod, forwardedURI, forwardedHost, forwardedProto} {
		list := r.Header[name] // the names are canonical
		if len(list) != 1 || list[0] == "" {
			return rules.Request{}, errRequest
		}
		values[i] = list[0]
	}
	origin, err := rules.Origin(values[3], values[2])
	if err != nil {
		return rules.Request{}, err
	}
	extra, err := tightening(r.URL.RawQuery)
	if err != nil {
		return rules.Request{}, err
	}
	return rules.Request{
		Origin: origin, Method: values[0], Target: values[1], AtLeast: extra,
		Preflight: r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "",
		Overrides: overrides(r.Header, values[0], values[1]),
	}, nil
}

// hasAlias reports whether a header is one of ours to an application that reads another
// character as "-" (CVE-2026-39858, CVE-2026-52845). The proxy would pass it on.
func hasAlias(header http.Header) bool {
	for name := range header {
		if !strings.ContainsFunc(name, isUnusual) {
			continue
		}
		plain := plainName(name)
		if strings.HasPrefix(plain, "x-stepkey-") || strings.HasPrefix(plain, "x-forwarded-") {
			return true
		}
	}
	return false
}

// plainName returns the name of a header as servers see it that pass headers on as
// variables: in one case, and with one character for all but letters and digits.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case isUnusual(r):
			return '-'
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// isUnusual reports whether a character of a header's name is not one of those that every
// server keeps.
func isUnusual(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
}

// overrides reports whether the request asks the application to take it for one of another
// method. Queries count for POST alone, as in the frameworks that read them, and are read
// loosely: what looks like an override is one.
func overrides(header http.Header, method, target string) bool {
	for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
		if len(header[name]) > 0 { // the names are canonical
			return true
		}
	}
	if method != http.MethodPost {
		return false
	}
	_, query, _ := strings.Cut(target, "?")
	decoded, err := url.QueryUnescape(query)
	return err != nil || strings.Contains(strings.ToLower(decoded), "_method")
}

// tightening reads what the query requires in addition: level=full&age=10m. It can only
// make a request stricter, because behind some proxies the client chooses it. Names that
// are not known are the client's, and ignored.
func tightening(query string) ([]rules.Need, error) {
	if query == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errRequest
	}
	ages := values["age"]
	if len(ages) > 1 {
		return nil, errRequest
	}
	var needs []rules.Need
	for _, level := range values["level"] {
		need, err := rules.ParseTightening(level, values.Get("age"))
		if err != nil {
			return nil, err
		}
		needs = append(needs, need)
	}
	return needs, nil
}
