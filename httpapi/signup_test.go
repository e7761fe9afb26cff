package httpapi

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stepkey/stepkey"
)

// A closed sign-up is in no document, and says so when it is called, whatever the call.
func TestClosedSignUp(t *testing.T) {
	closed := newServiceWith(t, func(c *stepkey.Config) { c.SignUp = stepkey.SignUpClosed })
	for _, test := range []struct {
		name string
		h    http.Handler
	}{
		{"by the config", newHandler(closed, Options{})},
		{"by the option", newHandler(newService(t), Options{NoSignUp: true})},
	} {
		t.Run(test.name, func(t *testing.T) {
			if slices.Contains(servedOperations(t, test.h), "POST /auth/signup") {
				t.Error("the document has sign-up")
			}
			const mira = `{"username":"mira","password":"correct horse battery"}`
			wantStatus(t, "sign-up", send(test.h, "POST", "/auth/signup", mira), 404, "sign_up_closed")
			wantStatus(t, "no body", send(test.h, "POST", "/auth/signup", ""), 404, "sign_up_closed")
			wantStatus(t, "GET", send(test.h, "GET", "/auth/signup", ""), 404, "sign_up_closed")
			wantStatus(t, "sign-in", send(test.h, "POST", "/auth/login", mira), 401, "unauthorized")
		})
	}
}
