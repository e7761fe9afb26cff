package stepup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepup"
)

// lockedBuffer takes a log that several goroutines write.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.text.String() }

// Row: the Kit stands outside the session middleware. Whatever Identify does that it must not do
// closes the guarded pages, says why in the log, and repeats neither key nor session there.
func TestThreatKitOutsideTheSessionMiddleware(t *testing.T) {
	for _, test := range []struct {
		name   string
		breaks func(a *app, cookie string)
		log    string
	}{
		{"Identify panics", func(a *app, _ string) { a.panics = true }, "mount the Kit inside the middleware that loads sessions"},
		{"Identify fails", func(a *app, _ string) { a.fails = errors.New("no store") }, "no store"},
		{"a key of 256 bytes", func(a *app, cookie string) {
			change(a, cookie, func(id *stepup.Identity) { id.User = strings.Repeat("secret-", 37) })
		}, "Identity.User has 259 bytes"},
		{"a session of 1 KiB and a byte", func(a *app, cookie string) {
			change(a, cookie, func(id *stepup.Identity) { id.Session = strings.Repeat("s", 1025) })
		}, "Identity.Session has 1025 bytes"},
		{"a proof of a passkey", func(a *app, cookie string) {
			change(a, cookie, func(id *stepup.Identity) { id.Proofs = []stepup.Proof{{Factor: stepup.Passkey, At: a.clock.Now()}} })
		}, "Identity.Proofs[0]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := &lockedBuffer{}
			onBothWays(t, func(c *stepup.Config) { c.Log = slog.New(slog.NewTextHandler(log, nil)) }, func(a *app) {
				owner := a.owner("42")
				owner.verifies()
				a.wantPass("before", owner.Client, true)
				test.breaks(a, owner.cookie)
				for _, r := range []*http.Request{
					a.request(http.MethodGet, "/payouts", nil), a.request(http.MethodGet, "/payouts", nil, asDocument...), a.posts("/payouts", "a=1"),
					a.posts("/transfer", "amount=1"), a.request(http.MethodGet, "/_stepkey/verify?p=payout&next=/", nil, asDocument...),
					a.request(http.MethodPost, "/_stepkey/begin", strings.NewReader("{}"), "Origin", a.url, "Content-Type", "application/json"),
				} {
					told := `"code":"unavailable"`
					if r.Header.Get("Sec-Fetch-Mode") == "navigate" {
						told = "<h1>Not available</h1>"
					}
					a.want(r.Method+" "+r.URL.Path, owner.Client, owner.Do(r), http.StatusServiceUnavailable, told)
				}
				a.want("settings", owner.Client, owner.Do(a.request(http.MethodGet, "/settings", nil)), http.StatusOK, "cannot be shown at the moment")
				if text := log.String(); !strings.Contains(text, test.log) || strings.Contains(text, "secret-") || strings.Contains(text, "value of ") {
					a.Errorf("log: %s", text)
				}
			})
		})
	}
	onBoth(t, func(c *stepup.Config) { c.Identify = nil }, func(a *app) {
		c := a.browserWith("any")
		a.wantCode("neither Identify nor WithIdentity", c, c.Do(a.request(http.MethodGet, "/payouts", nil)), http.StatusServiceUnavailable, "unavailable")
		guarded := a.kit.Require("payout")(http.NotFoundHandler())
		answer := httptest.NewRecorder()
		r := a.request(http.MethodGet, "/payouts", nil)
		guarded.ServeHTTP(answer, r.WithContext(stepup.WithIdentity(r.Context(), stepup.Identity{})))
		if answer.Code != http.StatusUnauthorized {
			a.Errorf("nobody by WithIdentity: %d, want 401", answer.Code)
		}
	})
}

func change(a *app, cookie string, with func(*stepup.Identity)) {
	id := a.identity(cookie)
	with(&id)
	a.setIdentity(cookie, &id)
}

