package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// noSession is an id that no session has.
const noSession = "6f1d2b0a-7b5f-4f53-9d0c-3f6f2b1c9e11"

const introspectionSecret = "a secret of thirty-two bytes or more"

// tokens is what a sign-in, a refresh or a step-up answers.
type tokens struct{ AccessToken, RefreshToken, AuthLevel string }

func (a answer) tokens(t testing.TB, status int) (granted tokens) {
	t.Helper()
	a.want(t, status).decode(t, &granted)
	return granted
}

// keptAlive signs somebody in who keeps the refresh token.
func (c *client) keptAlive(username string) tokens {
	c.t.Helper()
	body := edited(credentials(username, testPassword), m{"refresh": "body"})
	granted := c.do("POST", "/auth/login", body).tokens(c.t, http.StatusCreated)
	if granted.RefreshToken == "" {
		c.t.Fatal("no refresh token")
	}
	return granted
}

func (c *client) refresh(refreshToken string) answer {
	c.t.Helper()
	return c.do("POST", "/auth/refresh", m{"refreshToken": refreshToken})
}

func (c *client) profile(token string) answer {
	c.t.Helper()
	return c.do("GET", "/users/profile", nil, bearer(token))
}

// form sends a token as OAuth's clients do.
func (c *client) form(path, token string, edits ...edit) answer {
	c.t.Helper()
	edits = append(edits, header("Content-Type", "application/x-www-form-urlencoded"))
	return c.do("POST", path, url.Values{"token": {token}}.Encode(), edits...)
}

func TestSessions(t *testing.T) {
	for _, backend := range backends {
		t.Run(backend.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, append(backend.settings(t), "STEPKEY_INTROSPECTION_SECRET="+introspectionSecret)...)
			for _, tt := range []struct {
				name string
				test func(*testing.T, *client)
			}{
				{"a client that does not ask gets no refresh token", notAsked},
				{"body mode", bodyMode},
				{"cookie mode", cookieMode},
				{"cookie mode is for our own pages", cookieModeCrossSite},
				{"a sign-in replaces the cookie's session", cookieReplaced},
				{"step-up ends the refresh token from before", stepUpMovesRefresh},
				{"log out", logOut},
				{"log out everywhere", logOutEverywhere},
				{"list and end", listAndEnd},
				{"revoke", revoke},
				{"introspect", introspect},
			} {
				t.Run(tt.name, func(t *testing.T) { tt.test(t, newClient(t, s)) })
			}
		})
	}
}

// The contract of the original is as it was before there were refresh tokens.
func notAsked(t *testing.T, c *client) {
	username := c.newUser()
	for _, path := range []string{"/auth/login", "/auth/signin"} {
		wantAccessTokenOnly(t, c.do("POST", path, credentials(username, testPassword)))
	}
	token := c.logIn(username)
	device := c.enrol(token)
	wantAccessTokenOnly(t, c.finishStepUp(token, c.get(device, c.stepUpOptions(token))))
	c.do("POST", "/auth/refresh", m{}).wantProblem(t, 401, "unauthorized")
	for _, mode := range []any{"both", 1, true} {
		body := edited(credentials(username, testPassword), m{"refresh": mode})
		c.do("POST", "/auth/login", body).wantProblem(t, 400, "invalid_request")
	}
}

func wantAccessTokenOnly(t *testing.T, a answer) {
	t.Helper()
	var members map[string]any
	a.want(t, http.StatusCreated).decode(t, &members)
	want := []string{"accessToken", "authLevel", "expiresIn", "tokenType"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(members))); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if cookies := a.cookies(deviceCookie); len(cookies) > 0 {
		t.Errorf("cookies %q", cookies)
	}
}

// deviceCookie begins the names of the cookies by which a device is known again.
const deviceCookie = "stepkey-device-"

// cookies are those that an answer sets, but for those whose names begin so.
func (a answer) cookies(but string) (cookies []*http.Cookie) {
	for _, k := range (&http.Response{Header: a.header}).Cookies() {
		if !strings.HasPrefix(k.Name, but) {
			cookies = append(cookies, k)
		}
	}
	return cookies
}

