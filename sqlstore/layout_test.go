package sqlstore_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
)

// onBothEmpty runs a test on databases that hold nothing at all.
func onBothEmpty(t *testing.T, test func(t *testing.T, d database)) {
	t.Run("sqlite", func(t *testing.T) { test(t, sqlite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, database{pgtest.NewDatabase(t)}) })
}

// plain opens the database as an application does that knows nothing of Stepkey.
func (d database) plain(t *testing.T) *sql.DB {
	t.Helper()
	driver, dsn := "pgx", d.url
	if d.isSQLite() {
		driver, dsn = "sqlite", strings.TrimPrefix(d.url, "sqlite:")
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func run(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// texts returns the first column of a query, as text.
func texts(t *testing.T, db *sql.DB, query string) (list []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// described is everything that the database has in tables, columns, indexes and constraints.
func (d database) described(t *testing.T) []string {
	t.Helper()
	if d.isSQLite() {
		found := texts(t, d.plain(t), `SELECT type || ' ' || name || ': ' || COALESCE(sql, '') FROM sqlite_master
			WHERE name NOT LIKE 'sqlite_%' ORDER BY 1`)
		for i, text := range found {
			// Renaming puts names in quotes, and changes nothing else of the text.
			found[i] = strings.ReplaceAll(text, `"`, ``)
		}
		return found
	}
	return texts(t, d.plain(t), `
		SELECT format('%s.%s.%s %s %s %s', table_schema, table_name, column_name, data_type, is_nullable, column_default)
		FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
		UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
		UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
			WHERE conrelid <> 0 AND connamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
		ORDER BY 1`)
}

func (d database) openErr(t *testing.T, options sqlstore.Options) error {
	t.Helper()
	options.Timeout = cmp.Or(options.Timeout, patience.Long)
	store, err := storeurl.Open(t.Context(), d.url, options)
	if err != nil {
		return err
	}
	return store.Close()
}

func TestCustomSchema(t *testing.T) {
	onBothEmpty(t, func(t *testing.T, d database) {
		custom := place{d, "custom_1"}.open(t, nil)
		mine := regexp.MustCompile(`custom_1(\.|_)`)
		for _, text := range d.described(t) {
			if !mine.MatchString(text) {
				t.Errorf("outside of custom_1: %s", text)
			}
		}
		// Two may live in one database.
		addSession(t, open(t, d.url, nil))
		if _, err := custom.UserByName(t.Context(), "mira"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a user of the schema stepkey, in custom_1: %v, want ErrNotFound", err)
		}
	})
}

func TestBadSchema(t *testing.T) {
	onBothEmpty(t, func(t *testing.T, d database) {
		for _, schema := range []string{
			" ", "1st", "Stepkey", "step-key", `a"b`, "a.b", "a; DROP SCHEMA public", "ümlaut", "{users}", "%s",
			"pg_stepkey", "information_schema", "sqlite", "sqlite_x", strings.Repeat("x", 64),
		} {
			err := d.openErr(t, sqlstore.Options{Schema: schema})
			if err == nil || !strings.Contains(err.Error(), "Options.Schema is ") {
				t.Errorf("%q: %v, want an error that names the setting", schema, err)
			}
		}
		if found := d.described(t); len(found) != 0 {
			t.Errorf("a refused name has left %v", found)
		}
		for _, schema := range []string{strings.Repeat("x", 63), "_", "user", "select"} {
			if err := d.openErr(t, sqlstore.Options{Schema: schema}); err != nil {
				t.Errorf("%q: %v", schema, err)
			}
		}
	})
}

// An application with goose, and with tables that Stepkey has as well.
const application = `
	CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
	INSERT INTO users VALUES (1, 'their own');
	CREATE TABLE sessions (id INTEGER PRIMARY KEY);
	CREATE TABLE signing_keys (id INTEGER PRIMARY KEY);
	CREATE TABLE schema_versions (id INTEGER PRIMARY KEY);
	CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY, version_id INTEGER NOT NULL, is_applied BOOLEAN NOT NULL);
	INSERT INTO goose_db_version VALUES (1, 0, TRUE), (2, 1, TRUE), (3, 2, TRUE), (4, 3, TRUE)`

func TestBesideAnApplication(t *testing.T) {
	onBothEmpty(t, func(t *testing.T, d database) {
		db := d.plain(t)
		run(t, db, application)
		before := d.described(t)
		addSession(t, open(t, d.url, nil))
		open(t, d.url, nil)
		after := slices.DeleteFunc(d.described(t), func(text string) bool {
			return regexp.MustCompile(`stepkey(\.|_)`).MatchString(text)
		})
		if diff := gocmp.Diff(before, after); diff != "" {
			t.Errorf("the application's tables have changed: %s", diff)
		}
		versions := texts(t, db, `SELECT version_id FROM goose_db_version ORDER BY id`)
		if users := texts(t, db, `SELECT name FROM users`); !slices.Equal(users, []string{"their own"}) ||
			!slices.Equal(versions, []string{"0", "1", "2", "3"}) {
			t.Errorf("the application's rows have changed: users %v, versions %v", users, versions)
		}
	})
}

// Tables of an application in the schema itself are not touched either.
func TestOccupiedSchema(t *testing.T) {
	onBothEmpty(t, func(t *testing.T, d database) {
		if d.isSQLite() {
			run(t, d.plain(t), `CREATE TABLE stepkey_events (id INTEGER PRIMARY KEY)`)
		} else {
			run(t, d.plain(t), `CREATE SCHEMA stepkey`, `CREATE TABLE stepkey.events (id INTEGER PRIMARY KEY)`)
		}
		before := d.described(t)
		err := d.openErr(t, sqlstore.Options{})
		if err == nil || !strings.Contains(err.Error(), "events") || !strings.Contains(err.Error(), "set Options.Schema to") {
			t.Errorf("Open: %v, want the table and what to do", err)
		}
		if diff := gocmp.Diff(before, d.described(t)); diff != "" {
			t.Errorf("the database has changed: %s", diff)
		}
		if err := d.openErr(t, sqlstore.Options{Schema: "another"}); err != nil {
			t.Errorf("in another schema: %v", err)
		}
	})
}

// addGooseUser adds a user as one of any version of that layout is.
func addGooseUser(t *testing.T, db *sql.DB) (userID uuid.UUID) {
	t.Helper()
	userID = uuid.New()
	for _, statement := range []string{
		`INSERT INTO users (id, username, canonical_name, password_hash, password_version, handle, created_at)
			VALUES ($1, 'Mira', 'mira', 'a hash', 1, 'handle', '2030-05-17 09:30:00+00:00')`,
		`INSERT INTO passkeys (id, user_id, credential_id, public_key, algorithm, aaguid, sign_count, flags, transports, name, created_at)
			VALUES ('0b9f8f0e-6f3e-4c57-9d0f-3f2a9a1c7b11', $1, 'credential', 'key', -7, '0b9f8f0e-6f3e-4c57-9d0f-3f2a9a1c7b11', 0, 0,
			'null', 'Phone', '2030-05-17 09:30:00+00:00')`,
	} {
		if _, err := db.ExecContext(t.Context(), statement, userID); err != nil {
			t.Fatal(err)
		}
	}
	return userID
}

func makeGooseLayout(t *testing.T, d database, version int) *sql.DB {
	t.Helper()
	db := d.plain(t)
	if err := sqlstore.MakeGooseLayout(t.Context(), db, d.url, version); err != nil {
		t.Fatal(err)
	}
	return db
}

// The layout of before is moved, whichever version it was at, and looks like a new one.
func TestGooseLayoutIsMoved(t *testing.T) {
	onBothEmpty(t, func(t *testing.T, fresh database) {
		open(t, fresh.url, nil)
		want := fresh.described(t)
		for _, version := range []int{1, 4, 5, 9, 10} {
			d := sqlite(t)
			if !fresh.isSQLite() {
				d = database{pgtest.NewDatabase(t)}
			}
			db := makeGooseLayout(t, d, version)
			userID := addGooseUser(t, db)
			store := open(t, d.url, nil)
			r, err := store.UserRecord(t.Context(), "mira")
			if err != nil || r.User.ID != userID || len(r.Passkeys) != 1 {
				t.Errorf("version %d: the user has become %+v, %v", version, r, err)
			}
			if diff := gocmp.Diff(want, d.described(t)); diff != "" {
				t.Errorf("version %d: other than a new database (-new +moved): %s", version, diff)
			}
			exec(t, d, map[bool]string{true: "PRAGMA foreign_keys = 1; "}[d.isSQLite()]+`DELETE FROM users`)
			if _, err := store.PasskeyOwner(t.Context(), []byte("credential")); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("version %d: a passkey of nobody: %v, want ErrNotFound", version, err)
			}
			open(t, d.url, nil)
		}
	})
}

// A role that has the name of the schema had its tables there before, and an operator who sets
// the schema public wants them where they were.
func TestGooseLayoutStaysInItsSchema(t *testing.T) {
	for _, schema := range []string{"stepkey", "public"} {
		d := database{pgtest.NewDatabase(t)}
		db := d.plain(t)
		run(t, db, `CREATE SCHEMA IF NOT EXISTS `+schema,
			`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = `+schema+`', current_database()); END $$`)
		db = makeGooseLayout(t, d, 10)
		userID := addGooseUser(t, db)
		store := place{d, schema}.open(t, nil)
		if u, err := store.UserByName(t.Context(), "mira"); err != nil || u.ID != userID {
			t.Errorf("%s: the user has become %+v, %v", schema, u, err)
		}
		if left := texts(t, db, `SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE relname = 'goose_db_version'`); len(left) != 0 {
			t.Errorf("%s: goose_db_version is still there", schema)
		}
	}
}

// Where it is not clear what is whose, nothing is moved and nothing new begun.
func TestUnclearLayoutStopsTheStart(t *testing.T) {
	for name, test := range map[string]struct{ change, want string }{
		"versions of an application":    {`INSERT INTO goose_db_version (version_id, is_applied) VALUES (20260101120000, TRUE)`, "Moving by hand"},
		"a version more":                {`INSERT INTO goose_db_version (version_id, is_applied) VALUES (11, TRUE)`, "Moving by hand"},
		"a version twice":               {`INSERT INTO goose_db_version (version_id, is_applied) VALUES (10, TRUE)`, "Moving by hand"},
		"a version less":                {`DELETE FROM goose_db_version WHERE version_id = 4`, "Moving by hand"},
		"a version that is not applied": {`UPDATE goose_db_version SET is_applied = FALSE WHERE version_id = 10`, "Moving by hand"},
		"no versions":                   {`DELETE FROM goose_db_version`, "Moving by hand"},
		"no table of versions":          {`DROP TABLE goose_db_version`, "restore a backup"},
		"a table less":                  {`DROP TABLE outbox`, "lacks outbox"},
	} {
		t.Run(name, func(t *testing.T) {
			onBothEmpty(t, func(t *testing.T, d database) {
				db := makeGooseLayout(t, d, 10)
				addGooseUser(t, db)
				run(t, db, test.change)
				before := d.described(t)
				if err := d.openErr(t, sqlstore.Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("Open: %v, want it to say %q", err, test.want)
				}
				if diff := gocmp.Diff(before, d.described(t)); diff != "" {
					t.Errorf("the database has changed: %s", diff)
				}
			})
		})
	}
}

// The statements of docs/operations.md do as it says.
func TestMovingByHand(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "### Moving by hand\n")
	blocks := regexp.MustCompile("(?ms)^```sql\n(.*?)^```").FindAllStringSubmatch(section, 2)
	if len(blocks) != 2 {
		t.Fatalf("docs/operations.md has %d blocks of SQL under \"Moving by hand\", want one before the start and one after", len(blocks))
	}
	onBothEmpty(t, func(t *testing.T, d database) {
		db := makeGooseLayout(t, d, 10)
		userID := addGooseUser(t, db)
		run(t, db, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (20260101120000, TRUE)`, blocks[0][1])
		store := open(t, d.url, nil)
		if u, err := store.UserByName(t.Context(), "mira"); err != nil || u.ID != userID {
			t.Errorf("the user has become %+v, %v", u, err)
		}
		run(t, db, blocks[1][1])
		if versions := texts(t, db, `SELECT version_id FROM goose_db_version ORDER BY id`); !slices.Equal(versions, []string{"0", "20260101120000"}) {
			t.Errorf("the application's versions: %v", versions)
		}
		// The application's next one.
		run(t, db, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (20260102120000, TRUE)`)
		open(t, d.url, nil)
	})
}

func TestNewerSchemaStopsTheStart(t *testing.T) {
	newest, err := sqlstore.NewestVersion()
	if err != nil {
		t.Fatal(err)
	}
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		d := empty(t)
		s := addSession(t, open(t, d.url, nil))
		exec(t, d, fmt.Sprintf(`INSERT INTO schema_versions (version) VALUES (%d)`, newest+1))
		before := d.described(t)
		err := d.openErr(t, sqlstore.Options{})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("schema version %d; this program knows %d", newest+1, newest)) ||
			!strings.Contains(err.Error(), "start that version or a later one") {
			t.Errorf("Open: %v, want the versions and what to do", err)
		}
		if diff := gocmp.Diff(before, d.described(t)); diff != "" {
			t.Errorf("the database has changed: %s", diff)
		}
		exec(t, d, fmt.Sprintf(`DELETE FROM schema_versions WHERE version = %d`, newest+1))
		if _, err := open(t, d.url, nil).Account(t.Context(), s.UserID, s.ID, epoch); err != nil {
			t.Errorf("once it is known: %v", err)
		}
	})
}

