package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

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

// Without an invitation nobody signs up, and with one it is answered as ever.
func TestSignUpByInvitation(t *testing.T) {
	service := newServiceWith(t, func(c *stepkey.Config) { c.SignUp = stepkey.SignUpInvite })
	_, link, err := service.Admin().Invite(t.Context(), stepkey.InviteRequest{Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	_, invitation, _ := strings.Cut(link, "#")
	h := newHandler(service, Options{})
	const mira = `{"username":"mira","password":"correct horse battery"`
	wantStatus(t, "none", send(h, "POST", "/auth/signup", mira+`}`), 403, "invitation_required")
	wantStatus(t, "empty", send(h, "POST", "/auth/signup", mira+`,"invitation":""}`), 403, "invitation_required")
	wantStatus(t, "a number", send(h, "POST", "/auth/signup", mira+`,"invitation":1}`), 400, "invalid_request")
	wantStatus(t, "unknown", send(h, "POST", "/auth/signup", mira+`,"invitation":"nothing"}`), 400, "invitation_invalid")
	if status := send(h, "POST", "/auth/signup", mira+`,"invitation":"`+invitation+`"}`).StatusCode; status != http.StatusCreated {
		t.Errorf("with an invitation: %d", status)
	}
	noor := strings.Replace(mira, "mira", "noor", 1)
	wantStatus(t, "used", send(h, "POST", "/auth/signup", noor+`,"invitation":"`+invitation+`"}`), 400, "invitation_invalid")
}
