package gate_test

import (
	"slices"
	"testing"
)

// line is one of a configuration that protects, and the row of the corpus that succeeds without it.
type line struct {
	proxy  proxy
	edit   edit
	source string
	before []edit // of a configuration in which the line matters; the row has to hold there
}

// without leaves a text out.
func without(p proxy, text, source string) line { return line{p, edit{text, ""}, source, nil} }

var lines = []line{
	without(caddy, "request_header -*Stepkey*", "X~Stepkey~User"),
	without(caddy, "request_header -*Forwarded*", "CVE-2026-35051"),
	without(caddy, "request_header -*_*", "a path in X_Original_URL"),
	without(caddy, "request_header -*.*", "a path in X.Rewrite.URL"),
	without(caddy, "request_header -X-Original-Ur*", "CVE-2018-14773"),
	without(caddy, "request_header -X-Rewrite-Ur*", "CVE-2018-14773"),
	without(caddy, "respond @upgrade 400", "h2csmuggler"),
	{caddy, edit{"uri /forward-auth?", "uri /forward-auth"}, "the client's query", nil},
	{
		caddy,
		edit{"header_up X-Forwarded-Uri {http.request.orig_uri}", ""},
		"plain: nobody",
		[]edit{{"route {\n\t\timport stepkey", "route {\n\t\trewrite * /public/index.html\n\t\timport stepkey"}},
	},
	without(caddy, "header_up X-Stepkey-User {http.request.header.X-Stepkey-User}", "CVE-2026-29054, GHSA-w9mr-28mw-j8hg"),
	without(caddy, "header_up Cookie {http.request.header.X-Stepkey-Cookie}", "the cookies of Stepkey"),
	without(caddy, "\trespond 421\n", "another host"),
	without(caddy, "respond /forward-auth* 404", "/forward-auth of the pages' host"),
	{caddy, edit{"handle /_stepkey/*", "handle /elsewhere/*"}, "the folder of sign-in", nil},

	without(nginx, "return 421;", "another host"),
	{nginx, edit{"underscores_in_headers off;", "underscores_in_headers on;"}, "a path in X_Original_URL", nil},
	{nginx, edit{"ignore_invalid_headers on;", "ignore_invalid_headers off;"}, "a path in X.Rewrite.URL", nil},
	without(nginx, "internal;", "nginx's location"),
	without(nginx, "?proxy=nginx", "CVE-2026-33494, CVE-2026-48020"),
	without(nginx, "error_page 401 403 = @stepkey;", "CVE-2026-33494, CVE-2026-48020"),
	without(nginx, "proxy_set_header X-Forwarded-Host   $host;", "the host"),
	without(nginx, "proxy_set_header X-Forwarded-Proto  $scheme;", "the scheme"),
	without(nginx, "proxy_set_header X-Forwarded-Method $request_method;", "the method"),
	without(nginx, "proxy_set_header X-Forwarded-Uri    $request_uri;", "all that the proxy says"),
	without(nginx, "proxy_set_header X-Stepkey-User         $stepkey_user;", "all of our headers where nobody is signed in"),
	without(nginx, "proxy_set_header X-Stepkey-Name         $stepkey_name;", "all of our headers where nobody is signed in"),
	without(nginx, "proxy_set_header X-Stepkey-Email        $stepkey_email;", "all of our headers where nobody is signed in"),
	without(nginx, "proxy_set_header X-Stepkey-Groups       $stepkey_groups;", "all of our headers where nobody is signed in"),
	without(nginx, "proxy_set_header X-Stepkey-Level        $stepkey_level;", "all of our headers where nobody is signed in"),
	without(nginx, "proxy_set_header X-Stepkey-Passkey-Time $stepkey_passkey_time;", "all of our headers where nobody is signed in"),
	without(nginx, "proxy_set_header X-Stepkey-Assertion    $stepkey_assertion;", "all of our headers where nobody is signed in"),
	without(nginx, "proxy_set_header Cookie $app_cookies;", "the cookies of Stepkey"),
	without(nginx, `proxy_set_header X-Original-URL     "";`, "CVE-2018-14773"),
	without(nginx, `proxy_set_header X-Original-URI     "";`, "CVE-2018-14773"),
	without(nginx, `proxy_set_header X-Rewrite-URL      "";`, "CVE-2018-14773"),
	without(nginx, `proxy_set_header Forwarded          "";`, "RFC 7239"),
	without(nginx, `proxy_set_header X-Forwarded-Uri    "";`, "the method to an app that believes it"),
	without(nginx, `proxy_set_header X-Forwarded-Method "";`, "the method to an app that believes it"),
	without(nginx, `proxy_set_header X-Forwarded-Prefix "";`, "CVE-2026-35051"),
	without(nginx, `proxy_set_header X-Forwarded-Port   "";`, "CVE-2026-54764"),
	{nginx, edit{"$websocket;", "$http_upgrade;"}, "h2csmuggler", []edit{{"$websocket_connection;", "$http_connection;"}}},
	{nginx, edit{"    location /forward-auth {", "    location /elsewhere {"}, "/forward-auth of the pages' host", nil},

	{traefik3, edit{"aliasHeadersStrategy: reject", "aliasHeadersStrategy: keep"}, "a path in X_Original_URL", nil},
	without(traefik3, " && !HeaderRegexp(`Upgrade`, `^[^wW]|[^tT]$|,`)", "another protocol"),
	without(traefik3, "          - X-Stepkey-User\n", "all of our headers where nobody is signed in"),
	without(traefik3, "          - X-Stepkey-Assertion\n", "all of our headers where nobody is signed in"),
	without(traefik3, "          - Cookie\n", "the cookies of Stepkey"),
	without(traefik3, `X-Original-Url: ""`, "CVE-2018-14773"),
	without(traefik3, `X-Rewrite-Url: ""`, "CVE-2018-14773"),
	without(traefik3, `Forwarded: ""`, "RFC 7239"),
	without(traefik3, " && !PathPrefix(`/forward-auth`)", "/forward-auth of the pages' host"),
	{traefik3, edit{"trustForwardHeader: false", "trustForwardHeader: true"}, "all that the proxy says", []edit{{`address: ":443"`, "address: \":443\"\n    forwardedHeaders:\n      insecure: true"}}},
}

// Each line that is said to protect does: without it, one row does not hold.
func TestEachLineProtects(t *testing.T) {
	s := newSite(t)
	for _, l := range lines {
		if l.proxy.name == "traefik" && *traefik == "" {
			continue
		}
		at := slices.IndexFunc(corpus, func(r row) bool { return r.source == l.source })
		if at < 0 {
			t.Fatalf("the corpus has no row %q", l.source)
		}
		holds := func(t *testing.T, edits []edit) error {
			behind := s.behind(t, l.proxy.name)
			l.proxy.start(t, behind, edits...)
			return behind.send(corpus[at])
		}
		t.Run(l.proxy.name+" "+l.edit.old, func(t *testing.T) {
			if len(l.before) > 0 {
				if err := holds(t, l.before); err != nil {
					t.Errorf("with the line: %v", err)
				}
			}
			err := holds(t, append(slices.Clone(l.before), l.edit))
			if err == nil {
				t.Errorf("%q holds without the line", l.source)
			}
		})
	}
}
