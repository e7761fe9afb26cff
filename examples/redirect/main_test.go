package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/httpapi"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/sqlstore/sqlite"
	"github.com/stepkey/stepkey/webui"
)

const app = "http://localhost:4000"

// serveStepkey starts a Stepkey that trusts the application, and returns its origin.
func serveStepkey(t *testing.T) string {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stepkey.db"), sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	server := httptest.NewUnstartedServer(nil)
	origin := strings.Replace("http://"+server.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	service, err := stepkey.New(context.WithoutCancel(t.Context()), stepkey.Config{
		Store: store, Challenges: store, Limiter: store, Origins: []string{origin}, Secret: "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw=",
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := webui.New(webui.Options{ReturnOrigins: []string{origin, app}})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = httpapi.New(service, httpapi.Options{Pages: pages, CORSOrigins: []string{app}})
	server.Start()
	t.Cleanup(server.Close)
	return origin
}

// ask sends a request as a browser does for a page of origin.
func ask(t *testing.T, method, url, origin, body string, cookies ...*http.Cookie) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", origin)
	r.Header.Set("Content-Type", "application/json")
	for _, cookie := range cookies {
		r.AddCookie(cookie)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}

func TestTokenIsReadAfterTheRedirect(t *testing.T) {
	stepkey := serveStepkey(t)
	server := httptest.NewServer(newApp(app, stepkey))
	t.Cleanup(server.Close)

	sent, _ := ask(t, "GET", server.URL+"/sign-in", app, "")
	if want := stepkey + "/sign-in?return_to=http%3A%2F%2Flocalhost%3A4000%2F"; sent.StatusCode != 303 || sent.Header.Get("Location") != want {
		t.Fatalf("%d to %s, want %s", sent.StatusCode, sent.Header.Get("Location"), want)
	}
	if _, text := ask(t, "GET", server.URL+"/app.js", app, ""); !strings.Contains(text, `from "`+stepkey+`/stepkey.js"`) {
		t.Errorf("the script does not import the client:\n%s", text)
	}
	readable := func(what string, answer *http.Response) {
		t.Helper()
		h := answer.Header
		if answer.StatusCode >= 300 || h.Get("Access-Control-Allow-Origin") != app || h.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: %d, %v", what, answer.StatusCode, h)
		}
	}
	client, _ := ask(t, "GET", stepkey+"/stepkey.js", app, "")
	readable("the client", client)

	const refresh = `{"ifPresent":true}`
	nobody, _ := ask(t, "POST", stepkey+"/auth/refresh", app, refresh)
	readable("nobody", nobody)
	if nobody.StatusCode != http.StatusNoContent {
		t.Errorf("nobody: %d, want 204", nobody.StatusCode)
	}

	// Somebody signs up and in on Stepkey's own pages.
	const mira = `{"username":"mira","password":"correct horse battery","refresh":"cookie"}`
	ask(t, "POST", stepkey+"/auth/signup", stepkey, mira)
	signedIn, _ := ask(t, "POST", stepkey+"/auth/login", stepkey, mira)

	stranger, _ := ask(t, "POST", stepkey+"/auth/refresh", "http://localhost:5000", refresh, signedIn.Cookies()...)
	if stranger.StatusCode != http.StatusForbidden || stranger.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another application: %d", stranger.StatusCode)
	}
	back, text := ask(t, "POST", stepkey+"/auth/refresh", app, refresh, signedIn.Cookies()...)
	readable("back", back)
	if !strings.Contains(text, `"accessToken"`) {
		t.Errorf("no token: %s", text)
	}
}
