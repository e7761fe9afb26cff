package main

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/stepkeytest"
)

// serve starts the application and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	db, err := sql.Open("sqlite", strings.Replace(dsn, "app.db", filepath.Join(t.TempDir(), "app.db"), 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	server := httptest.NewUnstartedServer(nil)
	origin := strings.Replace("http://"+server.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	if server.Config.Handler, err = newApp(t.Context(), db, "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw=", origin); err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(server.Close)
	return origin
}

func TestPasskeyIsNeeded(t *testing.T) {
	origin := serve(t)
	c := stepkeytest.NewClient(t, origin)
	want := func(what string, answer *http.Response, status int, text string) {
		t.Helper()
		if body := c.Body(answer); answer.StatusCode != status || !strings.Contains(body, text) {
			t.Fatalf("%s: %d, want %d and %q in\n%s", what, answer.StatusCode, status, text, body)
		}
	}
	signIn := url.Values{"name": {"mira"}, "password": {"correct horse battery"}}
	payout := url.Values{"amount": {"100 €"}, "to": {"Ada = Bob"}}

	want("nobody", c.Get("/payouts"), http.StatusOK, "Sign in")
	want("the sign-in", c.PostForm("/login", signIn), http.StatusOK, "You have no passkey yet.")
	want("without a passkey", c.PostForm("/payouts", payout), http.StatusUnauthorized, "This needs a passkey")
	c.Enrol()
	answer := c.PostForm("/payouts", payout)
	want("with one", answer, http.StatusOK, "Paid 100 € to Ada = Bob.")
	c.Refuse()
	want("once more", c.PostForm("/payouts", payout), http.StatusOK, "Paid 100 €")
	copied := answer.Request.Cookies()

	want("the sign-out", c.PostForm("/logout", nil), http.StatusOK, "Sign in")
	want("the next sign-in", c.PostForm("/login", signIn), http.StatusOK, "Sign out")
	want("the next session", c.PostForm("/payouts", payout), http.StatusUnauthorized, "Verify with a passkey")

	c = stepkeytest.NewClient(t, origin)
	for _, cookie := range copied {
		c.SetCookie(cookie)
	}
	c.Refuse()
	want("the old cookie", c.PostForm("/payouts", payout), http.StatusUnauthorized, "Verify with a passkey")
}
