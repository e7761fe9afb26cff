package rules

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestPathsThatAreRead(t *testing.T) {
	for _, test := range []struct {
		target string
		want   path
	}{
		{"/", path{}},
		{"/?/admin", path{}},
		{"/admin", path{"admin"}},
		{"/admin/", path{"admin"}},
		{"/%61dmin/", path{"admin"}},
		{"/admin?/public/", path{"admin"}},
		{"/admin?a=%zz&b=/../", path{"admin"}},
		{"/caf%C3%A9/a%20b", path{"café", "a b"}},
		{"/.well-known/x.y", path{".well-known", "x.y"}},
		{"/a/*/%2A", path{"a", "*", "*"}},
		{"/ADMIN", path{"ADMIN"}},
	} {
		if got, err := parsePath(test.target, false); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, %v; want %q", test.target, got, err, test.want)
		}
	}
}

// ambiguous are targets that some server reads as another path, as in the advisories that
// forward_auth bypasses of other proxies were reported with.
var ambiguous = []string{
	"/public/../admin", "/public/%2e%2e/admin", "/public/.%2E/admin", "/./admin", "/admin/.", "/...", "/admin./x",
	"/public%2f..%2fadmin", "/public%2F..%2Fadmin", "/public%5c..%5cadmin", `/public\..\admin`, "//admin/x", "/a//b", "/admin//",
	"///", "/admin%00", "/admin%3b", "/admin%3f", "/admin%23", "/admin%25", "/%252e%252e/admin", "/admin#/public", "/admin?a#b",
	"http:http://x/admin", "http://x/admin", "admin", "", "*", "?", "/%zz", "/%", "/%4", "/\x80", "/%80", "/%c0%ae", "/%ed%a0%80",
	"/admin/%0a", "/admin/%0d%0a", "/admin/%7f", "/admin/%c2%85", "/admin\x00", "/admin\n", "/admin ", "/admin%20/x", "/%20admin/x",
	"/admin%c2%a0/x", "/admin%e2%80%a8", "/admin;a/x", "/..;/admin", "/admin?a b", "/admin?a\r\nb", "/" + strings.Repeat("a", maxTarget),
}

func TestAmbiguousPathsAreRefused(t *testing.T) {
	for _, target := range ambiguous {
		if got, err := parsePath(target, false); !errors.Is(err, ErrPath) {
			t.Errorf("%.40q: %q, %v", target, got, err)
		}
	}
}

// With parameters allowed, none may hide a segment that servers resolve.
func TestParameters(t *testing.T) {
	for _, target := range []string{"/..;a/admin", "/.;/admin", "/;a/admin", "/a%20;b", "/a;b%20", "/a%3bb", "/a;%2f"} {
		if got, err := parsePath(target, true); !errors.Is(err, ErrPath) {
			t.Errorf("%q: %q, %v", target, got, err)
		}
	}
	at, err := parsePath("/admin;a=1/x", true)
	other, differs := at.withoutParameters()
	if err != nil || !differs || !slices.Equal(at, path{"admin;a=1", "x"}) || !slices.Equal(other, path{"admin", "x"}) {
		t.Errorf("%q, %q, %v", at, other, err)
	}
}

// Whatever is accepted, Go's own parser reads as the same path, no server finds a dot
// segment or an empty one in it, and decoding it again changes nothing.
func FuzzPath(f *testing.F) {
	for _, target := range ambiguous {
		f.Add(target, true)
		f.Add(target, false)
	}
	f.Add("/a/b%20c/?x=%2f", false)
	f.Fuzz(func(t *testing.T, target string, semicolon bool) {
		at, err := parsePath(target, semicolon)
		if err != nil {
			if !errors.Is(err, ErrPath) {
				t.Errorf("%q: %v is no ErrPath", target, err)
			}
			return
		}
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" || u.Scheme != "" {
			t.Fatalf("%q is a path, and net/url says %v, %v", target, u, err)
		}
		if got := "/" + strings.Join(at, "/"); got != u.Path && got+"/" != u.Path {
			t.Errorf("%q is %q, and net/url says %q", target, got, u.Path)
		}
		for _, segment := range at {
			if segment == "" || strings.Trim(segment, ".") == "" || strings.ContainsAny(segment, "/\\%?#\x00\r\n") || (!semicolon && strings.Contains(segment, ";")) {
				t.Errorf("%q has the segment %q", target, segment)
			}
			if again, err := decode(segment); again != segment || err != nil {
				t.Errorf("%q: %q decodes to %q, %v", target, segment, again, err)
			}
		}
	})
}

func TestOrigin(t *testing.T) {
	for _, test := range []struct{ scheme, host, want string }{
		{"https", "app.example.com", "https://app.example.com"},
		{"https", "APP.Example.com", "https://app.example.com"},
		{"https", "app.example.com.", "https://app.example.com"},
		{"https", "app.example.com.:443", "https://app.example.com"},
		{"https", "app.example.com:443", "https://app.example.com"},
		{"http", "app.example.com:80", "http://app.example.com"},
		{"https", "app.example.com:80", "https://app.example.com:80"},
		{"https", "app.example.com:8443", "https://app.example.com:8443"},
		{"https", "[::1]:8443", "https://[::1]:8443"},
		{"https", "[fe80::1%25eth0]", ""},
		{"https", "[fe80::1%eth0]", ""},
		{"https", "[127.0.0.1]", ""},
		{"https", "[::1", ""},
		{"https", "::1", ""},
		{"https", "", ""},
		{"https", ".", ""},
		{"https", "app.example.com..", ""},
		{"https", "app..example.com", ""},
		{"https", "a@app.example.com", ""},
		{"https", "app.example.com/x", ""},
		{"https", "app.example.com:", ""},
		{"https", "app.example.com:0443", ""},
		{"https", "app.example.com:4x", ""},
		{"https", "app.example.com, b.example.com", ""},
		{"https", "app.example.com\x00", ""},
		{"HTTPS", "app.example.com", ""},
		{"ws", "app.example.com", ""},
		{"", "app.example.com", ""},
	} {
		got, err := Origin(test.scheme, test.host)
		if got != test.want || (err == nil) != (test.want != "") || (err != nil && !errors.Is(err, ErrHost)) {
			t.Errorf("%s %q: %q, %v; want %q", test.scheme, test.host, got, err, test.want)
		}
	}
}
