package stepup_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/stepkeytest"
	"github.com/stepkey/stepkey/stepup"
	"github.com/stepkey/stepkey/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const testSecret = "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw="

// app is an application with users of its own, who sign in by naming themselves.
type app struct {
	testing.TB
	url   string
	db    *sql.DB
	kit   *stepup.Kit
	clock *storetest.Clock

	handler http.Handler

	mu       sync.Mutex
	sessions map[string]*stepup.Identity // by the value of the cookie
	paid     []string                    // bodies of payments
	panics   bool                        // Identify does
	fails    error                       // of Identify
}

// database opens an empty database of a kind.
func database(t testing.TB, kind string) *sql.DB {
	t.Helper()
	driver, dsn := "sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+
		"?_pragma=busy_timeout(120000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)"
	if kind == "postgres" {
		driver, dsn = "pgx", pgtest.NewDatabase(t)
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// onBoth runs a test with an application on SQLite and on PostgreSQL.
func onBoth(t *testing.T, change func(*stepup.Config), test func(a *app)) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) { test(newApp(t, database(t, kind), change)) })
	}
}

// newApp starts an application, with a config that change may change.
func newApp(t testing.TB, db *sql.DB, change func(*stepup.Config)) *app {
	t.Helper()
	a := &app{TB: t, db: db, clock: storetest.NewClock(), sessions: make(map[string]*stepup.Identity)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	a.url = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	config := stepup.Config{
		DB: db, Secret: testSecret, RPName: "Shop", Origins: []string{a.url}, SignIn: "/login?next=", Clock: a.clock.Now,
		Purposes: []stepup.Purpose{{
			Name: "payout", Title: "Pay out", Rule: stepup.Passkey.Within(10 * time.Minute), Labels: map[string]string{"amount": "Amount"},
		}},
		Identify: a.identify,
	}
	if change != nil {
		change(&config)
	}
	kit, err := stepup.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	a.replace(kit)
	return a
}

// replace has the application use another Kit from now on.
func (a *app) replace(kit *stepup.Kit) {
	a.kit = kit
	a.handler = a.routes()
}

func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/_stepkey/", a.kit)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "home") })
	mux.HandleFunc("GET /settings", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, a.kit.Manage(r)) })
	mux.Handle("/payouts", a.kit.Require("payout")(http.HandlerFunc(a.pay)))
	mux.Handle("/transfer", a.kit.RequireAction("payout", "amount", "to")(http.HandlerFunc(a.pay)))
	return mux
}

// pay notes what was posted.
func (a *app) pay(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Method == http.MethodPost {
		a.paid = append(a.paid, string(body))
	}
	fmt.Fprintf(w, "payouts %s", body)
}

// payments are the bodies of payments so far.
func (a *app) payments() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.paid...)
}

func (a *app) identify(r *http.Request) (stepup.Identity, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.panics {
		panic("no session in the context")
	}
	cookie, err := r.Cookie("session")
	if err != nil || a.sessions[cookie.Value] == nil {
		return stepup.Identity{}, a.fails
	}
	return *a.sessions[cookie.Value], a.fails
}

// signIn starts a session of a user and returns a browser that has its cookie, and the cookie.
func (a *app) signIn(user string) (c *stepkeytest.Client, cookie string) {
	a.Helper()
	cookie = rand.Text()
	a.setIdentity(cookie, &stepup.Identity{
		User: user, Name: user + "@example.com", DisplayName: user, Session: "value of " + cookie, SignedInAt: a.clock.Now(),
	})
	return a.browserWith(cookie), cookie
}

// setIdentity changes who the session of a cookie belongs to; nil ends it.
func (a *app) setIdentity(cookie string, id *stepup.Identity) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions[cookie] = id
}

// identity returns a copy of the Identity of a cookie's session.
func (a *app) identity(cookie string) stepup.Identity {
	a.mu.Lock()
	defer a.mu.Unlock()
	return *a.sessions[cookie]
}

// browserWith is a browser with a cookie, such as a copied one.
func (a *app) browserWith(cookie string) *stepkeytest.Client {
	a.Helper()
	c := stepkeytest.NewClient(a, a.url)
	c.SetCookie(&http.Cookie{Name: "session", Value: cookie})
	return c
}

// want fails unless an answer has this status and holds the text.
func (a *app) want(what string, c *stepkeytest.Client, answer *http.Response, status int, text string) {
	a.Helper()
	if body := c.Body(answer); answer.StatusCode != status || !strings.Contains(body, text) {
		a.Errorf("%s: %d %.400s; want %d and %q", what, answer.StatusCode, body, status, text)
	}
}
