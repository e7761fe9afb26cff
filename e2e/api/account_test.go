package api_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const otherPassword = "quiet heron ladder"

func TestAccount(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		for name, test := range map[string]func(*testing.T, *client){
			"password is changed":                 passwordChanged,
			"password change that is refused":     passwordChangeRefused,
			"password of an account with passkey": passwordWithPasskey,
			"account is deleted":                  accountDeleted,
			"account with passkey is deleted":     accountWithPasskeyDeleted,
			"export":                              exported,
			"events, page by page":                eventsInPages,
		} {
			t.Run(name, func(t *testing.T) {
				of := *c
				of.t = t
				test(t, &of)
			})
		}
	})
}

func (c *client) changePassword(token string, body m) answer {
	return c.do("POST", "/account/password", body, bearer(token))
}

func passwordChanged(t *testing.T, c *client) {
	username := c.newUser()
	here, there := c.keptAlive(username), c.keptAlive(username)
	changed := c.changePassword(here.AccessToken, m{"currentPassword": testPassword, "newPassword": otherPassword}).tokens(t, http.StatusOK)
	c.profile(there.AccessToken).wantProblem(t, 401, "unauthorized")
	c.refresh(there.RefreshToken).wantProblem(t, 401, "unauthorized")
	c.refresh(here.RefreshToken).wantProblem(t, 401, "unauthorized")
	c.profile(here.AccessToken).want(t, http.StatusOK)
	c.refresh(changed.RefreshToken).want(t, http.StatusOK)
	c.do("POST", "/auth/login", credentials(username, testPassword)).wantProblem(t, 401, "unauthorized")
	c.do("POST", "/auth/login", credentials(username, otherPassword)).want(t, http.StatusCreated)
}

func passwordChangeRefused(t *testing.T, c *client) {
	username := c.newUser()
	token := c.logIn(username)
	c.do("POST", "/account/password", m{"newPassword": otherPassword}).wantProblem(t, 401, "unauthorized")
	for name, test := range map[string]struct {
		body   m
		status int
		code   string
	}{
		"no current password": {m{"newPassword": otherPassword}, 400, "invalid_request"},
		"no new password":     {m{"currentPassword": testPassword}, 400, "invalid_request"},
		"a number":            {m{"currentPassword": testPassword, "newPassword": 12345678}, 400, "invalid_request"},
		"wrong password":      {m{"currentPassword": otherPassword, "newPassword": otherPassword}, 403, "wrong_password"},
		"short password":      {m{"currentPassword": testPassword, "newPassword": "short"}, 400, "password_too_short"},
		"common password":     {m{"currentPassword": testPassword, "newPassword": "passwordpassword1"}, 400, "password_blocked"},
	} {
		t.Run(name, func(t *testing.T) { c.changePassword(token, test.body).wantProblem(t, test.status, test.code) })
	}
	c.logIn(username)
}

func passwordWithPasskey(t *testing.T, c *client) {
	token := c.signedIn()
	device := c.enrol(token)
	c.changePassword(token, m{"currentPassword": testPassword, "newPassword": otherPassword}).wantProblem(t, 403, "step_up_required")
	full := c.stepUp(token, device)
	c.changePassword(full, m{"newPassword": otherPassword}).want(t, http.StatusOK)
}

func accountDeleted(t *testing.T, c *client) {
	username := c.newUser()
	granted := c.keptAlive(username)
	c.do("DELETE", "/account", nil).wantProblem(t, 401, "unauthorized")
	c.do("DELETE", "/account", nil, bearer(granted.AccessToken)).want(t, http.StatusOK)
	c.profile(granted.AccessToken).wantProblem(t, 401, "unauthorized")
	c.refresh(granted.RefreshToken).wantProblem(t, 401, "unauthorized")
	c.do("POST", "/auth/login", credentials(username, testPassword)).wantProblem(t, 401, "unauthorized")
	c.do("POST", "/auth/signup", credentials(username, testPassword)).wantProblem(t, 409, "username_taken")
}

func accountWithPasskeyDeleted(t *testing.T, c *client) {
	token := c.signedIn()
	device := c.enrol(token)
	c.do("DELETE", "/account", nil, bearer(token)).wantProblem(t, 403, "step_up_required")
	c.do("DELETE", "/account", nil, bearer(c.stepUp(token, device))).want(t, http.StatusOK)
}

func exported(t *testing.T, c *client) {
	username := c.newUser()
	token := c.logIn(username)
	device := c.enrol(token)
	c.do("GET", "/account/export", nil, bearer(token)).wantProblem(t, 403, "step_up_required")
	a := c.do("GET", "/account/export", nil, bearer(c.stepUp(token, device))).want(t, http.StatusOK)
	var export struct {
		User               struct{ Username string }
		Passkeys, Sessions []struct{ ID string }
		Events             []struct{ Kind string }
	}
	a.decode(t, &export)
	if export.User.Username != username || len(export.Passkeys) != 1 || len(export.Sessions) != 1 || len(export.Events) != 5 {
		t.Errorf("export: %s", a.body)
	}
}

func eventsInPages(t *testing.T, c *client) {
	username := c.newUser()
	token := c.logIn(username)
	device := c.enrol(token)
	c.logIn(c.newUser())
	first := decoded[struct{ Next string }](t, c.do("GET", "/account/events?limit=1", nil, bearer(token)).want(t, http.StatusOK))
	c.do("GET", "/account/events?before="+first.Next, nil, bearer(token)).wantProblem(t, 403, "step_up_required")
	token = c.stepUp(token, device)
	type page struct {
		Events []struct{ Kind string }
		Next   string
	}
	var kinds []string
	for next := "?limit=2"; ; {
		got := decoded[page](t, c.do("GET", "/account/events"+next, nil, bearer(token)).want(t, http.StatusOK))
		for _, event := range got.Events {
			kinds = append(kinds, event.Kind)
		}
		if got.Next == "" {
			break
		}
		next = "?limit=2&before=" + got.Next
	}
	slices.Sort(kinds) // a registration and the step-up by it are at one time
	want := []string{"passkey.registered", "session.started", "session.stepped_up", "session.stepped_up", "user.signed_up"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, query := range []string{"limit=0", "limit=101", "before=mira"} {
		c.do("GET", "/account/events?"+query, nil, bearer(token)).wantProblem(t, 400, "invalid_request")
	}
}
