package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestInput sends requests of every form, row by row. None of them needs a database of its
// own kind, but each row passes the server's whole depth.
func TestInput(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		t.Run("sign-up", func(t *testing.T) { testSignUpInput(t, newClient(t, s)) })
		t.Run("user names", func(t *testing.T) { testUserNames(t, newClient(t, s)) })
		t.Run("log-in", func(t *testing.T) { testLogInInput(t, newClient(t, s), c.newUser()) })
		t.Run("bodies", func(t *testing.T) { testBodies(t, newClient(t, s)) })
		t.Run("passkeys", func(t *testing.T) { testPasskeyInput(t, newClient(t, s)) })
		t.Run("methods", func(t *testing.T) { testMethods(t, newClient(t, s)) })
		t.Run("paths", func(t *testing.T) { testPaths(t, newClient(t, s)) })
		t.Run("where tokens are taken from", func(t *testing.T) { testTokenPlaces(t, newClient(t, s)) })
		t.Run("headers too large", func(t *testing.T) { testLargeHeaders(t, newClient(t, s)) })
		t.Run("broken requests", func(t *testing.T) { testBrokenRequests(t, s) })
	})
}

func testSignUpInput(t *testing.T, c *client) {
	for _, tt := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"password of 7 bytes", `{"username":"in-1","password":"k7#pQ2x"}`, 400, "password_too_short"},
		{"password of 8 bytes", `{"username":"in-2","password":"k7#pQ2xv"}`, 201, ""},
		{"password of 200 characters", `{"username":"in-3","password":"` + strings.Repeat("walrus! ", 25) + `x7"}`, 201, ""},
		{"password of 1025 bytes", `{"username":"in-4","password":"` + strings.Repeat("x", 1025) + `"}`, 400, "password_too_long"},
		{"password common", `{"username":"in-5","password":"PassWord1"}`, 400, "password_blocked"},
		{"password common twice", `{"username":"in-6","password":"passwordpassword1"}`, 400, "password_blocked"},
		{"password one character", `{"username":"in-7","password":"zzzzzzzzzzzz"}`, 400, "password_blocked"},
		{"password the name", `{"username":"pelikan.jo","password":"Pelikan.Jo"}`, 400, "password_contains_username"},
		{"password the name twice", `{"username":"pelikan.jo","password":"pelikan.jopelikan.jo"}`, 400, "password_contains_username"},
		{"password with spaces and emoji", `{"username":"in-8","password":"  🔑 walrus 🔑  "}`, 201, ""},
		{"password with NUL", `{"username":"in-9","password":"wal\u0000rus parade"}`, 201, ""},
		{"password of lower-case letters only", `{"username":"in-10","password":"qmzlwnpchtvbxkd"}`, 201, ""},

		{"unknown members are ignored", `{"username":"in-11","password":"k7#pQ2xv","isActive":false,"authLevel":"full","id":7,"role":{"a":[1]}}`, 201, ""},
		{"white space around", " \r\n\t{\"username\":\"in-12\",\"password\":\"k7#pQ2xv\"} \n", 201, ""},
		{"members in another order", `{"password":"k7#pQ2xv","username":"in-13"}`, 201, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := c.do("POST", "/auth/signup", tt.body)
			if a.status != tt.status || a.code() != tt.code {
				t.Errorf("%d %q, want %d %q", a.status, a.code(), tt.status, tt.code)
			}
			if tt.status == http.StatusCreated {
				c.do("POST", "/auth/login", tt.body).accessToken(t)
			}
		})
	}
	t.Run("what was ignored has no effect", func(t *testing.T) {
		token := c.do("POST", "/auth/login", credentials("in-11", "k7#pQ2xv")).accessToken(t)
		if claims := claimsOf(t, token); claims["authLevel"] != "password" {
			t.Errorf("claims %v", claims)
		}
	})
	t.Run("every byte of a password counts", func(t *testing.T) {
		long := strings.Repeat("walrus! ", 9) // 72 bytes
		c.do("POST", "/auth/signup", credentials("in-72", long+"b")).want(t, http.StatusCreated)
		c.do("POST", "/auth/login", credentials("in-72", long+"c")).wantProblem(t, 401, "unauthorized")
		c.do("POST", "/auth/login", credentials("in-72", long)).wantProblem(t, 401, "unauthorized")
		c.do("POST", "/auth/login", credentials("in-72", long+"b")).accessToken(t)
	})
}

