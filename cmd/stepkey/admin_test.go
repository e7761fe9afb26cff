package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// command runs one and returns its status and what it printed.
func command(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String() + stderr.String()
}

func wantCommand(t *testing.T, code int, says string, args ...string) string {
	t.Helper()
	got, printed := command(t, args...)
	if got != code || !strings.Contains(printed, says) {
		t.Errorf("stepkey %s: %d %q, want %d and %q", strings.Join(args, " "), got, printed, code, says)
	}
	return printed
}

func TestKeyCommands(t *testing.T) {
	atHome(t)
	if listed := wantCommand(t, 0, "current", "key", "list"); strings.Contains(listed, "next") {
		t.Errorf("a first start has a next key: %s", listed)
	}
	wantCommand(t, 0, "published", "key", "rotate")
	listed := wantCommand(t, 0, "next", "key", "list")
	for _, line := range strings.Split(listed, "\n") {
		if strings.Contains(line, "current") {
			wantCommand(t, 0, "revoked", "key", "revoke", strings.Fields(line)[0])
		}
	}
	wantCommand(t, 0, "revoked", "key", "list")
	wantCommand(t, 1, "no such key", "key", "revoke", "unknown")
	t.Setenv("JWT_SECRET", sharedSecret)
	wantCommand(t, 1, "no keys to manage", "key", "list")
}

// A user who is disabled from the command line is refused by an instance that runs.
func TestUserCommands(t *testing.T) {
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	address := "http://localhost:" + port
	start(t)
	if status, body := post(t, address+"/auth/signup", mira); status != 201 {
		t.Fatalf("sign-up: %d %s", status, body)
	}
	_, body := post(t, address+"/auth/login", mira)
	var granted struct{ AccessToken string }
	if err := json.Unmarshal([]byte(body), &granted); err != nil {
		t.Fatal(err)
	}
	profile := func() int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/users/profile", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+granted.AccessToken)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	if status := profile(); status != 200 {
		t.Fatalf("profile: %d", status)
	}

	wantCommand(t, 0, "disabled", "user", "disable", " Mira ")
	for profile() != 401 { // the test's own deadline is the bound
		time.Sleep(20 * time.Millisecond)
	}
	if status, _ := post(t, address+"/auth/login", mira); status != 401 {
		t.Errorf("login of a disabled user: %d", status)
	}
	wantCommand(t, 0, "can sign in again", "user", "enable", "mira")
	if status, _ := post(t, address+"/auth/login", mira); status != 201 {
		t.Errorf("login of an enabled user: %d", status)
	}
	for range 10 {
		post(t, address+"/auth/login", `{"username":"mira","password":"somebody guesses"}`)
	}
	if status, _ := post(t, address+"/auth/login", mira); status != 429 {
		t.Errorf("login after ten failures: %d", status)
	}
	wantCommand(t, 0, "failed-login count is reset", "user", "unlock", "mira")
	if status, _ := post(t, address+"/auth/login", mira); status != 201 {
		t.Errorf("login after unlocking: %d", status)
	}
	link, _, _ := strings.Cut(wantCommand(t, 0, "give this link only to them", "user", "recover", "mira"), "\n")
	_, linkToken, ok := strings.Cut(link, address+"/recover-by-link#")
	if status, body := post(t, address+"/recovery/link", `{"token":"`+linkToken+`"}`); !ok || status != 201 || !strings.Contains(body, `"authLevel":"recovery"`) {
		t.Errorf("following %s: %d %s", link, status, body)
	}
	wantCommand(t, 1, "at most 24h", "user", "recover", "mira", "--valid", "25h")
	wantCommand(t, 1, "add --yes", "user", "delete", "mira")
	if status, _ := post(t, address+"/auth/login", mira); status != 201 {
		t.Errorf("login after a deletion that was not meant: %d", status)
	}
	wantCommand(t, 0, "deleted", "user", "delete", "mira", "--yes")
	if status, _ := post(t, address+"/auth/login", mira); status != 401 {
		t.Errorf("login of a deleted user: %d", status)
	}
	wantCommand(t, 1, "no such user", "user", "enable", "mira")
	wantCommand(t, 1, "no such user", "user", "disable", "nobody")
	wantCommand(t, 1, "not a valid user name", "user", "disable", "a b")
}