// A step that fails leaves everything as it was.
func TestFailedMigrationLeavesNothing(t *testing.T) {
	onBothEmpty(t, func(t *testing.T, d database) {
		db := makeGooseLayout(t, d, 9)
		run(t, db, `ALTER TABLE users ADD COLUMN deleted_at TEXT`) // which step 10 adds
		before := d.described(t)
		if err := d.openErr(t, sqlstore.Options{}); err == nil || !strings.Contains(err.Error(), "schema version 10: ") {
			t.Errorf("Open: %v, want the step that fails", err)
		}
		if diff := gocmp.Diff(before, d.described(t)); diff != "" {
			t.Errorf("the database has changed: %s", diff)
		}
	})
}

// The rights that docs/operations.md asks for are enough, and without them the error says
// which are missing.
func TestRights(t *testing.T) {
	for name, test := range map[string]struct{ grant, want string }{
		"none":                      {``, "needs CREATE on the database"},
		"a schema made beforehand":  {`CREATE SCHEMA stepkey AUTHORIZATION ROLE`, ""},
		"rights in somebody's":      {`CREATE SCHEMA stepkey; GRANT USAGE, CREATE ON SCHEMA stepkey TO ROLE`, ""},
		"a schema without rights":   {`CREATE SCHEMA stepkey`, "needs CREATE on the database"},
		"the right to make schemas": {`GRANT CREATE ON DATABASE DB TO ROLE`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := database{pgtest.NewDatabase(t)}
			db := d.plain(t)
			role := "role_" + strings.ReplaceAll(uuid.NewString(), "-", "")
			run(t, db, `CREATE ROLE `+role+` LOGIN`)
			t.Cleanup(func() {
				_, err := d.plain(t).ExecContext(context.Background(), `DROP OWNED BY `+role+` CASCADE; DROP ROLE `+role)
				if err != nil {
					t.Error(err)
				}
			})
			name := texts(t, db, `SELECT current_database()`)[0]
			run(t, db, strings.NewReplacer("ROLE", role, "DB", name).Replace(test.grant))
			limited := database{strings.Replace(d.url, "postgres@", role+"@", 1)}
			err := limited.openErr(t, sqlstore.Options{})
			if test.want == "" && err != nil {
				t.Errorf("Open: %v", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("Open: %v, want it to say %q", err, test.want)
			}
		})
	}
}
