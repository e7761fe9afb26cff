package httpapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const page = "http://localhost:3000"

// localRefreshCookie is what the refresh cookie is called at page.
const localRefreshCookie = "stepkey-refresh-3000"

// signedIn returns the API with a user, and the answer to a login with that mode.
func signedIn(t *testing.T, mode string, headers ...string) (http.Handler, *http.Response) {
	t.Helper()
	h := newHandler(newService(t), Options{IntrospectionSecret: "introspection secret of 32 bytes"})
	if got := send(h, "POST", "/auth/signup", `{"username":"mira","password":"correct horse battery"}`); got.StatusCode != 201 {
		t.Fatalf("sign-up: %d", got.StatusCode)
	}
	return h, logInWith(h, mode, headers...)
}

func logInWith(h http.Handler, mode string, headers ...string) *http.Response {
	return send(h, "POST", "/auth/login", fmt.Sprintf(`{"username":"mira","password":"correct horse battery","refresh":%q}`, mode), headers...)
}

type tokens struct {
	AccessToken, RefreshToken, AuthLevel string
	ExpiresIn                            int
}

func tokensOf(t testing.TB, r *http.Response) (got tokens) {
	t.Helper()
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.StatusCode >= 300 {
		t.Fatalf("%d, %v", r.StatusCode, err)
	}
	return got
}

func hasRefreshCookie(r *http.Response) bool {
	return strings.Contains(strings.Join(r.Header.Values("Set-Cookie"), "; "), localRefreshCookie)
}

func cookieOf(t *testing.T, r *http.Response) *http.Cookie {
	t.Helper()
	for _, c := range r.Cookies() {
		if strings.Contains(c.Name, "stepkey-refresh") {
			return c
		}
	}
	t.Fatalf("no refresh cookie: %v", r.Header)
	return nil
}

func wantStatus(t *testing.T, what string, r *http.Response, status int, code string) {
	t.Helper()
	text, _ := io.ReadAll(r.Body)
	if r.StatusCode != status || (code != "" && !strings.Contains(string(text), `"code":"`+code+`"`)) {
		t.Errorf("%s: %d %s, want %d %s", what, r.StatusCode, text, status, code)
	}
}

func TestBodyMode(t *testing.T) {
	h, login := signedIn(t, "body")
	first := tokensOf(t, login)
	if hasRefreshCookie(login) || first.RefreshToken == "" {
		t.Fatalf("%+v, cookies %v", first, login.Cookies())
	}
	refreshed := send(h, "POST", "/auth/refresh", `{"refreshToken":"`+first.RefreshToken+`"}`)
	next := tokensOf(t, refreshed)
	if refreshed.StatusCode != 200 || next.RefreshToken == first.RefreshToken || next.AuthLevel != "password" || hasRefreshCookie(refreshed) {
		t.Errorf("refreshed: %d %+v", refreshed.StatusCode, next)
	}
	wantStatus(t, "garbage", send(h, "POST", "/auth/refresh", `{"refreshToken":"rt2.x"}`), 401, "unauthorized")
	wantStatus(t, "an access token", send(h, "POST", "/auth/refresh", `{"refreshToken":"`+next.AccessToken+`"}`), 401, "unauthorized")
	wantStatus(t, "nothing", send(h, "POST", "/auth/refresh", `{}`), 401, "unauthorized")
	wantStatus(t, "GET", send(h, "GET", "/auth/refresh", ""), 405, "method_not_allowed")
	wantStatus(t, "a form", send(h, "POST", "/auth/refresh", "refreshToken=x", "Content-Type", "application/x-www-form-urlencoded"), 415, "")
}

