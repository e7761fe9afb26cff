package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/crypto/bcrypt"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/internal/rawsql"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/webauthn"
)

// originalSchema is what TypeORM makes of the original's entities.
const originalSchema = `
	CREATE TABLE "users" (
		"id" uuid NOT NULL DEFAULT gen_random_uuid(),
		"username" character varying NOT NULL,
		"passwordHash" character varying NOT NULL,
		"isActive" boolean NOT NULL DEFAULT true,
		"createdAt" TIMESTAMP NOT NULL DEFAULT now(),
		"updatedAt" TIMESTAMP NOT NULL DEFAULT now(),
		CONSTRAINT "UQ_fe0bb3f6520ee0469504521e710" UNIQUE ("username"),
		CONSTRAINT "PK_a3ffb1c0c8416b9fc6f907b7433" PRIMARY KEY ("id"));
	CREATE TABLE "passkey_credentials" (
		"id" uuid NOT NULL DEFAULT gen_random_uuid(),
		"credentialId" bytea NOT NULL,
		"publicKey" bytea NOT NULL,
		"counter" bigint NOT NULL,
		"transports" text array,
		"deviceName" text,
		"createdAt" TIMESTAMP NOT NULL DEFAULT now(),
		"lastUsedAt" TIMESTAMP,
		"userId" uuid,
		CONSTRAINT "PK_passkey_credentials" PRIMARY KEY ("id"));
	CREATE UNIQUE INDEX "IDX_credential" ON "passkey_credentials" ("credentialId");
	ALTER TABLE "passkey_credentials" ADD CONSTRAINT "FK_user"
		FOREIGN KEY ("userId") REFERENCES "users"("id") ON DELETE CASCADE;`

// original is a database of the original.
type original struct {
	testing.TB
	dsn    string
	db     *sql.DB
	origin string // of its pages, and of ours
	users  int
}

func newOriginal(tb testing.TB, origin string) *original {
	tb.Helper()
	o := &original{TB: tb, dsn: pgtest.NewDatabase(tb), origin: origin}
	var err error
	if o.db, err = sql.Open("pgx", o.dsn); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { o.db.Close() })
	o.exec(originalSchema)
	return o
}

func (o *original) exec(statement string, args ...any) {
	o.Helper()
	if _, err := o.db.ExecContext(o.Context(), statement, args...); err != nil {
		o.Fatal(err)
	}
}

// signUp adds a user as the original does, each a day younger than the one before.
func (o *original) signUp(name, password string, cost int) uuid.UUID {
	o.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		o.Fatal(err)
	}
	id := uuid.New()
	o.users++
	o.exec(`INSERT INTO users (id, username, "passwordHash", "createdAt") VALUES ($1, $2, $3, $4)`,
		id, name, strings.Replace(string(hash), "$2a$", "$2b$", 1), time.Date(2024, 1, o.users, 9, 30, 0, 0, time.UTC))
	return id
}

// enrol adds a passkey, with the handle that the original gives out.
func (o *original) enrol(id uuid.UUID, config authenticator.Config) *authenticator.Authenticator {
	o.Helper()
	device := authenticator.New(config)
	rp, err := ceremony.New(ceremony.Config{RPID: "localhost", RPName: "Original", Origins: []string{o.origin}})
	if err != nil {
		o.Fatal(err)
	}
	owner := ceremony.User{Handle: []byte(id.String()), Name: "somebody", DisplayName: "somebody"}
	options, state, err := rp.BeginRegistration(owner, nil)
	if err != nil {
		o.Fatal(err)
	}
	sent, err := json.Marshal(options)
	if err != nil {
		o.Fatal(err)
	}
	answer, err := device.Create(o.origin, sent)
	if err != nil {
		o.Fatal(err)
	}
	var response webauthn.RegistrationResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		o.Fatal(err)
	}
	c, err := rp.FinishRegistration(owner, state, response)
	if err != nil {
		o.Fatal(err)
	}
	o.exec(`INSERT INTO passkey_credentials ("credentialId", "publicKey", counter, transports, "userId")
		VALUES ($1, $2, $3, '{internal}', $4)`, c.ID, c.PublicKey, int64(c.SignCount), id)
	return device
}

// call asks a running service and wants an answer of that status.
func call(t *testing.T, want int, method, address, token string, body []byte) (answer struct{ AccessToken string }, raw []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err = io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		t.Fatalf("%s %s: %d %s, %v; want %d", method, address, response.StatusCode, raw, err, want)
	}
	_ = json.Unmarshal(raw, &answer) // not every answer is an object with a token
	return answer, raw
}

