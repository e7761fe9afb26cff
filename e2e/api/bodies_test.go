package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// testBodies holds how a body is read, at every path that takes one.
func testBodies(t *testing.T, c *client) {
	token := c.signedIn()
	for _, path := range []string{
		"/auth/signup", "/auth/login", "/auth/signin", "/passkeys/register/verify",
		"/passkeys/authenticate/verify", "/passkeys/auth/verify",
		"/account/email", "/account/email/verify", "/recovery/password", "/recovery/password/finish", "/recovery/freeze",
	} {
		member, value := "username", `"q"`
		if strings.HasPrefix(path, "/passkeys") {
			member, value = "type", `"public-key"`
		}
		for _, tt := range []struct {
			name, body string
			edits      []edit
			status     int
			code       string
		}{
			{"nothing", "", nil, 400, "invalid_request"},
			{"empty object", "{}", nil, 400, "invalid_request"},
			{"null", "null", nil, 400, "invalid_request"},
			{"array", "[]", nil, 400, "invalid_request"},
			{"array of the body", `[{"` + member + `":` + value + `}]`, nil, 400, "invalid_request"},
			{"text", `"` + member + `"`, nil, 400, "invalid_request"},
			{"number", "1e999", nil, 400, "invalid_request"},
			{"cut off", `{"` + member + `":`, nil, 400, "invalid_request"},
			{"single quotes", `{'` + member + `':'q'}`, nil, 400, "invalid_request"},
			{"comment", `{"` + member + `":` + value + `/**/}`, nil, 400, "invalid_request"},
			{"comma at the end", `{"` + member + `":` + value + `,}`, nil, 400, "invalid_request"},
			{"invalid UTF-8", "{\"" + member + "\":\"\xff\xfe\"}", nil, 400, "invalid_request"},
			{"half a surrogate pair", `{"` + member + `":"\ud800"}`, nil, 400, "invalid_request"},
			{"UTF-16", "\xff\xfe{\x00}\x00", nil, 400, "invalid_request"},
			{"NUL", "{}\x00", nil, 400, "invalid_request"},
			{"deep nesting", strings.Repeat("[", 10_000) + strings.Repeat("]", 5_000), nil, 400, "invalid_request"},
			{"deep nesting in an ignored member", `{"x":` + strings.Repeat(`{"x":`, 2_000) + "1" + strings.Repeat("}", 2_001), nil, 400, "invalid_request"},
			{"1 MB", `{"` + member + `":"` + strings.Repeat("q", 1<<20) + `"}`, nil, 413, "payload_too_large"},
			{"1 MB of white space", strings.Repeat(" ", 1<<20), nil, 413, "payload_too_large"},
			{"no Content-Type", "{}", []edit{func(r *http.Request) { r.Header.Del("Content-Type") }}, 415, "unsupported_media_type"},
			{"text/plain", "{}", []edit{header("Content-Type", "text/plain")}, 415, "unsupported_media_type"},
			{"form", "a=b", []edit{header("Content-Type", "application/x-www-form-urlencoded")}, 415, "unsupported_media_type"},
			{"multipart", "--b", []edit{header("Content-Type", "multipart/form-data; boundary=b")}, 415, "unsupported_media_type"},
			{"almost JSON", "{}", []edit{header("Content-Type", "application/jsonp")}, 415, "unsupported_media_type"},
			{"broken Content-Type", "{}", []edit{header("Content-Type", "application/json;;;=")}, 415, "unsupported_media_type"},
			{"compressed", "\x1f\x8b\x08", []edit{header("Content-Encoding", "gzip")}, 415, "unsupported_media_type"},
		} {
			t.Run(path+" "+tt.name, func(t *testing.T) {
				c.do("POST", path, tt.body, append(tt.edits, bearer(token))...).wantProblem(t, tt.status, tt.code)
			})
		}
	}
	c.refuseTwistedCredentials(t)
}

// refuseTwistedCredentials sends credentials that would do, but for one thing.
func (c *client) refuseTwistedCredentials(t *testing.T) {
	username := c.newUser()
	name := `"username":"` + username + `"`
	const password = `"password":"` + testPassword + `"`
	for _, tt := range []struct{ name, body string }{
		{"trailing data", `{` + name + `,` + password + `}{}`},
		{"trailing bracket", `{` + name + `,` + password + `}]`},
		{"member twice", `{` + name + `,` + name + `,` + password + `}`},
		{"password twice", `{` + name + `,"password":"x",` + password + `}`},
		{"member twice, escaped", `{` + name + `,` + password + `,"p\u0061ssword":"x"}`},
		{"member in another case", `{"Username":"` + username + `",` + password + `}`},
		{"member in two cases", `{` + name + `,` + password + `,"PASSWORD":"x"}`},
		{"ignored member twice", `{` + name + `,` + password + `,"x":1,"x":2}`},
		{"ignored members twice inside", `{` + name + `,` + password + `,"x":{"y":1,"y":2}}`},
		{"name a number", `{"username":7,` + password + `}`},
		{"name an array", `{"username":["` + username + `"],` + password + `}`},
		{"name an object", `{"username":{"$ne":""},` + password + `}`},
		{"name null", `{"username":null,` + password + `}`},
		{"name true", `{"username":true,` + password + `}`},
		{"name missing", `{` + password + `}`},
		{"password an array", `{` + name + `,"password":["` + testPassword + `"]}`},
	} {
		for _, path := range []string{"/auth/login", "/auth/signin", "/auth/signup"} {
			t.Run(tt.name+path, func(t *testing.T) {
				c.do("POST", path, tt.body).wantProblem(t, 400, "invalid_request")
			})
		}
	}
	c.do("POST", "/auth/login", `{`+name+`,`+password+`}`).accessToken(t)
}
