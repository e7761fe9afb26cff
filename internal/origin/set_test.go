package origin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/origin"
)

const (
	page = "https://app.example.com"
	app  = "android:apk-key-hash:-_8jcJtgyfrbH09yT3MOOxaQvYBN2iI4VUdL3lqkfpE"
)

// set is the origins of a service with one page. The domain is its host, unless change sets another.
func set(change func(*origin.Set)) origin.Set {
	c := origin.Set{Origins: []string{page}}
	change(&c)
	if c.RPID == "" {
		c.RPID = origin.Host(c.Origins[0])
	}
	return c
}

func TestUnsafeSetIsRefusedWithARemedy(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*origin.Set)
		says   string
	}{
		{"RP ID of another domain", func(c *origin.Set) { c.RPID = "example.org" }, "set Config.RPID to app.example.com"},
		{"RP ID that is a suffix of the text only", func(c *origin.Set) { c.RPID = "ple.com" }, "set Config.RPID to app.example.com"},
		{"RP ID below the origin", func(c *origin.Set) { c.RPID = "www.app.example.com" }, "set Config.RPID to app.example.com"},
		{"second origin elsewhere", func(c *origin.Set) { c.Origins = append(c.Origins, "https://example.org") }, "Config.Origins https://example.org"},
		{"IPv4 as RP ID", func(c *origin.Set) { c.RPID = "127.0.0.1" }, "use localhost"},
		{"IPv6 as RP ID", func(c *origin.Set) { c.RPID = "[::1]" }, "use localhost"},
		{"IP address as origin", func(c *origin.Set) { c.Origins, c.RPID = []string{"https://127.0.0.1"}, "127.0.0.1" }, "use localhost"},
		{"RP ID with scheme", func(c *origin.Set) { c.RPID = "https://app.example.com" }, "without scheme"},
		{"plain http", func(c *origin.Set) { c.Origins = []string{"http://app.example.com"} }, "use https://app.example.com"},
		{"host that only begins like localhost", func(c *origin.Set) { c.Origins = []string{"http://localhost.example.com"} }, "use https://"},
		{"origin with a slash", func(c *origin.Set) { c.Origins = []string{"https://app.example.com/"} }, "use https://app.example.com"},
		{"origin with the scheme's port", func(c *origin.Set) { c.Origins = []string{"https://app.example.com:443"} }, "use https://app.example.com"},
		{"origin with no port behind the colon", func(c *origin.Set) { c.Origins = []string{"https://app.example.com:"} }, "use https://app.example.com"},
		{"origin with zeros before the port", func(c *origin.Set) { c.Origins = []string{"https://app.example.com:08443"} }, "how browsers write a port"},
		{"origin with a port that is none", func(c *origin.Set) { c.Origins = []string{"https://app.example.com:84430"} }, "how browsers write a port"},
		{"origin in upper case", func(c *origin.Set) { c.Origins = []string{"https://APP.example.com"} }, "use https://app.example.com"},
		{"no origin", func(c *origin.Set) { c.Origins = []string{"app.example.com"} }, "https://app.example.com"},
		{"every host", func(c *origin.Set) { c.Origins = []string{"https://*.example.com"}; c.RPID = "example.com" }, "each host by itself"},
		{"host as people write it", func(c *origin.Set) { c.Origins = []string{"https://müller.example.com"} }, "xn--"},
		{"only an app", func(c *origin.Set) { c.Origins = []string{app} }, "put the origin of a page first"},
		{"app before the pages", func(c *origin.Set) { c.Origins = []string{app, page} }, "put the origin of a page first"},
		{"app by a SHA-1 hash", func(c *origin.Set) {
			c.Origins = append(c.Origins, "android:apk-key-hash:fRBDRz1Vv6kOhTDTWAHU44G8afA")
		}, "32 bytes in base64url without padding"},
		{"app with padding", func(c *origin.Set) { c.Origins = append(c.Origins, app+"=") }, "without padding"},
		{"app in the other base64", func(c *origin.Set) {
			c.Origins = append(c.Origins, strings.NewReplacer("-", "+", "_", "/").Replace(app))
		}, "base64url"},
		{"app with stray bits", func(c *origin.Set) { c.Origins = append(c.Origins, app[:len(app)-1]+"F") }, "base64url"},
		{"app by its fingerprint", func(c *origin.Set) {
			c.Origins = append(c.Origins, "android:apk-key-hash:"+strings.Repeat("AB:", 31)+"AB")
		}, "SHA-256 of its signing certificate"},
		{"app by another name", func(c *origin.Set) { c.Origins = append(c.Origins, "android:com.example.app") }, "write android:apk-key-hash:"},
		{"app of another system", func(c *origin.Set) { c.Origins = append(c.Origins, "ios:bundle-id:com.example.app") }, "https://app.example.com"},
		{"related origin of the same domain", func(c *origin.Set) { c.RelatedOrigins = []string{"https://x.app.example.com"} }, "list it in Config.Origins"},
		{"related origin over http", func(c *origin.Set) { c.RelatedOrigins = []string{"http://app.example.net"} }, "only over https"},
		{"related origin without a name", func(c *origin.Set) { c.RelatedOrigins = []string{"https://192.0.2.1"} }, "by name"},
		{"related origin with a path", func(c *origin.Set) { c.RelatedOrigins = []string{"https://app.example.net/x"} }, "use https://app.example.net"},
		{"app origin over http", func(c *origin.Set) { c.AppOrigins = []string{"http://app.example.com"} }, "Config.AppOrigins has http://app.example.com"},
		{"app origin elsewhere", func(c *origin.Set) { c.AppOrigins = []string{"https://example.org"} }, "an iOS app uses https://app.example.com"},
		{"app origin above RP ID", func(c *origin.Set) { c.AppOrigins = []string{"https://example.com"} }, "an iOS app uses https://app.example.com"},
		{"app origin with a slash", func(c *origin.Set) { c.AppOrigins = []string{"https://x.app.example.com/"} }, "Config.AppOrigins \"https://x.app.example.com/\" is not written"},
		{"app origin that is a page's", func(c *origin.Set) { c.AppOrigins = []string{page} }, "which Config.Origins has as well"},
		{"app origin that Config.Origins has", func(c *origin.Set) {
			c.Origins, c.AppOrigins = append(c.Origins, app), []string{app}
		}, "which Config.Origins has as well"},
		{"app origin with padding", func(c *origin.Set) { c.AppOrigins = []string{app + "="} }, "Config.AppOrigins \"android:"},
		{"empty app origin", func(c *origin.Set) { c.AppOrigins = []string{""} }, "Config.AppOrigins \"\" is not an origin"},
		{"app origin null", func(c *origin.Set) { c.AppOrigins = []string{"null"} }, "Config.AppOrigins \"null\" is not an origin"},
		{"related app", func(c *origin.Set) { c.RelatedOrigins = []string{app} }, "Config.RelatedOrigins"},
		{"related to localhost", func(c *origin.Set) {
			c.Origins, c.RelatedOrigins = []string{"http://localhost:3000"}, []string{"https://app.example.net"}
		}, "give the service a domain name"},
	} {
		err := set(test.change).Check()
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want it to say %q", test.name, err, test.says)
		}
	}
}