func bodyMode(t *testing.T, c *client) {
	first := c.keptAlive(c.newUser())
	a := c.refresh(first.RefreshToken)
	second := a.tokens(t, http.StatusOK)
	if second.RefreshToken == first.RefreshToken || second.RefreshToken == "" || second.AuthLevel != "password" {
		t.Errorf("%+v after %+v", second, first)
	}
	if cookies := a.header.Values("Set-Cookie"); len(cookies) > 0 {
		t.Errorf("cookies %q", cookies)
	}
	before, after := claimsOf(t, first.AccessToken), claimsOf(t, second.AccessToken)
	for _, name := range []string{"sub", "sid", "authLevel", "auth_time", "password_time"} {
		if before[name] != after[name] {
			t.Errorf("%s was %v and is %v", name, before[name], after[name])
		}
	}
	if before["jti"] == after["jti"] {
		t.Error("one jti in two tokens")
	}
	c.profile(second.AccessToken).want(t, http.StatusOK)

	for name, token := range map[string]string{
		"empty":            "",
		"cut":              second.RefreshToken[:60],
		"an access token":  second.AccessToken,
		"another spelling": second.RefreshToken + "=",
	} {
		t.Run(name, func(t *testing.T) { c.refresh(token).wantProblem(t, 401, "unauthorized") })
	}
	c.refresh(second.RefreshToken).want(t, http.StatusOK)
}

// refreshCookie is the cookie that an answer sets, held to its attributes.
func (a answer) refreshCookie(t *testing.T) *http.Cookie {
	t.Helper()
	cookies := a.cookies(deviceCookie)
	if len(cookies) != 1 {
		t.Fatalf("cookies %q", a.header.Values("Set-Cookie"))
	}
	k := cookies[0]
	if !regexp.MustCompile(`^stepkey-refresh-\d+$`).MatchString(k.Name) || k.Path != "/" || k.Domain != "" ||
		k.Secure || !k.HttpOnly || k.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie %s", k.Raw)
	}
	return k
}

func cookie(k *http.Cookie) edit { return header("Cookie", k.Name+"="+k.Value) }

// cookieLogIn signs somebody in as a page of ours does.
func (c *client) cookieLogIn(t *testing.T, username string) (tokens, *http.Cookie) {
	t.Helper()
	body := edited(credentials(username, testPassword), m{"refresh": "cookie"})
	a := c.do("POST", "/auth/login", body, header("Origin", c.origin))
	return a.tokens(t, http.StatusCreated), a.refreshCookie(t)
}

func cookieMode(t *testing.T, c *client) {
	origin := header("Origin", c.origin)
	granted, first := c.cookieLogIn(t, c.newUser())
	if granted.RefreshToken != "" || first.MaxAge <= 0 {
		t.Errorf("refresh token %q in the body, cookie %s", granted.RefreshToken, first.Raw)
	}
	a := c.do("POST", "/auth/refresh", m{}, cookie(first), origin)
	second := a.refreshCookie(t)
	if refreshed := a.tokens(t, http.StatusOK); refreshed.RefreshToken != "" || second.Value == first.Value {
		t.Errorf("refresh token %q in the body, cookie %s", refreshed.RefreshToken, second.Raw)
	}
	a = c.do("POST", "/auth/refresh", m{}, cookie(second), header("Sec-Fetch-Site", "same-origin"))
	third := a.want(t, http.StatusOK).refreshCookie(t)

	both := m{"refreshToken": third.Value}
	c.do("POST", "/auth/refresh", both, cookie(third), origin).wantProblem(t, 400, "two_refresh_tokens")
	a = c.do("POST", "/auth/logout", nil, cookie(third), origin).want(t, http.StatusOK)
	if cleared := a.refreshCookie(t); cleared.Value != "" || cleared.MaxAge >= 0 {
		t.Errorf("logging out sets %s", cleared.Raw)
	}
	c.do("POST", "/auth/refresh", m{}, cookie(third), origin).wantProblem(t, 401, "unauthorized")
	c.profile(granted.AccessToken).wantProblem(t, 401, "unauthorized")
}