// testUserNames holds what a name may be and which names are one.
func testUserNames(t *testing.T, c *client) {
	for _, tt := range []struct{ name, username, code string }{
		{"empty", "", "username_invalid"},
		{"space only", "   ", "username_invalid"},
		{"one character", "q", ""},
		{"64 characters", strings.Repeat("q", 64), ""},
		{"65 characters", strings.Repeat("r", 65), "username_invalid"},
		{"90 KB", strings.Repeat("q", 15_000), "username_invalid"},
		{"an address", "q.r+s@example.com", ""},
		{"any script", "Ζωή-7", ""},
		{"space inside", "q r", "username_invalid"},
		{"NUL", "q\x00r", "username_invalid"},
		{"line feed", "q\nr", "username_invalid"},
		{"line feed around", "\nlf\n", ""},
		{"escape", "q\x1b[31m", "username_invalid"},
		{"right-to-left override", "q\u202er", "username_invalid"},
		{"zero-width joiner", "q\u200dr", "username_invalid"},
		{"emoji", "🔑", "username_invalid"},
		{"markup", "<q>", "username_invalid"},
		{"dot first", ".q", "username_invalid"},
		{"path", "../q", "username_invalid"},
		{"quote", `q"r`, "username_invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := c.do("POST", "/auth/signup", credentials(tt.username, testPassword))
			if a.code() != tt.code || (tt.code == "" && a.status != http.StatusCreated) {
				t.Errorf("%d %q, want %q", a.status, a.code(), tt.code)
			}
			if tt.code != "" && tt.username != "" && strings.Contains(string(a.body), tt.username) {
				t.Errorf("the answer repeats what was sent: %s", a.body)
			}
		})
	}
	t.Run("spellings of one name", func(t *testing.T) {
		c.do("POST", "/auth/signup", credentials("Straße-é", testPassword)).want(t, http.StatusCreated)
		for _, same := range []string{"straße-é", "STRASSE-É", " Straße-é ", "Straße-e\u0301", "Ｓtraße-é"} {
			c.do("POST", "/auth/signup", credentials(same, testPassword)).wantProblem(t, 409, "username_taken")
			token := c.do("POST", "/auth/login", credentials(same, testPassword)).accessToken(t)
			if got := claimsOf(t, token)["username"]; got != "Straße-é" {
				t.Errorf("username %v, want it as typed at sign-up", got)
			}
		}
	})
}

func testLogInInput(t *testing.T, c *client, username string) {
	name, _ := json.Marshal(username)
	good := `{"username":` + string(name) + `,"password":"` + testPassword + `"}`
	for _, path := range []string{"/auth/login", "/auth/signin"} {
		c.do("POST", path, good).accessToken(t)
		c.do("POST", path, credentials(username, strings.Repeat("x", 1024))).wantProblem(t, 401, "unauthorized")
		c.do("POST", path, credentials(username, strings.Repeat("x", 1025))).wantProblem(t, 400, "password_too_long")
		query := "?username=" + username + "&password=gentle+walrus+parade"
		c.do("POST", path+query, nil).wantProblem(t, 400, "invalid_request")
		c.do("POST", path+query, "{}").wantProblem(t, 400, "invalid_request")
		c.do("POST", path+query, good).wantProblem(t, 400, "invalid_request")
		c.do("GET", path+query, nil).wantProblem(t, 405, "method_not_allowed")
		c.do("POST", path, "username="+username+"&password=gentle+walrus+parade",
			header("Content-Type", "application/x-www-form-urlencoded")).wantProblem(t, 415, "unsupported_media_type")
		c.do("POST", path, nil, func(r *http.Request) { r.SetBasicAuth(username, testPassword) }).
			wantProblem(t, 415, "unsupported_media_type")
	}
}
