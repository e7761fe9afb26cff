package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

type passkeyList struct {
	Passkeys []struct {
		ID, Name, Provider, CredentialID string
		BackupEligible, Synced           *bool
		Transports                       []string
		CreatedAt                        string
		LastUsedAt                       *string
	}
	RPID, UserHandle, Username string
}

func (c *client) passkeys(token string) (list passkeyList) {
	c.t.Helper()
	c.do("GET", "/passkeys", nil, bearer(token)).want(c.t, http.StatusOK).decode(c.t, &list)
	return list
}

func TestPasskeysAreManaged(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		username := c.newUser()
		token := c.logIn(username)
		if got := c.passkeys(token); got.Passkeys == nil || len(got.Passkeys) != 0 {
			t.Errorf("without a passkey: %+v", got)
		}
		phone := authenticator.New(authenticator.Config{
			AAGUID:     [16]byte{0xea, 0x9b, 0x8d, 0x66, 0x4d, 0x01, 0x1d, 0x21, 0x3c, 0xe4, 0xb6, 0xb4, 0x8c, 0xb5, 0x75, 0xd4},
			Transports: []string{"internal", "hybrid"}, BackupEligible: true, BackedUp: true,
		})
		c.finishRegistration(token, c.create(phone, c.registerOptions(token))).want(t, http.StatusCreated)
		list := c.passkeys(token)
		first := list.Passkeys[0]
		if first.Name != "Google Password Manager" || first.Provider != first.Name || !*first.BackupEligible || !*first.Synced ||
			fmt.Sprint(first.Transports) != "[internal hybrid]" || first.LastUsedAt == nil || list.RPID+list.UserHandle+list.Username != "" {
			t.Errorf("at level password: %+v", list)
		}
		path := "/passkeys/" + first.ID
		c.do("PATCH", path, object("name", "Phone"), bearer(token)).wantProblem(t, 403, "step_up_required")
		c.do("DELETE", path, nil, bearer(token)).wantProblem(t, 403, "step_up_required")

		full := c.stepUp(token, phone)
		if list = c.passkeys(full); list.RPID != "localhost" || list.UserHandle == "" || list.Username != username {
			t.Errorf("at level full: %+v", list)
		}
		c.enrol(full)
		list = c.passkeys(full)
		// The second is called after what asked for it, which here is no browser but Go.
		if second := list.Passkeys[1]; len(list.Passkeys) != 2 || second.Name != "Go" || second.Provider != "" || *second.BackupEligible || *second.Synced {
			t.Errorf("two: %+v", list)
		}
		for _, body := range []string{`{}`, `{"name":null}`, `{"name":""}`, `{"name":1}`, `{"Name":"x"}`, `{"name":"\u200b"}`} {
			c.do("PATCH", path, body, bearer(full)).wantProblem(t, 400, "invalid_request")
		}
		var renamed struct {
			Success bool
			Passkey struct{ ID, Name string }
			RPID    string
		}
		c.do("PATCH", path, object("name", " Phone "), bearer(full)).want(t, http.StatusOK).decode(t, &renamed)
		if !renamed.Success || renamed.Passkey.ID != first.ID || renamed.Passkey.Name != "Phone" || renamed.RPID != "localhost" {
			t.Errorf("renamed: %+v", renamed)
		}

		other := c.signedIn()
		theirs := c.stepUp(other, c.enrol(other))
		for _, foreign := range []string{path, "/passkeys/" + noSession, "/passkeys/x"} {
			c.do("PATCH", foreign, object("name", "Stolen"), bearer(theirs)).wantProblem(t, 404, "not_found")
			c.do("DELETE", foreign, nil, bearer(theirs)).wantProblem(t, 404, "not_found")
		}

		var left passkeyList
		c.do("DELETE", "/passkeys/"+list.Passkeys[1].ID, nil, bearer(full)).want(t, http.StatusOK).decode(t, &left)
		if len(left.Passkeys) != 1 || left.Passkeys[0].Name != "Phone" || left.UserHandle != list.UserHandle {
			t.Errorf("left: %+v", left)
		}
		c.do("DELETE", path, nil, bearer(full)).wantProblem(t, 409, "last_passkey")
		c.do("DELETE", path+"?last=1", nil, bearer(full)).wantProblem(t, 409, "last_passkey")
		c.do("DELETE", path+"?last=true", nil, bearer(full)).want(t, http.StatusOK)
		if got := c.passkeys(full); len(got.Passkeys) != 0 || got.RPID != "" {
			t.Errorf("after the last: %+v", got)
		}
	})
}

// A session stepped up with a passkey that was deleted is refused at once by guards and by refresh.
func TestDeletedPasskeyEndsItsStepUps(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		username := c.newUser()
		token := c.logIn(username)
		device := c.enrol(token)
		full, other := c.stepUp(token, device), c.stepUp(c.logIn(username), device)
		alone := c.passkeyLogIn(device).accessToken(t)
		c.do("DELETE", "/passkeys/"+c.passkeys(full).Passkeys[0].ID+"?last=true", nil, bearer(full)).want(t, http.StatusOK)
		for _, gone := range []string{other, alone} {
			c.do("GET", "/users/profile", nil, bearer(gone)).wantProblem(t, 401, "unauthorized")
		}
		c.do("GET", "/users/profile", nil, bearer(full)).want(t, http.StatusOK)
	})
}

func (c *client) logInOptions() []byte {
	c.t.Helper()
	return c.do("POST", "/passkeys/login/options", nil).want(c.t, http.StatusOK).body
}