func cookieReplaced(t *testing.T, c *client) {
	origin := header("Origin", c.origin)
	owner, here := c.cookieLogIn(t, c.newUser())
	username := c.newUser()
	device := c.enrol(c.logIn(username))
	logIn := func(password string, edits ...edit) answer {
		return c.do("POST", "/auth/login", edited(credentials(username, password), m{"refresh": "cookie"}), edits...)
	}
	logIn("wrong horse battery", cookie(here), origin).wantProblem(t, 401, "unauthorized")
	logIn(testPassword, cookie(here), header("Origin", "https://localhost.example")).wantProblem(t, 403, "cross_site")
	c.profile(owner.AccessToken).want(t, http.StatusOK)

	a := logIn(testPassword, cookie(here), origin)
	next, second := a.tokens(t, http.StatusCreated), a.refreshCookie(t)
	c.profile(owner.AccessToken).wantProblem(t, 401, "unauthorized")
	c.do("POST", "/auth/refresh", m{}, cookie(here), origin).wantProblem(t, 401, "unauthorized")
	c.profile(next.AccessToken).want(t, http.StatusOK)

	var response m
	if err := json.Unmarshal(c.get(device, c.logInOptions()), &response); err != nil {
		t.Fatal(err)
	}
	response["refresh"] = "cookie"
	c.do("POST", "/passkeys/login/verify", response, cookie(second), origin).want(t, http.StatusCreated)
	c.profile(next.AccessToken).wantProblem(t, 401, "unauthorized")
}

func cookieModeCrossSite(t *testing.T, c *client) {
	username := c.newUser()
	_, mine := c.cookieLogIn(t, username)
	for name, edits := range map[string][]edit{
		"nothing said":          nil,
		"another origin":        {header("Origin", "https://localhost.example")},
		"another port":          {header("Origin", "http://localhost:1")},
		"null":                  {header("Origin", "null")},
		"same site":             {header("Sec-Fetch-Site", "same-site")},
		"no site":               {header("Sec-Fetch-Site", "none")},
		"origin above the site": {header("Origin", "https://localhost.example"), header("Sec-Fetch-Site", "same-origin")},
	} {
		t.Run(name, func(t *testing.T) {
			body := edited(credentials(username, testPassword), m{"refresh": "cookie"})
			refused := c.do("POST", "/auth/login", body, edits...).wantProblem(t, 403, "cross_site")
			if cookies := refused.header.Values("Set-Cookie"); len(cookies) > 0 {
				t.Errorf("cookies %q", cookies)
			}
			edits := append(edits, cookie(mine))
			c.do("POST", "/auth/refresh", m{}, edits...).wantProblem(t, 403, "cross_site")
			c.do("POST", "/auth/logout", nil, edits...).wantProblem(t, 403, "cross_site")
		})
	}
	// None of it has used the cookie up.
	c.do("POST", "/auth/refresh", m{}, cookie(mine), header("Origin", c.origin)).want(t, http.StatusOK)
}

func stepUpMovesRefresh(t *testing.T, c *client) {
	username := c.newUser()
	device := c.enrol(c.logIn(username))
	granted := c.keptAlive(username)
	response := c.get(device, c.stepUpOptions(granted.AccessToken))
	raised := c.finishStepUp(granted.AccessToken, response).tokens(t, http.StatusCreated)
	c.refresh(granted.RefreshToken).wantProblem(t, 401, "unauthorized")
	refreshed := c.refresh(raised.RefreshToken).tokens(t, http.StatusOK)
	if refreshed.AuthLevel != "full" {
		t.Errorf("level %s after the step-up", refreshed.AuthLevel)
	}
	c.do("GET", "/users/histories", nil, bearer(refreshed.AccessToken)).want(t, http.StatusOK)
	c.refresh(granted.RefreshToken).wantProblem(t, 401, "unauthorized")
}

func logOut(t *testing.T, c *client) {
	username := c.newUser()
	gone, stays := c.keptAlive(username), c.keptAlive(username)
	c.do("POST", "/auth/logout", nil).wantProblem(t, 401, "unauthorized")
	c.do("POST", "/auth/logout", nil, bearer(gone.AccessToken)).want(t, http.StatusOK)
	c.wantOver(t, gone)
	c.wantAlive(t, stays)
	c.do("POST", "/auth/logout", nil, bearer(gone.AccessToken)).wantProblem(t, 401, "unauthorized")
}

func (c *client) wantOver(t *testing.T, of tokens) {
	t.Helper()
	c.profile(of.AccessToken).wantProblem(t, 401, "unauthorized")
	c.refresh(of.RefreshToken).wantProblem(t, 401, "unauthorized")
}

