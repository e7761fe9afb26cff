package api_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

func decoded[T any](t testing.TB, a answer) (body T) {
	t.Helper()
	if err := json.Unmarshal(a.body, &body); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return body
}

// recoveryCodes makes new ones.
func (c *client) recoveryCodes(full string) []string {
	c.t.Helper()
	a := c.do("POST", "/account/recovery/codes", nil, bearer(full)).want(c.t, http.StatusCreated)
	return decoded[struct{ Codes []string }](c.t, a).Codes
}

func (c *client) codesLeft(token string) int {
	c.t.Helper()
	a := c.do("GET", "/account/recovery", nil, bearer(token)).want(c.t, http.StatusOK)
	return decoded[struct{ CodesLeft int }](c.t, a).CodesLeft
}

func TestRecoveryByCode(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		username := c.newUser()
		token := c.logIn(username)
		device := c.enrol(token)
		c.do("POST", "/account/recovery/codes", nil, bearer(token)).wantProblem(t, 403, "step_up_required")
		codes := c.recoveryCodes(c.stepUp(token, device))
		if len(codes) != 10 || c.codesLeft(token) != 10 {
			t.Fatalf("%d codes", len(codes))
		}

		c.do("POST", "/recovery/code", object("code", codes[0])).wantProblem(t, 401, "unauthorized")
		c.do("POST", "/recovery/code", object("code", "0000-0000"), bearer(token)).wantProblem(t, 403, "wrong_recovery_code")
		c.do("POST", "/recovery/code", object(), bearer(token)).wantProblem(t, 400, "invalid_request")
		recovered := make(chan string, 50)
		outcomes := atOnce(t, 50, func(i int) (answer, error) {
			a, err := c.try("POST", "/recovery/code", object("code", codes[i%10]), bearer(token))
			if err == nil && a.status == http.StatusCreated {
				recovered <- a.accessToken(t)
			}
			return a, err
		})
		if won := outcomes[outcome{http.StatusCreated, ""}]; won != 1 || outcomes[outcome{http.StatusInternalServerError, "internal"}] != 0 {
			t.Fatalf("of 50 codes: %v; want one to be taken", outcomes)
		}
		recovery := <-recovered
		c.profile(token).wantProblem(t, 401, "unauthorized")
		wantRecoveryOnly(t, c, recovery)
		fresh := c.logIn(username)
		if left := c.codesLeft(fresh); left != 9 {
			t.Errorf("%d codes left of ten of which one was used", left)
		}
		wantPasskeyWaits(t, c, recovery, fresh)
		c.do("POST", "/auth/logout", nil, bearer(recovery)).want(t, http.StatusOK)
		c.do("POST", "/passkeys/register/options", nil, bearer(recovery)).wantProblem(t, 401, "unauthorized")
		c.profile(fresh).want(t, http.StatusOK)
	})
}

// wantRecoveryOnly tries to do something else.
func wantRecoveryOnly(t *testing.T, c *client, recovery string) {
	t.Helper()
	for _, route := range [][2]string{
		{"GET", "/users/profile"},
		{"GET", "/auth/sessions"},
		{"POST", "/auth/logout/all"},
		{"POST", "/passkeys/authenticate/options"},
		{"POST", "/account/recovery/codes"},
		{"POST", "/recovery/passkey"},
		{"GET", "/account/export"},
		{"GET", "/account/events"},
		{"DELETE", "/account"},
	} {
		c.do(route[0], route[1], nil, bearer(recovery)).wantProblem(t, 403, "recovery_only")
	}
	c.do("GET", "/users/histories", nil, bearer(recovery)).wantProblem(t, 403, "step_up_required")
	c.do("POST", "/account/password", m{"newPassword": otherPassword}, bearer(recovery)).wantProblem(t, 403, "recovery_only")
}

