package api_test

import (
	"strings"
	"testing"
)

// whatThePasswordMayDo is the table of docs/passkeys.md, for an account with a passkey: what
// each route with a bearer token answers to a session at level password. Those that are
// empty go through.
var whatThePasswordMayDo = map[string]string{
	"POST /auth/logout":                   "",
	"POST /auth/logout/all":               "step_up_required",
	"GET /auth/sessions":                  "",
	"DELETE /auth/sessions":               "step_up_required",
	"DELETE /auth/sessions/{id}":          "step_up_required",
	"DELETE /account":                     "step_up_required",
	"GET /account/export":                 "step_up_required",
	"GET /account/events":                 "",
	"POST /account/events/{id}/not-me":    "step_up_required",
	"POST /account/password":              "step_up_required",
	"GET /passkeys/register/options":      "step_up_required",
	"POST /passkeys/register/options":     "step_up_required",
	"POST /passkeys/register/verify":      "invalid_request",
	"GET /passkeys/authenticate/options":  "",
	"POST /passkeys/authenticate/options": "",
	"POST /passkeys/authenticate/verify":  "invalid_request",
	"GET /passkeys":                       "",
	"PATCH /passkeys/{id}":                "step_up_required",
	"DELETE /passkeys/{id}":               "step_up_required",
	"GET /account/email":                  "",
	"POST /account/email":                 "step_up_required",
	"DELETE /account/email":               "step_up_required",
	"GET /account/recovery":               "",
	"POST /account/recovery/codes":        "step_up_required",
	"POST /recovery/code":                 "wrong_recovery_code",
	"POST /recovery/passkey":              "no_address",
	"DELETE /recovery/passkey":            "step_up_required",
	"POST /recovery/passkey/finish":       "link_expired",
	"GET /users/profile":                  "",
	"GET /users/histories":                "step_up_required",
	"GET /passkeys/auth/options":          "",
	"POST /passkeys/auth/options":         "",
	"POST /passkeys/auth/verify":          "invalid_request",
}

// A route that is new has to be decided on: it is in the contract and not in the table.
func TestWhatThePasswordMayDo(t *testing.T) {
	c := newClient(t, start(t, newMailbox(t).settings()...))
	username := c.newUser()
	c.enrol(c.logIn(username))
	contract := decoded[struct {
		Paths map[string]map[string]struct {
			Security []map[string][]string
		}
	}](t, c.do("GET", "/openapi.json", nil).want(t, 200))
	bodies := map[string]m{
		"/account/password": {"newPassword": otherPassword}, "/account/email": {"email": "mira@example.com"},
		"/recovery/code": {"code": "0000-0000-0000-0000-0000-0000"}, "/recovery/passkey/finish": {"token": "none"},
	}
	for path, methods := range contract.Paths {
		for method, operation := range methods {
			method = strings.ToUpper(method)
			bearerOnly := len(operation.Security) > 0 && operation.Security[0]["bearer"] != nil
			if !bearerOnly || method == "HEAD" {
				continue
			}
			route := method + " " + path
			want, decided := whatThePasswordMayDo[route]
			if !decided {
				t.Errorf("%s is not in the table: decide what the password alone may do with it", route)
				continue
			}
			var body any
			switch sent, ok := bodies[path]; {
			case method == "PATCH":
				body = m{"name": "mine"}
			case ok && method == "POST":
				body = sent
			case strings.HasSuffix(path, "/verify"):
				body = m{}
			}
			a := c.do(method, strings.ReplaceAll(path, "{id}", noSession), body, bearer(c.logIn(username)))
			var problem struct{ Code string }
			if a.status >= 400 {
				a.decode(t, &problem)
			}
			if problem.Code != want {
				t.Errorf("%s: %d %q, want %q", route, a.status, problem.Code, want)
			}
		}
	}
}