func (c *client) wantAlive(t *testing.T, of tokens) {
	t.Helper()
	c.profile(of.AccessToken).want(t, http.StatusOK)
	c.refresh(of.RefreshToken).want(t, http.StatusOK)
}

func logOutEverywhere(t *testing.T, c *client) {
	username, other := c.newUser(), c.keptAlive(c.newUser())
	first, second := c.keptAlive(username), c.keptAlive(username)
	plain := c.logIn(username)
	c.do("POST", "/auth/logout/all", nil).wantProblem(t, 401, "unauthorized")
	a := c.do("POST", "/auth/logout/all", nil, bearer(first.AccessToken)).want(t, http.StatusOK)
	a.wantEnded(t, 3)
	c.wantOver(t, first)
	c.wantOver(t, second)
	c.profile(plain).wantProblem(t, 401, "unauthorized")
	c.wantAlive(t, other)
}

func (a answer) wantEnded(t *testing.T, n int) {
	t.Helper()
	var body struct{ Ended int }
	a.want(t, http.StatusOK).decode(t, &body)
	if body.Ended != n {
		t.Errorf("%d sessions ended, want %d", body.Ended, n)
	}
}

type listed struct {
	ID, Device, Address, AuthLevel string
	Current                        bool
}

func (c *client) sessions(t *testing.T, token string) []listed {
	t.Helper()
	var body struct{ Sessions []listed }
	c.do("GET", "/auth/sessions", nil, bearer(token)).want(t, http.StatusOK).decode(t, &body)
	return body.Sessions
}

func listAndEnd(t *testing.T, c *client) {
	username, stranger := c.newUser(), c.keptAlive(c.newUser())
	old, mine, third := c.keptAlive(username), c.keptAlive(username), c.keptAlive(username)
	token := mine.AccessToken
	sessions := c.sessions(t, token)
	if len(sessions) != 3 {
		t.Fatalf("sessions %+v, want 3", sessions)
	}
	for _, s := range sessions {
		if s.Current != (s.ID == sessionOf(t, token)) || s.Device == "" || s.Address == "" || s.AuthLevel != "password" {
			t.Errorf("session %+v", s)
		}
	}
	for _, id := range []string{sessionOf(t, stranger.AccessToken), noSession, "x", strings.Repeat("q", 300)} {
		c.do("DELETE", "/auth/sessions/"+id, nil, bearer(token)).wantProblem(t, 404, "not_found")
	}
	c.wantAlive(t, stranger)
	path := "/auth/sessions/" + sessionOf(t, old.AccessToken)
	c.do("DELETE", path, nil).wantProblem(t, 401, "unauthorized")
	c.do("DELETE", path, nil, bearer(token)).wantEnded(t, 1)
	c.wantOver(t, old)
	c.do("DELETE", path, nil, bearer(token)).wantProblem(t, 404, "not_found")

	c.do("DELETE", "/auth/sessions", nil, bearer(token)).wantEnded(t, 1)
	c.wantOver(t, third)
	if sessions := c.sessions(t, token); len(sessions) != 1 || !sessions[0].Current {
		t.Errorf("sessions %+v, want this one", sessions)
	}
	c.wantAlive(t, mine)
}

func revoke(t *testing.T, c *client) {
	username := c.newUser()
	byRefresh, byAccess, stays := c.keptAlive(username), c.keptAlive(username), c.keptAlive(username)
	c.form("/auth/revoke", byRefresh.RefreshToken).want(t, http.StatusOK)
	c.wantOver(t, byRefresh)
	c.form("/auth/revoke", byAccess.AccessToken).want(t, http.StatusOK)
	c.wantOver(t, byAccess)
	for _, nothing := range []string{byRefresh.RefreshToken, byAccess.AccessToken, "x", "rt2.", stays.RefreshToken[:60]} {
		c.form("/auth/revoke", nothing).want(t, http.StatusOK)
	}
	testForm(t, c, "/auth/revoke", stays.RefreshToken)
	c.wantAlive(t, stays)
}