// A session without a value, as that of an API token, proves nothing and keeps nothing.
func TestThreatEmptySession(t *testing.T) {
	onBothWays(t, nil, func(a *app) {
		owner := a.owner("42")
		owner.verifies()
		token := owner.elsewhere()
		change(a, token.cookie, func(id *stepup.Identity) { id.Session = "" })
		for _, r := range []*http.Request{
			a.request(http.MethodGet, "/payouts", nil, asDocument...), a.posts("/payouts", "a=1"), a.posts("/transfer", "amount=1"),
		} {
			// A person whose session is older than the Kit has to sign in again, by a link.
			a.want(r.Method+" "+r.URL.Path, token.Client, token.Do(r), http.StatusForbidden, `href="/login?next=`)
		}
		script := a.request(http.MethodGet, "/payouts", nil)
		a.wantCode("a script", token.Client, token.Do(script), http.StatusForbidden, "session_required")
		for _, call := range []string{"begin", "finish", "add/begin", "add/finish", "codes", "recover", "skip"} {
			a.wantCode(call, token.Client, token.Call("/_stepkey/"+call, struct{}{}), http.StatusForbidden, "session_required")
		}
		if _, ok := a.kit.Proof(a.request(http.MethodGet, "/", nil, "Cookie", "session="+token.cookie)); ok {
			a.Error("Proof returns one")
		}
	})
}

// A Host that is not in Origins gets no page for a purpose, and a post of it keeps no form.
func TestThreatHostOutsideOrigins(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		owner := a.owner("42")
		for _, r := range []*http.Request{
			a.request(http.MethodGet, "/_stepkey/verify?p=payout&next=/", nil, asDocument...), a.posts("/payouts", "a=1"),
		} {
			r.Host = "evil.example"
			r.Header.Set("Cookie", "session="+owner.cookie)
			answer := owner.Do(r)
			a.want(r.Method, owner.Client, answer, http.StatusMisdirectedRequest, "Passkeys work at "+a.url)
			if body := owner.Body(answer); strings.Contains(body, "evil") || strings.Contains(body, "data-form") {
				a.Errorf("%s", body)
			}
		}
	})
}

// Row: a second application on the tables: one key, two realms.
func TestThreatSecondApplication(t *testing.T) {
	onBothWays(t, nil, func(a *app) {
		other := newApp(a, a.db, func(c *stepup.Config) { c.Realm, c.Clock = "blog", a.clock.Now })
		other.clock = a.clock
		owner := a.owner("42")
		owner.verifies()
		same := other.arrives("42")
		id := a.identity(owner.cookie)
		other.setIdentity(same.cookie, &id)
		other.wantPass("the same key and session in another realm", same.Client, false)
		other.wantCode("its passkey", same.Client, same.Call("/_stepkey/begin", map[string]string{"purpose": "payout"}), http.StatusConflict, "no_passkeys")
		for _, end := range []func() error{
			func() error { return other.kit.EndProofs(a.Context(), nil, "42") },
			func() error { return other.kit.Forget(a.Context(), nil, "42") },
		} {
			if err := end(); err != nil {
				a.Fatal(err)
			}
			a.wantPass("after the other application ended its own", owner.Client, true)
		}
		config := stepup.Config{
			DB: a.db, Secret: "Tm90IHRoZSBzZWNyZXQgdGhhdCB3YXMgdXNlZCBmaXI=", Origins: []string{a.url}, SignIn: "/login?next=",
			Purposes: []stepup.Purpose{{Name: "payout", Rule: stepup.Passkey.Within(time.Minute)}},
		}
		if _, err := stepup.New(a.Context(), config); !errors.Is(err, stepkey.ErrOtherSecret) {
			a.Errorf("another secret: %v, want ErrOtherSecret", err)
		}
		config.Secret, config.Origins = testSecret, []string{"https://shop.example"}
		if _, err := stepup.New(a.Context(), config); !errors.Is(err, stepkey.ErrOtherRPID) {
			a.Errorf("another domain: %v, want ErrOtherRPID", err)
		}
	})
}