func TestSafeSets(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*origin.Set)
	}{
		{"one page", func(*origin.Set) {}},
		{"parent domain", func(c *origin.Set) { c.RPID = "example.com" }},
		{"two origins", func(c *origin.Set) {
			c.RPID, c.Origins = "example.com", []string{page, "https://example.com:8443"}
		}},
		{"an app", func(c *origin.Set) { c.Origins = append(c.Origins, app) }},
		{"app origins", func(c *origin.Set) { c.RPID, c.AppOrigins = "example.com", []string{"https://example.com", app} }},
		{"related origins", func(c *origin.Set) {
			c.RelatedOrigins = []string{"https://app.example.net", "https://example.com.example.net:8443", "https://example.com"}
		}},
		{"localhost", func(c *origin.Set) { c.Origins = []string{"http://localhost:3000"} }},
	} {
		if err := set(test.change).Check(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// All faults are named at once.
func TestEveryFaultIsNamed(t *testing.T) {
	c := origin.Set{
		RPID: "App.example.com", Origins: []string{"https://a/", "https://b/"},
		RelatedOrigins: []string{"https://c/"}, AppOrigins: []string{"https://d/"},
	}
	err := c.Check()
	for _, part := range []string{"Config.RPID \"App.", "Config.Origins \"https://a/", "Config.Origins \"https://b/", "Config.RelatedOrigins \"https://c/", "Config.AppOrigins \"https://d/"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want it to say %q", err, part)
		}
	}
}

func TestOriginsOfASet(t *testing.T) {
	c := origin.Set{
		Origins: []string{page, app}, RelatedOrigins: []string{"https://shop.example.net"}, AppOrigins: []string{"https://example.com"},
	}
	if got := c.Pages(); !slices.Equal(got, []string{page, "https://shop.example.net"}) {
		t.Errorf("Pages: %q", got)
	}
	if got := c.All(); !slices.Equal(got, []string{page, app, "https://shop.example.net", "https://example.com"}) {
		t.Errorf("All: %q", got)
	}
}

func TestOnlyLocalhost(t *testing.T) {
	for _, test := range []struct {
		origins, apps []string
		want          bool
	}{
		{[]string{"http://localhost:3000", "http://x.localhost"}, nil, true},
		{[]string{"http://localhost:3000", "https://x.localhost.example"}, nil, false},
		{[]string{"http://localhost:3000", app}, nil, false},
		{[]string{"http://localhost:3000"}, []string{app}, false},
		{[]string{"http://127.0.0.1"}, nil, false},
	} {
		c := origin.Set{Origins: test.origins, AppOrigins: test.apps}
		if got := c.OnlyLocalhost(); got != test.want {
			t.Errorf("%q with apps %q: %v, want %v", test.origins, test.apps, got, test.want)
		}
	}
}