// wantPasskeyWaits adds a passkey, which the user's other sessions must not be able to
// verify yet.
func wantPasskeyWaits(t *testing.T, c *client, recovery, token string) {
	t.Helper()
	device := authenticator.New(authenticator.Config{})
	a := c.finishRegistration(recovery, c.create(device, c.registerOptions(recovery))).want(t, http.StatusCreated)
	added := decoded[struct {
		Passkey struct{ UsableFrom time.Time }
	}](t, a).Passkey
	if wait := time.Until(added.UsableFrom); wait < 23*time.Hour || wait > 25*time.Hour {
		t.Errorf("the passkey waits %s", wait)
	}
	options := decoded[struct{ AllowCredentials []struct{ ID string } }](t, answer{body: c.stepUpOptions(token)})
	if n := len(options.AllowCredentials); n != 1 {
		t.Errorf("%d passkeys to choose from, want the one of before", n)
	}
}

func TestRecoveryByMail(t *testing.T) {
	box := newMailbox(t)
	db := database{t, pgtest.NewDatabase(t)}
	c := newClient(t, start(t, append(box.settings(), "DATABASE_URL="+db.dsn)...))
	stranger := c.newUser()
	c.do("POST", "/recovery/passkey", nil, bearer(c.logIn(stranger))).wantProblem(t, 403, "no_address")
	username, address := c.withEmail(box)
	device := c.enrol(c.logIn(username))
	token := c.logIn(username)
	type wait struct {
		StartedAt, ReadyAt time.Time
		LinkSent           bool
	}
	ask := func(token string) wait {
		t.Helper()
		return decoded[wait](t, c.do("POST", "/recovery/passkey", nil, bearer(token), forged).want(t, http.StatusAccepted))
	}
	begun := ask(token)
	if begun.LinkSent || begun.ReadyAt.Sub(begun.StartedAt) != 72*time.Hour {
		t.Errorf("begun: %+v", begun)
	}
	box.wait(address, "Someone is recovering your account")
	c.do("DELETE", "/recovery/passkey", nil, bearer(token)).wantProblem(t, 403, "step_up_required")
	full := c.stepUp(token, device)
	box.wait(address, "A recovery was stopped")
	c.do("DELETE", "/recovery/passkey", nil, bearer(full)).wantProblem(t, 404, "not_found")
	ask(token)
	db.exec(`UPDATE users SET recovery_ready_at = now() WHERE canonical_name = $1`, username)
	if !ask(token).LinkSent {
		t.Error("no link was sent after the wait")
	}
	link := box.token(address, "Get back into your account", c.origin, "/recover")
	finish := func(token string) answer {
		return c.do("POST", "/recovery/passkey/finish", object("token", link), bearer(token))
	}
	finish(c.logIn(stranger)).wantProblem(t, 400, "link_expired")
	recovery := finish(token).want(t, http.StatusCreated).accessToken(t)
	finish(c.logIn(username)).wantProblem(t, 400, "link_expired")
	c.profile(token).wantProblem(t, 401, "unauthorized")
	wantRecoveryOnly(t, c, recovery)
	wantPasskeyWaits(t, c, recovery, c.logIn(username))

	// Once no other is left, the page learns from when this one works.
	db.exec(`DELETE FROM passkeys WHERE usable_from IS NULL AND user_id = (SELECT id FROM users WHERE canonical_name = $1)`, username)
	waits := c.do("POST", "/passkeys/authenticate/options", nil, bearer(c.logIn(username))).wantProblem(t, 403, "passkey_waits")
	if until := decoded[struct{ UsableFrom time.Time }](t, waits).UsableFrom; time.Until(until) < 23*time.Hour {
		t.Errorf("usable from %s", until)
	}

	if code := c.forgot(box, username, address); c.finishReset(code, otherPassword).status != http.StatusOK {
		t.Fatal("the reset failed")
	}
	token = c.do("POST", "/auth/login", credentials(username, otherPassword)).accessToken(t)
	c.do("POST", "/recovery/passkey", nil, bearer(token)).wantProblem(t, 403, "password_by_mail")
}
