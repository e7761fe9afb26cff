package returnpath

import (
	"net/url"
	"strings"
	"testing"
)

func TestReturnPath(t *testing.T) {
	for _, test := range []struct {
		next string
		want bool
	}{
		{"/", true},
		{"/payouts", true},
		{"/payouts?to=a%0D%0Ab&u=https://other.example//x&b=%5C", true},
		{"/files/a%2Fb", true},
		{"/caf%C3%A9/%F0%9F%94%91", true},
		{"/" + strings.Repeat("a", 2047), true},
		{"/" + strings.Repeat("a", 2048), false},
		{"", false},
		{"payouts", false},
		{"?a", false},
		{"https://evil.example/", false},
		{"javascript:alert(1)", false},
		{"//evil.example", false},
		{"///evil.example", false},
		{`/\evil.example`, false},
		{`\/evil.example`, false},
		{`/a\..\..\evil.example`, false},
		{"/\t/evil.example", false},
		{"/\n/evil.example", false},
		{"/a?b=\r\nSet-Cookie: a", false},
		{"/%09/evil.example", false},
		{"/%0a/evil.example", false},
		{"/%7f", false},
		{"/%C2%85", false},
		{"/%2f/evil.example", false},
		{"/%2F%2Fevil.example", false},
		{"/%5cevil.example", false},
		{"/a/..//evil.example", false},
		{"/.//evil.example", false},
		{"/%2e%2f/evil.example", false},
		{"/%zz", false},
		{"/a b", false},
		{"/é", false},
		{"/a#b", false},
		{"/a?b#c", false},
		{"/\x00", false},
		{"/\x7f", false},
	} {
		if got := Allowed(test.next); got != test.want {
			t.Errorf("%q: %v", test.next, got)
		}
	}
}

func TestPathFromAnAbsoluteURL(t *testing.T) {
	origins := []string{"https://app.example", "http://localhost:8080", "https://other.example"}
	for _, test := range []struct{ name, absolute, host, want string }{
		{"a page", "https://app.example/payouts?new=1", "app.example", "/payouts?new=1"},
		{"with a port", "http://localhost:8080/payouts", "localhost:8080", "/payouts"},
		{"the origin alone", "https://app.example", "app.example", "/"},
		{"a fragment is dropped", "https://app.example/payouts#tab2", "app.example", "/payouts"},
		{"of another site", "https://evil.example/payouts", "app.example", ""},
		{"of another site that claims to be the host", "https://evil.example/payouts", "evil.example", ""},
		{"another scheme", "http://app.example/payouts", "app.example", ""},
		{"another port", "https://app.example:8443/payouts", "app.example:8443", ""},
		{"another origin of ours", "https://other.example/payouts", "app.example", ""},
		{"with a user name", "https://app.example@evil.example/", "app.example", ""},
		{"with a user name of ours", "https://u@app.example/", "app.example", ""},
		{"a path that leads away", "https://app.example//evil.example", "app.example", ""},
		{"no absolute URL", "/payouts", "app.example", ""},
		{"no host", "https:app.example/payouts", "app.example", ""},
		{"no URL", "https://app.example/%zz", "app.example", ""},
		{"nothing", "", "app.example", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := From(test.absolute, test.host, origins)
			if ok != (test.want != "") || ok && got != test.want {
				t.Errorf("%q, %v; want %q", got, ok, test.want)
			}
		})
	}
}

// likeABrowser prepares a URL as the URL Standard does: it drops tabs and line breaks,
// trims both ends, and takes a backslash for a slash.
func likeABrowser(text string) string {
	text = strings.TrimFunc(text, func(c rune) bool { return c <= ' ' })
	return strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(text)
}

func FuzzReturnPath(f *testing.F) {
	for _, seed := range []string{"/payouts?a=b", "//evil.example", `/\evil.example`, "/\t/evil.example", "/%09/evil.example", "/.//evil.example", "/%2f%2e%2e//x", "/a?//b"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://app.example/_stepkey/verify?p=payout")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		if !Allowed(next) {
			return
		}
		readings := []string{next, likeABrowser(next)}
		path, query, _ := strings.Cut(next, "?")
		if decoded, err := url.PathUnescape(path); err == nil {
			readings = append(readings, likeABrowser(decoded)+"?"+query)
		}
		for _, reading := range readings {
			u, err := base.Parse(reading)
			if err != nil {
				// An unreadable URL leads nowhere, but the path itself must be readable.
				if reading == next {
					t.Fatalf("%q: %v", next, err)
				}
				continue
			}
			if u.Scheme != "https" || u.Host != "app.example" || u.User != nil {
				t.Fatalf("%q leads to %s", next, u)
			}
			// A redirect to the resolved path must stay here as well.
			if strings.HasPrefix(u.EscapedPath(), "//") {
				t.Fatalf("%q has the path %s", next, u.EscapedPath())
			}
		}
	})
}