// signInAndStepUp goes the whole way as a client of the original does.
func signInAndStepUp(t *testing.T, address, name, password string, device *authenticator.Authenticator) {
	t.Helper()
	credentials, err := json.Marshal(map[string]string{"username": name, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	granted, _ := call(t, 201, "POST", address+"/auth/login", "", credentials)
	if device == nil {
		return
	}
	call(t, 403, "GET", address+"/users/histories", granted.AccessToken, nil)
	_, options := call(t, 200, "GET", address+"/passkeys/auth/options", granted.AccessToken, nil)
	assertion, err := device.Get(address, options)
	if err != nil {
		t.Fatal(err)
	}
	var sent struct{ Response struct{ UserHandle string } }
	if err := json.Unmarshal(assertion, &sent); err != nil || sent.Response.UserHandle == "" {
		t.Fatalf("the authenticator returns the handle %q, %v; want one", sent.Response.UserHandle, err)
	}
	full, _ := call(t, 201, "POST", address+"/passkeys/auth/verify", granted.AccessToken, assertion)
	call(t, 200, "GET", address+"/users/histories", full.AccessToken, nil)
}

// serveAt makes the service of this test run on a free port, on SQLite or on the
// PostgreSQL database dsn.
func serveAt(t *testing.T, dsn string) (address string) {
	t.Helper()
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	if dsn != "" {
		t.Setenv("DATABASE_URL", dsn)
	}
	return "http://localhost:" + port
}

// one reads a single value from the database that the service of this test has.
func one[T any](t *testing.T, dsn, query string, args ...any) (value T) {
	t.Helper()
	if dsn == "" {
		dsn = "sqlite:" + filepath.Join("data", "stepkey.db")
	}
	db, err := rawsql.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func onBothTargets(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "") })
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.NewDatabase(t)) })
}

// The promise of moving in: nobody of the original notices.
func TestImportNestJS(t *testing.T) {
	onBothTargets(t, func(t *testing.T, dsn string) {
		address := serveAt(t, dsn)
		o := newOriginal(t, address)
		type person struct {
			name, password string
			device         *authenticator.Authenticator
		}
		var people []person
		for i, config := range []authenticator.Config{
			{BackupEligible: true, BackedUp: true}, {CounterStep: 1}, {Algorithms: []int64{authenticator.RS256}}, {}, {}, {},
		} {
			p := person{name: fmt.Sprintf("Person%d", i), password: fmt.Sprintf("password of %d", i)}
			cost := bcrypt.MinCost
			if i < 3 {
				cost = 12 // as the original has it
			}
			id := o.signUp(p.name, p.password, cost)
			if i < 4 {
				p.device = o.enrol(id, config)
			}
			people = append(people, p)
		}
		o.signUp("short", "pw", bcrypt.MinCost) // the original takes any password
		people = append(people, person{name: "short", password: "pw"})
		o.signUp("PERSON0", "somebody else", bcrypt.MinCost)
		o.signUp("two words", "somebody else", bcrypt.MinCost)
		gone := o.signUp("gone", "password of gone", bcrypt.MinCost)
		o.exec(`UPDATE users SET "isActive" = false WHERE id = $1`, gone)
		lost := o.signUp("lost", "password of lost", bcrypt.MinCost)
		o.enrol(lost, authenticator.Config{})
		o.exec(`UPDATE passkey_credentials SET counter = -1 WHERE "userId" = $1`, lost)

		from := []string{"import", "nestjs", "--from", o.dsn}
		report := wantCommand(t, 0, "11 users read: 9 can be taken over, 0 are here already, 2 left out.\n4 passkeys can be taken over, 1 left out.", from...)
		for _, part := range []string{
			`"PERSON0": another one to be imported has the user name`, `"two words": the user name is outside`,
			`passkey 1 of "lost": the signature counter`, "lose all their passkeys: 1.", "run the same command with --yes", "11 of 11 users read",
		} {
			if !strings.Contains(report, part) {
				t.Errorf("the report lacks %q:\n%s", part, report)
			}
		}
		if n := one[int](t, dsn, `SELECT count(*) FROM users`); n != 0 {
			t.Fatalf("a dry run added %d users", n)
		}
		wantCommand(t, 0, "9 taken over, 0 are here already, 2 left out.\n4 passkeys taken over, 1 left out.", append(from, "--yes")...)
		start(t)
		for _, p := range people {
			signInAndStepUp(t, address, p.name, p.password, p.device)
		}
		if status, _ := post(t, address+"/auth/login", `{"username":"gone","password":"password of gone"}`); status != 401 {
			t.Errorf("login of a user who was not active: %d, want 401", status)
		}
		for _, p := range people {
			hash := one[string](t, dsn, `SELECT password_hash FROM users WHERE username = $1`, p.name)
			if !strings.HasPrefix(hash, "$argon2id$") {
				t.Errorf("%s: after the login the hash is %s", p.name, hash)
			}
			signInAndStepUp(t, address, p.name, p.password, p.device)
		}
		if transports := one[string](t, dsn, `SELECT min(transports) FROM passkeys`); transports != "null" {
			t.Errorf("transports %s, want none: the original makes them up", transports)
		}
		if n := one[int](t, dsn, `SELECT count(*) FROM events WHERE kind = 'user.imported'`); n != 9 {
			t.Errorf("%d events, want 9", n)
		}

		// Those who come later are taken, and nothing else changes.
		o.signUp("late", "password of late", bcrypt.MinCost)
		wantCommand(t, 0, "12 users read: 1 taken over, 9 are here already, 2 left out.", append(from, "--yes")...)
		signInAndStepUp(t, address, people[1].name, people[1].password, people[1].device)
		if n := one[int](t, dsn, `SELECT count(*) FROM users`); n != 10 {
			t.Errorf("%d users, want 10", n)
		}
	})
}