func TestCookieMode(t *testing.T) {
	h, login := signedIn(t, "cookie", "Origin", page)
	first, cookie := tokensOf(t, login), cookieOf(t, login)
	if first.RefreshToken != "" {
		t.Error("the refresh token is in the body as well")
	}
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" ||
		cookie.Domain != "" || cookie.MaxAge < 29*24*3600 || cookie.MaxAge > 30*24*3600 {
		t.Errorf("cookie: %+v", cookie)
	}
	with := func(value string, headers ...string) *http.Response {
		return send(h, "POST", "/auth/refresh", `{}`, append([]string{"Cookie", localRefreshCookie + "=" + value}, headers...)...)
	}
	for what, headers := range map[string][]string{
		"another origin":                {"Origin", "https://evil.example"},
		"null origin":                   {"Origin", "null"},
		"a sibling site":                {"Sec-Fetch-Site", "same-site"},
		"another site":                  {"Sec-Fetch-Site", "cross-site"},
		"typed into the bar":            {"Sec-Fetch-Site", "none"},
		"no word of where it came from": nil,
		"an origin that lies about it":  {"Origin", "https://evil.example", "Sec-Fetch-Site", "same-origin"},
	} {
		wantStatus(t, what, with(cookie.Value, headers...), 403, "cross_site")
	}
	refreshed := with(cookie.Value, "Origin", page)
	next := cookieOf(t, refreshed)
	if got := tokensOf(t, refreshed); got.RefreshToken != "" || next.Value == cookie.Value {
		t.Errorf("refreshed: %+v", got)
	}
	both := send(h, "POST", "/auth/refresh", `{"refreshToken":"`+next.Value+`"}`, "Cookie", localRefreshCookie+"="+next.Value, "Origin", page)
	wantStatus(t, "cookie and body", both, 400, "two_refresh_tokens")
	last := cookieOf(t, with(next.Value, "Sec-Fetch-Site", "same-origin"))

	refused := with("rt2.x", "Origin", page)
	if len(refused.Cookies()) != 0 {
		t.Error("a refusal takes the cookie away, which another tab may just have renewed")
	}
	wantStatus(t, "garbage", refused, 401, "unauthorized")

	// The access token may have expired by the time somebody signs out.
	out := func(headers ...string) *http.Response {
		return send(h, "POST", "/auth/logout", "", append([]string{"Cookie", localRefreshCookie + "=" + last.Value}, headers...)...)
	}
	wantStatus(t, "logout from another page", out("Origin", "https://evil.example"), 403, "cross_site")
	done := out("Origin", page)
	if gone := cookieOf(t, done); gone.MaxAge >= 0 || done.StatusCode != 200 {
		t.Errorf("logout: %d, cookie %+v", done.StatusCode, gone)
	}
	wantStatus(t, "after the logout", with(last.Value, "Origin", page), 401, "unauthorized")
	wantStatus(t, "access token after the logout", send(h, "GET", "/users/profile", "", "Authorization", "Bearer "+first.AccessToken), 401, "unauthorized")
}

func TestCookieIsForOwnPagesOnly(t *testing.T) {
	h, login := signedIn(t, "cookie", "Origin", "https://evil.example")
	wantStatus(t, "login from another page", login, 403, "cross_site")
	wantStatus(t, "login from nowhere", logInWith(h, "cookie"), 403, "cross_site")
	wantStatus(t, "another mode", logInWith(h, "header"), 400, "invalid_request")
	if got := logInWith(h, ""); hasRefreshCookie(got) || tokensOf(t, got).RefreshToken != "" {
		t.Error("a client that does not ask gets a refresh token")
	}
}