// One id in 64 begins like a flag.
func TestKeyIDLast(t *testing.T) {
	const id, flagLike = "R4NzjKAqghwpir0guQNIgAG4rILd1Av9IB74aJBD44x", "-4NzjKAqghwpir0guQNIgAG4rILd1Av9IB74aJBD44x"
	for _, test := range []struct{ args, want []string }{
		{[]string{"key", "revoke", id}, []string{"key", "revoke", id}},
		{[]string{"key", "revoke", flagLike}, []string{"key", "revoke", "--", flagLike}},
		{[]string{"key", "revoke", "-" + flagLike[:42]}, []string{"key", "revoke", "--", "-" + flagLike[:42]}},
		{[]string{"key", "revoke", flagLike, "--data", "x"}, []string{"key", "revoke", "--data", "x", "--", flagLike}},
		{[]string{"key", "revoke", "--", flagLike}, []string{"key", "revoke", "--", flagLike}},
		{[]string{"key", "revoke", "-h"}, []string{"key", "revoke", "-h"}},
		{[]string{"user", "show", flagLike}, []string{"user", "show", flagLike}},
		{[]string{"key"}, []string{"key"}},
	} {
		if got := keyIDLast(test.args); !slices.Equal(got, test.want) {
			t.Errorf("%q becomes %q, want %q", test.args, got, test.want)
		}
	}
	atHome(t)
	wantCommand(t, 1, "no such key", "key", "revoke", flagLike)
}

func TestGroupsAndClaimsCommands(t *testing.T) {
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	t.Setenv("STEPKEY_CLAIMS", "department, locale")
	start(t)
	if status, body := post(t, "http://localhost:"+port+"/auth/signup", mira); status != 201 {
		t.Fatalf("sign-up: %d %s", status, body)
	}
	wantCommand(t, 0, "Changed", "user", "groups", "mira", "+ops", "+dev")
	wantCommand(t, 0, "changes nothing", "user", "groups", "mira", "+ops")
	wantCommand(t, 0, "Changed", "user", "groups", "mira", "-dev", "+team-a")
	if listed := wantCommand(t, 0, "", "user", "groups", "mira"); listed != "ops\nteam-a\n" {
		t.Errorf("groups: %q", listed)
	}
	wantCommand(t, 1, "lower-case", "user", "groups", "mira", "+Ops")
	wantCommand(t, 1, "+GROUP", "user", "groups", "mira", "ops")
	wantCommand(t, 1, "no such user", "user", "groups", "noor", "+ops")
	wantCommand(t, 0, "Changed", "user", "claims", "mira", "department=R=D", "locale=de")
	wantCommand(t, 0, "Changed", "user", "claims", "mira", "locale=")
	if listed := wantCommand(t, 0, "", "user", "claims", "mira"); listed != "department=R=D\n" {
		t.Errorf("claims: %q", listed)
	}
	wantCommand(t, 1, "department", "user", "claims", "mira", "name=Mira")
	wantCommand(t, 0, "ops team-a", "user", "show", "mira")
	wantCommand(t, 0, `"groups":["ops","team-a"],"claims":{"department":"R=D"}`, "user", "export")
}

func TestGroupsLast(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"user groups mira +ops -dev", "user groups mira -- +ops -dev"},
		{"user groups mira +ops", "user groups mira +ops"},
		{"user groups mira -dev +ops --data x", "user groups mira --data x -- -dev +ops"},
		{"user groups mira -h", "user groups mira -h"},
		{"user groups mira -- -dev", "user groups mira -- -dev"},
		{"user claims mira -dev", "user claims mira -dev"},
	} {
		if got := strings.Join(groupsLast(strings.Fields(test.args)), " "); got != test.want {
			t.Errorf("%s: %s, want %s", test.args, got, test.want)
		}
	}
}
