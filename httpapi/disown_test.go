package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// eventOf is the id of the newest event of a kind.
func (f *refusals) eventOf(kind string) string {
	f.Helper()
	for _, e := range pageOf(f.T, send(f, "GET", "/account/events", "", "Authorization", f.bearer)).Events {
		if e["kind"] == kind {
			id, _ := e["id"].(string)
			return id
		}
	}
	f.Fatalf("there is no event %s", kind)
	return ""
}

// wantDisowned presses "This was not me" and compares what was done.
func (f *refusals) wantDisowned(what, id string, ended float64, passwordStopped, newPassword bool) {
	f.Helper()
	r := send(f, "POST", "/account/events/"+id+"/not-me", "", "Authorization", f.bearer)
	var got map[string]any
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.StatusCode != 200 {
		f.Fatalf("%s: %d %v, %v", what, r.StatusCode, got, err)
	}
	want := map[string]any{"success": true, "sessionsEnded": ended, "passkeyDeleted": false, "passwordStopped": passwordStopped, "newPassword": newPassword}
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// "This was not me" says what it has done, about a sign-in of somebody else and about a failed attempt; others may not press it.
func TestDisown(t *testing.T) {
	f := newRefusals(t)
	path := func(id string) string { return "/account/events/" + id + "/not-me" }
	stranger := "Bearer " + tokensOf(t, logInWith(f, "")).AccessToken
	signedIn := f.eventOf("session.started")
	wantStatus(t, "nobody", send(f, "POST", path(signedIn), ""), 401, "unauthorized")
	wantStatus(t, "a password alone", send(f, "POST", path(signedIn), "", "Authorization", stranger), 403, "step_up_required")
	wantStatus(t, "no event", send(f, "POST", path(uuid.NewString()), "", "Authorization", f.bearer), 404, "not_found")
	wantStatus(t, "no id", send(f, "POST", path("mine"), "", "Authorization", f.bearer), 404, "not_found")
	wantStatus(t, "GET", send(f, "GET", path(signedIn), "", "Authorization", f.bearer), 405, "method_not_allowed")
	wantStatus(t, "the session of the stranger so far", send(f, "GET", "/auth/sessions", "", "Authorization", stranger), 200, "")

	wantStatus(t, "a wrong password", send(f, "POST", "/auth/login", `{"username":"mira","password":"not her password"}`), 401, "unauthorized")
	f.wantDisowned("a failed attempt", f.eventOf("password.refused"), 0, false, false)
	wantStatus(t, "the session of the stranger afterwards", send(f, "GET", "/auth/sessions", "", "Authorization", stranger), 200, "")

	f.wantDisowned("a sign-in", signedIn, 1, true, true)
	wantStatus(t, "the session of the stranger", send(f, "GET", "/auth/sessions", "", "Authorization", stranger), 401, "unauthorized")
	wantStatus(t, "the owner's", send(f, "GET", "/auth/sessions", "", "Authorization", f.bearer), 200, "")
	wantStatus(t, "the password", logInWith(f, ""), 401, "unauthorized")
	if id := f.eventOf("account.frozen"); id == "" {
		t.Error("it is not in the log")
	}
}

// The event of somebody else is none. Without a passkey, an owner can end the other sessions and no more.
func TestDisownWithoutPasskey(t *testing.T) {
	f := newRefusals(t)
	id := f.eventOf("session.started")
	send(f, "POST", "/auth/signup", `{"username":"noor","password":"correct horse battery"}`)
	logIn := func() string {
		return "Bearer " + tokensOf(t, send(f, "POST", "/auth/login", `{"username":"noor","password":"correct horse battery"}`)).AccessToken
	}
	stranger := logIn()
	f.bearer = logIn()
	wantStatus(t, "mira's", send(f, "POST", "/account/events/"+id+"/not-me", "", "Authorization", f.bearer), 404, "not_found")
	f.wantDisowned("a sign-in", f.eventOf("session.started"), 1, false, true)
	wantStatus(t, "the session of the stranger", send(f, "GET", "/auth/sessions", "", "Authorization", stranger), 401, "unauthorized")
	logIn()
}
