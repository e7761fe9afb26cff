package guard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

const shop = "https://shop.example.com"

func assertionAt(t *testing.T, keys *token.Keyring, at time.Time) string {
	t.Helper()
	raw, err := token.NewSigner(keys).SignAssertion(token.AssertionClaims{
		Issuer: issuer, Audience: shop, Subject: "user", Username: "Mira", Groups: []string{"dev", "ops"},
		ACR: token.LevelPassword, Methods: []string{"pwd"}, AuthTime: at.Unix(),
		IssuedAt: at.Unix(), ExpiresAt: at.Add(token.AssertionLifetime).Unix(),
		OwnClaims: map[string]string{"department": "Sales"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAssertionsRequire(t *testing.T) {
	key := es256(t)
	keys := token.NewKeyring(key)
	published := &publisher{}
	published.set(publish(keys, ""))
	assertions, err := guard.NewAssertions(guard.AssertionOptions{
		Issuer: issuer, Audience: shop, Clock: func() time.Time { return now },
		Keys: guard.NewRemoteKeys("https://auth.example.com/.well-known/jwks.json", published.client()),
	})
	if err != nil {
		t.Fatal(err)
	}
	access, err := token.NewSigner(keys).Sign(token.Claims{
		Issuer: issuer, Audience: []string{shop}, Subject: "user", ID: "id", SessionID: "session",
		IssuedAt: now.Unix(), ExpiresAt: now.Unix() + 60, Level: token.LevelPassword, ACR: token.LevelPassword,
		AuthTime: now.Unix(), Methods: []string{"pwd"},
	})
	if err != nil {
		t.Fatal(err)
	}
	good := assertionAt(t, keys, now)
	for _, test := range []struct {
		what   string
		values []string
		status int
	}{
		{"valid", []string{good}, 200},
		{"none", nil, 401},
		{"empty", []string{""}, 401},
		{"two", []string{good, good}, 401},
		{"an access token", []string{access}, 401},
		{"expired", []string{assertionAt(t, keys, now.Add(-10*time.Minute))}, 401},
		{"of another key", []string{assertionAt(t, token.NewKeyring(es256(t)), now)}, 401},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header[guard.AssertionHeader] = test.values
		r.Header.Set("Authorization", "Bearer "+good) // is not read
		w := httptest.NewRecorder()
		reached := false
		assertions.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			c, ok := guard.AssertionFromContext(r.Context())
			department, _ := c.Claim("department")
			reached = ok && c.Subject == "user" && c.InGroup("ops") && department == "Sales"
		})).ServeHTTP(w, r)
		if w.Code != test.status || reached != (test.status == 200) {
			t.Errorf("%s: %d, reached %v; want %d", test.what, w.Code, reached, test.status)
		}
	}
	for _, missing := range []guard.AssertionOptions{{Issuer: issuer, Keys: keys}, {Audience: shop, Keys: keys}, {Issuer: issuer, Audience: shop}} {
		if _, err := guard.NewAssertions(missing); err == nil {
			t.Errorf("made without a required option: %+v", missing)
		}
	}
	if _, ok := guard.AssertionFromContext(t.Context()); ok {
		t.Error("there are claims where no middleware is")
	}
}

// No guard takes an assertion for an access token, even if their audiences are the same.
func TestGuardRefusesAssertions(t *testing.T) {
	keys := token.NewKeyring(es256(t))
	clock := func() time.Time { return now }
	verifier, err := token.NewVerifier(keys, token.Expect{Issuer: issuer, Audience: shop, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	g := guard.New(verifier, guard.Options{DangerIgnoreEndedSessions: true, Clock: clock})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+assertionAt(t, keys, now))
	w := httptest.NewRecorder()
	g.RequireLogin(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("an assertion as an access token: %d", w.Code)
	}
}

func TestRequireGroup(t *testing.T) {
	keys := token.NewKeyring(es256(t))
	clock := func() time.Time { return now }
	verifier, err := token.NewVerifier(keys, token.Expect{Issuer: issuer, Audience: issuer, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	g := guard.New(verifier, guard.Options{DangerIgnoreEndedSessions: true, Clock: clock})
	for _, test := range []struct {
		level  token.Level
		groups []string
		status int
	}{
		{token.LevelPassword, []string{"dev", "ops"}, 200},
		{token.LevelPassword, []string{"ops2"}, 403},
		{token.LevelPassword, nil, 403},
		{token.LevelRecovery, []string{"ops"}, 403},
	} {
		raw, err := token.NewSigner(keys).Sign(token.Claims{
			Issuer: issuer, Audience: []string{issuer}, Subject: "user", ID: "id", SessionID: "session",
			IssuedAt: now.Unix(), ExpiresAt: now.Unix() + 60, Level: test.level, ACR: test.level,
			AuthTime: now.Unix(), Methods: []string{"pwd"}, Groups: test.groups,
		})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+raw)
		w := httptest.NewRecorder()
		g.RequireGroup("ops")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if w.Code != test.status {
			t.Errorf("%s, %q: %d, want %d", test.level, test.groups, w.Code, test.status)
		}
		if challenge := w.Header().Get("WWW-Authenticate"); test.level == token.LevelPassword && challenge != "" {
			t.Errorf("%q: the challenge %q, which no step-up would meet", test.groups, challenge)
		}
	}
}

// The snippet of docs/assertion.md accepts what the service signs, and nothing else.
func TestAssertionInJavaScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("node is missing; on Debian and Ubuntu: apt-get install nodejs")
	}
	if err != nil {
		t.Skip("node is not installed")
	}
	key := es256(t)
	keys := token.NewKeyring(key)
	server := httptest.NewServer(publish(keys, ""))
	defer server.Close()
	script, err := filepath.Abs("../docs/assertion.mjs")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	access, err := token.NewSigner(keys).Sign(token.Claims{
		Issuer: issuer, Audience: []string{shop}, Subject: "user", ID: "id", SessionID: "session",
		IssuedAt: at.Unix(), ExpiresAt: at.Unix() + 60, Level: token.LevelPassword, ACR: token.LevelPassword,
		AuthTime: at.Unix(), Methods: []string{"pwd"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what, raw, audience string
		want                bool
	}{
		{"valid", assertionAt(t, keys, at), shop, true},
		{"another application's", assertionAt(t, keys, at), issuer, false},
		{"expired", assertionAt(t, keys, at.Add(-time.Hour)), shop, false},
		{"of another key", assertionAt(t, token.NewKeyring(es256(t)), at), shop, false},
		{"an access token", access, shop, false},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		run := exec.CommandContext(ctx, node, "--input-type=module", "-e", `
			const { identity } = await import(process.argv[1]);
			const [, , jwks, issuer, audience, raw] = process.argv;
			console.log(JSON.stringify(await identity(raw, { jwks, issuer, audience })));`,
			"file://"+script, server.URL, issuer, test.audience, test.raw)
		run.Env = append(os.Environ(), "NODE_NO_WARNINGS=1")
		printed, err := run.Output()
		cancel()
		var claims struct {
			Sub    string
			Groups []string
		}
		if (err == nil) != test.want {
			t.Errorf("%s: %v, want it accepted: %v", test.what, err, test.want)
		} else if test.want && (json.Unmarshal(printed, &claims) != nil || claims.Sub != "user" || len(claims.Groups) != 2) {
			t.Errorf("%s: %s", test.what, printed)
		}
	}
}

func ExampleAssertions_Require() {
	assertions, err := guard.NewAssertions(guard.AssertionOptions{
		Issuer:   "https://auth.example.com",
		Audience: "https://app.example.com",
		Keys:     guard.NewRemoteKeys("https://auth.example.com/.well-known/jwks.json", nil),
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", assertions.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := guard.AssertionFromContext(r.Context())
		fmt.Fprintf(w, "Hello %s", user.Username)
	})))
}
