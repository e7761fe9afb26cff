package gate_test

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// violation says why a request must not have reached an app, or nothing if it may. It knows the rules of examples/gate, and
// nothing of how Stepkey reads a path: whatever any server may take the path for has to be allowed.
func violation(name string, a arrived, as string, sessions map[string]session) error {
	method, target := a.target()
	for _, reading := range readings(target, name == "shop") {
		if !mayReach(name, method, reading, as) {
			return fmt.Errorf("%s may be read as %s %s, which is not allowed", a.line, method, reading)
		}
	}
	for _, h := range a.headers {
		plain := regexp.MustCompile(`[^a-z0-9]`).ReplaceAllString(strings.ToLower(h.name), "-")
		switch {
		case strings.Contains(h.value, "forged"):
			return fmt.Errorf("the client's %s: %s has reached the app", h.name, h.value)
		case strings.HasPrefix(plain, "x-stepkey-") && plain != strings.ToLower(h.name):
			return fmt.Errorf("%s, another spelling of a header of ours, has reached the app", h.name)
		case plain == "x-original-url" || plain == "x-original-uri" || plain == "x-rewrite-url":
			return fmt.Errorf("%s, with another path, has reached the app", h.name)
		case plain == "cookie" && strings.Contains(h.value, "smuggled"):
			return fmt.Errorf("a cookie of another header has reached the app: %s", h.value)
		case plain == "upgrade" && !strings.EqualFold(h.value, "websocket"):
			return fmt.Errorf("Upgrade: %s has reached the app", h.value)
		}
	}
	want := sessions[as].id
	user := a.values("X-Stepkey-User")
	if open := want != "" && len(user) == 1 && user[0] == ""; open && mayReach(name, method, target, "") {
		want = "" // Stepkey says who it is only if somebody has to be signed in
	}
	if len(user) > 1 || (want != "" && !slices.Equal(user, []string{want})) || (want == "" && slices.Max(append(user, "")) != "") {
		return fmt.Errorf("X-Stepkey-User of %q is %q, want %q", as, user, want)
	}
	return nil
}

// mayReach are the rules of examples/gate for a plain path.
func mayReach(name, method, at, as string) bool {
	below := func(prefix string) bool { return at == prefix || strings.HasPrefix(at, prefix+"/") }
	get := method == "GET" || method == "HEAD"
	switch {
	case name == "app" && get && below("/public"), name == "shop" && get && below("/catalogue"):
		return true
	case as == "":
		return false
	case name == "app" && below("/internal"):
		return false
	case below("/admin"), name == "app" && below("/users") && method == "DELETE":
		return as == "noor"
	}
	return true
}

// readings returns what servers have been seen to read from a request target: each of these steps was taken by one, once
// or several times.
func readings(target string, blind bool) []string {
	target, _, _ = strings.Cut(target, "?")
	steps := []func(string) string{
		func(s string) string {
			if u, err := url.Parse(s); err == nil && u.Host != "" {
				return u.EscapedPath()
			}
			return s
		},
		decode,
		func(s string) string { return strings.ReplaceAll(s, `\`, "/") },
		func(s string) string { s, _, _ = strings.Cut(s, "#"); return s },
		func(s string) string { s, _, _ = strings.Cut(s, "?"); return s },
		func(s string) string { s, _, _ = strings.Cut(s, "\x00"); return s },
		func(s string) string { return regexp.MustCompile(`;[^/]*`).ReplaceAllString(s, "") },
		func(s string) string { return regexp.MustCompile(`//+`).ReplaceAllString(s, "/") },
		func(s string) string { return regexp.MustCompile(`[ .\t\r\n]*(/|$)`).ReplaceAllString(s, "$1") },
		func(s string) string { return regexp.MustCompile(`/[ \t]+`).ReplaceAllString(s, "/") },
		path.Clean,
		func(s string) string { return "/" + strings.TrimLeft(s, "/") },
		func(s string) string {
			return strings.NewReplacer("\xc0\xaf", "/", "\xe0\x80\xaf", "/", "\xc0\xae", ".").Replace(s)
		},
	}
	if blind {
		steps = append(steps, strings.ToLower)
	}
	seen := []string{target}
	for i := 0; i < len(seen) && i < 200; i++ {
		for _, step := range steps {
			if next := step(seen[i]); next != "" && !slices.Contains(seen, next) {
				seen = append(seen, next)
			}
		}
	}
	return slices.DeleteFunc(seen, func(s string) bool {
		// A path that has to be read on: no server uses it as it is, if it did nothing else.
		return s != path.Clean("/"+s) && !strings.HasPrefix(s, "/public") && !strings.HasPrefix(s, "/catalogue")
	})
}

// decode undoes percent-encoding where it is valid.
func decode(s string) string {
	return regexp.MustCompile(`%[0-9A-Fa-f]{2}`).ReplaceAllStringFunc(s, func(code string) string {
		text, err := url.PathUnescape(code)
		if err != nil {
			return code
		}
		return text
	})
}