// testForm sends a good token in forms that are none.
func testForm(t *testing.T, c *client, path, token string, edits ...edit) {
	t.Helper()
	form := append(edits, header("Content-Type", "application/x-www-form-urlencoded"))
	c.do("POST", path, m{"token": token}, edits...).wantProblem(t, 415, "unsupported_media_type")
	for _, body := range []string{"", "token=", "Token=" + token, "token=" + token + "&token=" + token, "%zz"} {
		c.do("POST", path, body, form...).wantProblem(t, 400, "invalid_request")
	}
	c.do("POST", path+"?token="+token, "x=y", form...).wantProblem(t, 400, "invalid_request")
	c.do("POST", path, "token="+strings.Repeat("x", 100_000), form...).wantProblem(t, 413, "payload_too_large")
}

func introspect(t *testing.T, c *client) {
	granted := c.keptAlive(c.newUser())
	ask := func(token string) map[string]any {
		t.Helper()
		var members map[string]any
		c.form("/auth/introspect", token, bearer(introspectionSecret)).want(t, http.StatusOK).decode(t, &members)
		return members
	}
	want := edited(claimsOf(t, granted.AccessToken), m{"active": true, "token_type": "Bearer"})
	if diff := cmp.Diff(want, ask(granted.AccessToken)); diff != "" {
		t.Errorf("a live token (-want +got):\n%s", diff)
	}
	for name, edits := range map[string][]edit{
		"no secret":       nil,
		"another secret":  {bearer(introspectionSecret + "x")},
		"its beginning":   {bearer(introspectionSecret[:32])},
		"the token":       {bearer(granted.AccessToken)},
		"as basic":        {header("Authorization", "Basic "+introspectionSecret)},
		"without Bearer ": {header("Authorization", introspectionSecret)},
	} {
		t.Run(name, func(t *testing.T) {
			c.form("/auth/introspect", granted.AccessToken, edits...).wantProblem(t, 401, "unauthorized")
		})
	}
	testForm(t, c, "/auth/introspect", granted.AccessToken, bearer(introspectionSecret))
	c.do("POST", "/auth/logout", nil, bearer(granted.AccessToken)).want(t, http.StatusOK)
	for _, nothing := range []string{granted.AccessToken, granted.RefreshToken, "x"} {
		if diff := cmp.Diff(m{"active": false}, ask(nothing)); diff != "" {
			t.Errorf("a token that is worth nothing (-want +got):\n%s", diff)
		}
	}
}

// Where no secret is set, nobody may ask.
func TestIntrospectionIsOffByDefault(t *testing.T) {
	c := newClient(t, start(t))
	token := c.signedIn()
	for _, secret := range []string{"", " ", introspectionSecret, token, strings.Repeat("\x00", 32)} {
		set := func(r *http.Request) {
			if json.Valid([]byte(`"` + secret + `"`)) {
				r.Header.Set("Authorization", "Bearer "+secret)
			}
		}
		c.form("/auth/introspect", token, set).wantProblem(t, 401, "unauthorized")
	}
}

// The times of the proofs stay where they were, however late the refresh comes.
func TestRefreshProvesNothing(t *testing.T) {
	c, db := startWithDatabase(t)
	granted := c.keptAlive(c.newUser())
	before := claimsOf(t, granted.AccessToken)
	age := func() {
		t.Helper()
		db.exec(`UPDATE sessions SET password_at = password_at - interval '100 s', full_at = full_at - interval '100 s'`)
	}
	earlier := func(claim string) float64 { return before[claim].(float64) - 100 }
	age()
	refreshed := c.refresh(granted.RefreshToken).tokens(t, http.StatusOK)
	after := claimsOf(t, refreshed.AccessToken)
	if after["auth_time"] != earlier("auth_time") || after["password_time"] != earlier("password_time") {
		t.Errorf("from %v to %v", before, after)
	}

	device := c.enrol(refreshed.AccessToken)
	response := c.get(device, c.stepUpOptions(refreshed.AccessToken))
	raised := c.finishStepUp(refreshed.AccessToken, response).tokens(t, http.StatusCreated)
	before = claimsOf(t, raised.AccessToken)
	age()
	after = claimsOf(t, c.refresh(raised.RefreshToken).tokens(t, http.StatusOK).AccessToken)
	if after["auth_time"] != earlier("auth_time") || after["passkey_time"] != earlier("passkey_time") || after["authLevel"] != "full" {
		t.Errorf("from %v to %v", before, after)
	}
}