// Another application on the same tables delivers its own events and leaves those of this one untouched.
func TestThreatOutboxOnTheSameTables(t *testing.T) {
	var told, toldOther atomic.Int32
	onBoth(t, func(c *stepup.Config) {
		told.Store(0)
		toldOther.Store(0)
		c.Notify = func(context.Context, stepup.Event) error { told.Add(1); return nil }
	}, func(a *app) {
		other := newApp(a, a.db, func(c *stepup.Config) {
			c.Realm, c.Clock = "blog", a.clock.Now
			c.Notify = func(_ context.Context, e stepup.Event) error {
				if e.User != "7" {
					a.Errorf("told of %s, a user of another application", e.User)
				}
				toldOther.Add(1)
				return nil
			}
		})
		other.clock = a.clock
		a.owner("42")
		other.owner("7")
		a.whileRunning(func(ctx context.Context) { _ = other.kit.Run(ctx) }, func() bool { return toldOther.Load() > 0 })
		if n := a.number("SELECT count(*) FROM " + table(a, "outbox") + " WHERE kind = 'event of app' AND tries = 0 AND state = 'ready'"); n != 1 {
			a.Errorf("%d events wait untouched, want 1", n)
		}
		a.whileRunning(func(ctx context.Context) { _ = a.kit.Run(ctx) }, func() bool { return told.Load() > 0 })
	})
}

// table is the name of a table of Stepkey's in the application's database.
func table(a *app, name string) string {
	if err := a.db.QueryRowContext(a.Context(), "SELECT 1 FROM stepkey."+name+" LIMIT 0").Scan(new(int)); err != nil && strings.Contains(err.Error(), "no such table") {
		return "stepkey_" + name
	}
	return "stepkey." + name
}

// Path and Prefix: the Kit behind a proxy that strips a prefix sends browsers to paths as they see them.
func TestThreatPrefixStripped(t *testing.T) {
	onBoth(t, func(c *stepup.Config) { c.Path, c.Prefix = "/shop/keys/", "/shop" }, func(a *app) {
		inner := http.NewServeMux()
		inner.Handle("/keys/", a.kit)
		inner.Handle("/payouts", a.kit.Require("payout")(http.HandlerFunc(a.pay)))
		proxy := httptest.NewServer(http.StripPrefix("/shop", inner))
		defer proxy.Close()
		c, cookie := a.signIn("42")
		through := func(path string) *http.Request {
			a.Helper()
			r, err := http.NewRequestWithContext(a.Context(), http.MethodGet, proxy.URL+path, nil)
			if err != nil {
				a.Fatal(err)
			}
			r.Header.Set("Accept", "text/html")
			r.Header.Set("Cookie", "session="+cookie)
			return r
		}
		answer := c.Do(through("/shop/payouts?a=1"))
		if got := answer.Header.Get("Location"); got != "/shop/keys/verify?p=payout&next=%2Fshop%2Fpayouts%3Fa%3D1" {
			a.Errorf("the guarded page leads to %q", got)
		}
		if answer := c.Do(through("/shop/keys/stepup.js")); answer.StatusCode != http.StatusOK {
			a.Errorf("the script: %d", answer.StatusCode)
		}
	})
}

// Tables of the application stay as they are, whatever their names, and Migrate alone is enough.
func TestThreatOtherTablesInTheDatabase(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		for _, schema := range []string{"", "keys"} {
			t.Run(fmt.Sprintf("%s %q", kind, schema), func(t *testing.T) {
				db := database(t, kind)
				for _, name := range []string{"users", "sessions", "events", "goose_db_version", "schema_migrations"} {
					if _, err := db.ExecContext(t.Context(), "CREATE TABLE "+name+" (id TEXT PRIMARY KEY, version_id TEXT)"); err != nil {
						t.Fatal(err)
					}
					if _, err := db.ExecContext(t.Context(), "INSERT INTO "+name+" VALUES ('theirs', 'x')"); err != nil {
						t.Fatal(err)
					}
				}
				for range 2 {
					if err := stepup.Migrate(t.Context(), db, schema); err != nil {
						t.Fatal(err)
					}
				}
				a := newApp(t, db, func(c *stepup.Config) { c.Schema = schema })
				owner := a.owner("42")
				owner.verifies()
				a.wantPass("the owner", owner.Client, true)
				for _, name := range []string{"users", "sessions", "events", "goose_db_version", "schema_migrations"} {
					var n int
					if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+name).Scan(&n); err != nil || n != 1 {
						t.Errorf("%s: %d rows, %v; want 1", name, n, err)
					}
				}
			})
		}
	}
}