func TestImportNestJSRefusals(t *testing.T) {
	serveAt(t, "")
	wantCommand(t, 1, "say where the users are", "import", "nestjs")
	printed := wantCommand(t, 1, "not a PostgreSQL URL", "import", "nestjs", "--from", "postgres://u:hunter2@local host/db")
	printed += wantCommand(t, 1, "cannot be reached", "import", "nestjs", "--from", "postgres://u:hunter2@127.0.0.1:1/db")
	if strings.Contains(printed, "hunter2") {
		t.Errorf("the password is printed: %s", printed)
	}
	wantCommand(t, 1, "no users of the original", "import", "nestjs", "--from", pgtest.NewDatabase(t))
	wantCommand(t, 2, "--yes", "import", "nestjs", "--yes", "--dry-run")
}

// With the original's .env as it stands Stepkey shares its database: the tables of both are
// side by side, also where the search path leads to Stepkey's first.
func TestImportNestJSFromTheSameDatabase(t *testing.T) {
	for name, test := range map[string]struct{ schema, pgbouncer string }{
		"schema of its own":             {schema: "stepkey"},
		"schema named like the role":    {schema: "postgres"},
		"PgBouncer in session mode":     {"stepkey", "session"},
		"PgBouncer in transaction mode": {"stepkey", "transaction"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOriginal(t, "")
			if test.pgbouncer != "" {
				o.dsn = pgtest.NewBouncer(t, test.pgbouncer).DSN(o.dsn)
			}
			o.origin = serveAt(t, "")
			id := o.signUp("mira", "password of mira", bcrypt.MinCost)
			device := o.enrol(id, authenticator.Config{})
			t.Setenv("STEPKEY_DB_SCHEMA", test.schema)
			dsn, err := url.Parse(o.dsn)
			if err != nil {
				t.Fatal(err)
			}
			for setting, value := range map[string]string{
				"DB_HOST": dsn.Query().Get("host"), "DB_PORT": dsn.Query().Get("port"),
				"DB_USER": dsn.User.Username(), "DB_NAME": strings.TrimPrefix(dsn.Path, "/"),
			} {
				t.Setenv(setting, value)
			}
			before := o.text()
			wantCommand(t, 0, "1 users read: 1 can be taken over", "import", "nestjs")
			wantCommand(t, 0, "1 users read: 1 taken over", "import", "nestjs", "--yes")
			start(t)
			signInAndStepUp(t, o.origin, "mira", "password of mira", device)
			wantCommand(t, 0, "1 users read: 0 taken over, 1 are here already", "import", "nestjs", "--yes", "--from", o.dsn)
			if after := o.text(); after != before {
				t.Errorf("the original has changed from %s to %s", before, after)
			}
		})
	}
}

// text is everything that the original has.
func (o *original) text() (all string) {
	o.Helper()
	err := o.db.QueryRowContext(o.Context(), `SELECT (SELECT string_agg(u::text, ' ') FROM public.users u) ||
		(SELECT string_agg(p::text, ' ') FROM public.passkey_credentials p) ||
		(SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace)`).Scan(&all)
	if err != nil {
		o.Fatal(err)
	}
	return all
}

// An import that ends in the middle leaves whole batches, and goes on where it stopped.
func TestImportNestJSGoesOn(t *testing.T) {
	address := serveAt(t, "")
	o := newOriginal(t, address)
	o.exec(`INSERT INTO users (username, "passwordHash") SELECT 'user' || n, $1 FROM generate_series(1, 1200) n`,
		"$2b$04$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2")
	from := []string{"import", "nestjs", "--from", o.dsn, "--yes"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr bytes.Buffer
	// Once the first batch is reported, somebody stops the command.
	code := run(ctx, from, &stdout, writerFunc(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("200 of 1200")) {
			cancel()
		}
		return stderr.Write(p)
	}))
	if code != 1 || !strings.Contains(stderr.String(), "it continues where it stopped") {
		t.Fatalf("interrupted: %d %s", code, stderr.String())
	}
	if n := one[int](t, "", `SELECT count(*) FROM users`); n != 200 {
		t.Fatalf("%d users after the first batch, want 200", n)
	}
	wantCommand(t, 0, "1000 taken over, 200 are here already, 0 left out.", from...)
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