func (c *client) passkeyLogIn(device *authenticator.Authenticator, edits ...edit) answer {
	c.t.Helper()
	return c.do("POST", "/passkeys/login/verify", c.get(device, c.logInOptions()), edits...)
}

func TestPasskeyLogIn(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		username := c.newUser()
		device := c.enrol(c.logIn(username))
		a := c.passkeyLogIn(device)
		var got struct {
			TokenType, AuthLevel, RefreshToken string
			ExpiresIn                          int
		}
		a.want(t, http.StatusCreated).decode(t, &got)
		if got.TokenType != "Bearer" || got.AuthLevel != "full" || got.ExpiresIn != 900 || got.RefreshToken != "" {
			t.Errorf("%s", a.body)
		}
		token := a.accessToken(t)
		var claims struct {
			Username     string
			Amr          []string
			PasswordTime *int64 `json:"password_time"`
		}
		c.do("GET", "/users/profile", nil, bearer(token)).want(t, http.StatusOK).decode(t, &claims)
		if claims.Username != username || fmt.Sprint(claims.Amr) != "[pop swk user mfa phr]" || claims.PasswordTime != nil {
			t.Errorf("claims %+v", claims)
		}
		c.do("GET", "/users/histories", nil, bearer(token)).want(t, http.StatusOK)

		asking := func(mode string) []byte {
			return with(t, c.get(device, c.logInOptions()), func(members map[string]any) { members["refresh"] = mode })
		}
		c.do("POST", "/passkeys/login/verify", asking("body")).want(t, http.StatusCreated).decode(t, &got)
		if got.RefreshToken == "" {
			t.Error("no refresh token in the body")
		}
		c.do("POST", "/passkeys/login/verify", asking("cookie")).wantProblem(t, 403, "cross_site")
		kept := c.do("POST", "/passkeys/login/verify", asking("cookie"), header("Origin", s.origin)).want(t, http.StatusCreated)
		if cookies := kept.header.Values("Set-Cookie"); len(cookies) != 2 {
			t.Errorf("cookies %q, want those of session and device", cookies)
		}
		c.do("POST", "/passkeys/login/verify", with(t, c.get(device, c.logInOptions()), func(m map[string]any) { m["refresh"] = "x" })).
			wantProblem(t, 400, "invalid_request")
	})
}

func TestOneOfManyReplaysOfAPasskeyLogInWins(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		response := c.get(c.enrol(c.signedIn()), c.logInOptions())
		outcomes := atOnce(t, 50, func(int) (answer, error) { return c.try("POST", "/passkeys/login/verify", response) })
		wantOutcomes(t, outcomes, map[outcome]int{{http.StatusCreated, ""}: 1, {http.StatusBadRequest, "challenge_expired"}: 49})
	})
}

// EN-6: nobody learns by a passkey sign-in which passkeys and users there are.
func TestPasskeyLogInRefusalsAreAlike(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		token := c.signedIn()
		device := c.enrol(token)
		stranger, disabled := newDevice(), newDevice()
		c.create(stranger, c.registerOptions(c.signedIn()))
		username := c.newUser()
		out := c.logIn(username)
		c.finishRegistration(out, c.create(disabled, c.registerOptions(out))).want(t, http.StatusCreated)
		inner := func(change func(map[string]any)) func(map[string]any) {
			return func(members map[string]any) { change(members["response"].(map[string]any)) }
		}
		good := func(device *authenticator.Authenticator) []byte { return c.get(device, c.logInOptions()) }
		cases := map[string][]byte{
			"no user handle":      with(t, good(device), inner(func(m map[string]any) { delete(m, "userHandle") })),
			"foreign user handle": with(t, good(device), inner(func(m map[string]any) { m["userHandle"] = "Zm9yZWlnbg" })),
			"bad signature":       with(t, good(device), inner(func(m map[string]any) { m["signature"] = "MEUCIQ" })),
			"disabled user":       good(disabled),
		}
		s.admin(t, "user", "disable", username)
		var first []byte
		for name, body := range cases {
			a := c.do("POST", "/passkeys/login/verify", body).wantProblem(t, 401, "verification_failed")
			if first == nil {
				first = a.body
			}
			if !bytes.Equal(first, a.body) {
				t.Errorf("%s: %s\nand another: %s", name, a.body, first)
			}
		}
		c.do("POST", "/passkeys/login/verify", good(stranger)).wantProblem(t, 401, "passkey_unknown")
		if options := c.logInOptions(); !bytes.Contains(options, []byte(`"allowCredentials":[]`)) {
			t.Errorf("the options name a passkey: %s", options)
		}
	})
}

func TestPasskeyLogInSwitchedOff(t *testing.T) {
	c := newClient(t, start(t, "STEPKEY_PASSKEY_LOGIN=off"))
	c.do("POST", "/passkeys/login/options", nil).wantProblem(t, 404, "passkey_login_off")
	token := c.signedIn()
	c.do("POST", "/passkeys/login/verify", c.get(c.enrol(token), c.stepUpOptions(token))).wantProblem(t, 404, "passkey_login_off")
}

func TestWellKnownPages(t *testing.T) {
	s := start(t)
	c := newClient(t, s)
	var pages struct{ Enroll, Manage string }
	c.do("GET", "/.well-known/passkey-endpoints", nil).want(t, http.StatusOK).decode(t, &pages)
	if pages.Enroll != s.origin+"/account" || pages.Manage != pages.Enroll {
		t.Errorf("%+v", pages)
	}
	a := c.do("GET", "/.well-known/change-password", nil).want(t, http.StatusFound)
	if got := a.header.Get("Location"); got != "/account#password" {
		t.Errorf("Location %q", got)
	}
}