func TestSessionRoutes(t *testing.T) {
	h, login := signedIn(t, "body", "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	mine := tokensOf(t, login)
	other := tokensOf(t, logInWith(h, "body", "User-Agent", "<script>alert(1)</script>"))
	bearer := []string{"Authorization", "Bearer " + mine.AccessToken}
	var list struct {
		Sessions []struct {
			ID, Device, Address, AuthLevel string
			Current                        bool
		}
	}
	got := send(h, "GET", "/auth/sessions", "", bearer...)
	if err := json.NewDecoder(got.Body).Decode(&list); err != nil || len(list.Sessions) != 2 {
		t.Fatalf("sessions: %d %+v, %v", got.StatusCode, list, err)
	}
	var otherID string
	for _, s := range list.Sessions {
		if s.Current && (s.Device != "Firefox on Linux" || s.Address != "192.0.2.0/24" || s.AuthLevel != "password") {
			t.Errorf("this session: %+v", s)
		}
		if !s.Current {
			otherID = s.ID
			if s.Device != "Unknown device" {
				t.Errorf("the other session: %+v", s)
			}
		}
	}
	var seen []string
	for next := ""; ; {
		var page struct {
			Sessions []struct{ ID string }
			Next     *string
		}
		got := send(h, "GET", "/auth/sessions?limit=1"+next, "", bearer...)
		if err := json.NewDecoder(got.Body).Decode(&page); err != nil || len(page.Sessions) != 1 {
			t.Fatalf("a page of one: %d %+v, %v", got.StatusCode, page, err)
		}
		seen = append(seen, page.Sessions[0].ID)
		if page.Next == nil {
			break
		}
		next = "&before=" + *page.Next
	}
	if len(seen) != 2 || seen[0] != list.Sessions[0].ID || seen[1] != list.Sessions[1].ID {
		t.Errorf("page by page: %v, want %+v", seen, list.Sessions)
	}
	for _, query := range []string{"limit=0", "limit=201", "limit=x", "limit=1&limit=2", "before=x", "before="} {
		wantStatus(t, query, send(h, "GET", "/auth/sessions?"+query, "", bearer...), 400, "invalid_request")
	}
	wantStatus(t, "no id", send(h, "DELETE", "/auth/sessions/x", "", bearer...), 404, "not_found")
	wantStatus(t, "an unknown id", send(h, "DELETE", "/auth/sessions/00000000-0000-4000-8000-000000000000", "", bearer...), 404, "not_found")
	wantStatus(t, "one", send(h, "DELETE", "/auth/sessions/"+otherID, "", bearer...), 200, "")
	wantStatus(t, "its token", send(h, "GET", "/users/profile", "", "Authorization", "Bearer "+other.AccessToken), 401, "unauthorized")
	logInWith(h, "body")
	got = send(h, "DELETE", "/auth/sessions", "", bearer...)
	if text, _ := io.ReadAll(got.Body); string(text) != `{"success":true,"ended":1}` {
		t.Errorf("others: %d %s", got.StatusCode, text)
	}
	got = send(h, "POST", "/auth/logout/all", "", bearer...)
	if text, _ := io.ReadAll(got.Body); string(text) != `{"success":true,"ended":1}` {
		t.Errorf("all: %d %s", got.StatusCode, text)
	}
	wantStatus(t, "after that", send(h, "GET", "/auth/sessions", "", bearer...), 401, "unauthorized")
}

func form(values ...string) string {
	v := url.Values{}
	for i := 0; i < len(values); i += 2 {
		v.Add(values[i], values[i+1])
	}
	return v.Encode()
}

func TestRevokeRoute(t *testing.T) {
	h, login := signedIn(t, "body")
	got := tokensOf(t, login)
	post := func(body string, headers ...string) *http.Response {
		return send(h, "POST", "/auth/revoke", body, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
	}
	wantStatus(t, "no token", post(form("x", "y")), 400, "invalid_request")
	wantStatus(t, "two tokens", post(form("token", "a", "token", "b")), 400, "invalid_request")
	wantStatus(t, "JSON", post(`{"token":"x"}`, "Content-Type", "application/json"), 415, "")
	wantStatus(t, "a large form", post(form("token", strings.Repeat("x", 1<<20))), 413, "")
	wantStatus(t, "in the query", send(h, "POST", "/auth/revoke?token="+got.RefreshToken, "x=y", "Content-Type", "application/x-www-form-urlencoded"), 400, "invalid_request")
	wantStatus(t, "an unknown token", post(form("token", "x")), 200, "")
	wantStatus(t, "a refresh token", post(form("token", got.RefreshToken, "token_type_hint", "refresh_token")), 200, "")
	wantStatus(t, "again", post(form("token", got.RefreshToken)), 200, "")
	wantStatus(t, "the session", send(h, "GET", "/users/profile", "", "Authorization", "Bearer "+got.AccessToken), 401, "unauthorized")
}

func TestIntrospectRoute(t *testing.T) {
	h, login := signedIn(t, "body")
	got := tokensOf(t, login)
	ask := func(h http.Handler, token, secret string) *http.Response {
		return send(h, "POST", "/auth/introspect", form("token", token), "Content-Type", "application/x-www-form-urlencoded", "Authorization", secret)
	}
	const right = "Bearer introspection secret of 32 bytes"
	for what, secret := range map[string]string{"none": "", "wrong": "Bearer x", "a token": "Bearer " + got.AccessToken, "Basic": "Basic introspection secret of 32 bytes"} {
		wantStatus(t, "secret: "+what, ask(h, got.AccessToken, secret), 401, "unauthorized")
	}
	closed := newHandler(newService(t), Options{})
	wantStatus(t, "where none is set", ask(closed, got.AccessToken, "Bearer "), 401, "unauthorized")

	var live struct {
		Active         bool
		Sub, Sid, Iss  string
		AuthLevel, ACR string
	}
	if err := json.NewDecoder(ask(h, got.AccessToken, right).Body).Decode(&live); err != nil || !live.Active || live.Sid == "" || live.AuthLevel != "password" {
		t.Errorf("a live token: %+v, %v", live, err)
	}
	send(h, "POST", "/auth/logout", "", "Authorization", "Bearer "+got.AccessToken)
	for what, token := range map[string]string{"an ended one": got.AccessToken, "garbage": "x", "a refresh token": got.RefreshToken} {
		if text, _ := io.ReadAll(ask(h, token, right).Body); string(text) != `{"active":false}` {
			t.Errorf("%s: %s", what, text)
		}
	}
}

func TestEndedSessionsRoute(t *testing.T) {
	h, login := signedIn(t, "body")
	got := tokensOf(t, login)
	first := send(h, "GET", "/.well-known/ended-sessions", "")
	tag := first.Header.Get("ETag")
	if first.StatusCode != 200 || tag == "" || first.Header.Get("Content-Type") != "application/octet-stream" {
		t.Fatalf("%d %v", first.StatusCode, first.Header)
	}
	wantStatus(t, "unchanged", send(h, "GET", "/.well-known/ended-sessions", "", "If-None-Match", tag), 304, "")
	send(h, "POST", "/auth/logout", "", "Authorization", "Bearer "+got.AccessToken)
	changed := send(h, "GET", "/.well-known/ended-sessions", "", "If-None-Match", tag)
	text, _ := io.ReadAll(changed.Body)
	if changed.StatusCode != 200 || len(text) > 1024 {
		t.Errorf("after an end: %d, %d bytes, want 200 and under 1 kB", changed.StatusCode, len(text))
	}

	now := time.Now().Unix() / 60
	minute := func(name string) *http.Response { return send(h, "GET", "/.well-known/ended-sessions/"+name, "") }
	got200 := minute(fmt.Sprint(now - 1))
	if tag := got200.Header.Get("ETag"); got200.StatusCode != 200 || tag == "" {
		t.Errorf("a minute: %d %v", got200.StatusCode, got200.Header)
	}
	for _, name := range []string{fmt.Sprint(now - 30), fmt.Sprint(now + 2), "x", "1e3", "-1", "99999999999999999999"} {
		wantStatus(t, "minute "+name, minute(name), 404, "not_found")
	}
}
