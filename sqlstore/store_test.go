package sqlstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/internal/rawsql"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// database is one for a store.
type database struct{ url string }

func (d database) isSQLite() bool { return strings.HasPrefix(d.url, "sqlite:") }

func sqlite(t *testing.T) database {
	return database{"sqlite:" + filepath.Join(t.TempDir(), "stepkey.db")}
}

func postgres(t *testing.T) database {
	return database{pgtest.Clone(t, "sqlstore", func(dsn string) error {
		store, err := storeurl.Open(context.Background(), dsn, sqlstore.Options{Timeout: patience.Long})
		if err != nil {
			return err
		}
		return store.Close()
	})}
}

// onBoth runs a test on SQLite and on PostgreSQL, at the same time: most of it is waiting
// for the disk. It comes last in a test.
func onBoth(t *testing.T, test func(t *testing.T, empty func(*testing.T) database)) {
	for name, empty := range map[string]func(*testing.T) database{"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, empty)
		})
	}
}

func open(t *testing.T, url string, clock func() time.Time) *sqlstore.Store {
	t.Helper()
	return place{database{url}, sqlstore.DefaultSchema}.open(t, clock)
}

func exec(t *testing.T, d database, statement string, args ...any) {
	t.Helper()
	db, err := rawsql.Open(d.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

var epoch = time.Date(2030, 5, 17, 9, 30, 0, 0, time.UTC)

func addSession(t *testing.T, store *sqlstore.Store) storage.Session {
	t.Helper()
	u := storage.User{
		ID: uuid.New(), Username: "mira", CanonicalName: "mira", PasswordVersion: 1,
		Handle: []byte("handle"), CreatedAt: epoch,
	}
	s := storage.Session{
		ID: uuid.New(), UserID: u.ID, PasswordVersion: 1, PasswordAt: epoch,
		CreatedAt: epoch, LastSeenAt: epoch, RotatedAt: epoch, ExpiresAt: epoch.Add(time.Hour),
	}
	err := store.InTx(t.Context(), func(tx storage.Tx) error {
		return errors.Join(tx.CreateUser(t.Context(), u), tx.CreateSession(t.Context(), s))
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func addPasskey(t *testing.T, store *sqlstore.Store, userID uuid.UUID) uuid.UUID {
	t.Helper()
	id := uuid.New()
	err := store.InTx(t.Context(), func(tx storage.Tx) error {
		return tx.CreatePasskey(t.Context(), storage.Passkey{
			ID: id, UserID: userID, Credential: storage.Credential{ID: id[:], PublicKey: id[:]}, CreatedAt: epoch,
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A session that is over is over for every use-case: reading, locking and elevating use the
// same condition.
func TestSessionThatIsNoLongerLive(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		for name, statement := range map[string]string{
			"user disabled":    `UPDATE users SET disabled_at = created_at`,
			"password changed": `UPDATE users SET password_version = 2`,
			"session ended":    `UPDATE sessions SET ended_at = created_at`,
			"user deleted":     `DELETE FROM users`,
		} {
			t.Run(name, func(t *testing.T) {
				d := empty(t)
				store := open(t, d.url, nil)
				s := addSession(t, store)
				p := addPasskey(t, store, s.UserID)
				if _, err := store.Account(t.Context(), s.UserID, s.ID, epoch); err != nil {
					t.Fatalf("before: %v", err)
				}
				if d.isSQLite() {
					statement = "PRAGMA foreign_keys = 1; " + statement
				}
				exec(t, d, statement)

				_, read := store.Account(t.Context(), s.UserID, s.ID, epoch)
				lock := store.InTx(t.Context(), func(tx storage.Tx) error {
					_, err := tx.LockAccount(t.Context(), s.UserID, s.ID, epoch)
					return err
				})
				for what, err := range map[string]error{"Account": read, "LockAccount": lock} {
					if !errors.Is(err, storage.ErrNotFound) {
						t.Errorf("%s: %v, want ErrNotFound", what, err)
					}
				}
				want := storage.ErrNotFound
				if name == "user deleted" {
					want = storage.ErrPasskeyStale // it went with the user
				}
				v := storage.Verified{
					UserID: s.UserID, SessionID: s.ID, Use: storage.PasskeyUse{PasskeyID: p, SignCount: 1, At: epoch},
				}
				_, elevate := store.Elevate(t.Context(), storage.Elevation{Verified: v, ExpiresAt: s.ExpiresAt})
				for what, err := range map[string]error{"Elevate": elevate, "Consent": store.Consent(t.Context(), v)} {
					if !errors.Is(err, want) {
						t.Errorf("%s: %v, want %v", what, err, want)
					}
				}
			})
		}
	})
}

func TestSweepDeletesOnlyWhatIsOver(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		clock := storetest.NewClock()
		d := empty(t)
		store := open(t, d.url, clock.Now)
		s := addSession(t, store)
		short := storage.ChallengeKey{Digest: [32]byte{1}, UserID: s.UserID, SessionID: s.ID}
		long := storage.ChallengeKey{Digest: [32]byte{2}, UserID: s.UserID, SessionID: s.ID}
		if err := errors.Join(
			store.Put(t.Context(), short, []byte("s"), time.Minute), store.Put(t.Context(), long, []byte("l"), 48*time.Hour),
		); err != nil {
			t.Fatal(err)
		}
		limit := storage.Limit{Burst: 1, Every: 24 * time.Hour}
		if wait, err := store.Charge(t.Context(), storage.Charge{Bucket: "b", Limit: limit, Cost: 1}); wait != 0 || err != nil {
			t.Fatal(wait, err)
		}
		count := func(table string) (n int) {
			db, err := rawsql.Open(d.url)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for _, known := range []bool{true, false} {
			a := storage.Attempt{At: clock.Now(), Known: known}
			a.Key[0] = map[bool]byte{true: 1, false: 2}[known]
			if _, err := store.ChargeAttempt(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		refused := storage.RefusedCeremony{UserID: s.UserID, Ceremony: storage.PurposeStepUp, Reason: "origin", LastAt: clock.Now()}
		if err := store.RecordRefusedCeremony(t.Context(), refused); err != nil {
			t.Fatal(err)
		}
		sweep := func(after time.Duration, challenges, sessions, buckets, attempts int) {
			t.Helper()
			clock.Advance(after)
			if err := store.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			for table, want := range map[string]int{
				"challenges": challenges, "sessions": sessions, "rate_limits": buckets, "login_attempts": attempts,
			} {
				if n := count(table); n != want {
					t.Errorf("after %s: %d rows of %s, want %d", after, n, table, want)
				}
			}
		}
		sweep(0, 2, 1, 1, 2)
		sweep(time.Minute, 1, 1, 1, 2)
		sweep(24*time.Hour-time.Minute-time.Microsecond, 1, 1, 1, 2)
		sweep(time.Microsecond, 1, 1, 0, 2)
		sweep(time.Hour, 1, 0, 0, 2) // an hour of life and a day of being kept
		sweep(24*time.Hour, 0, 0, 0, 2)
		if n := count("refused_ceremonies"); n != 1 {
			t.Errorf("%d refused ceremonies, want the one of two days ago", n)
		}
		sweep(28*24*time.Hour, 0, 0, 0, 1) // the count of a name that somebody has stays
		if n := count("refused_ceremonies"); n != 0 {
			t.Errorf("%d refused ceremonies after a month, want none", n)
		}
	})
}

func TestOpenTwiceKeepsData(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		d := empty(t)
		s := addSession(t, open(t, d.url, nil))
		if _, err := open(t, d.url, nil).Account(t.Context(), s.UserID, s.ID, epoch); err != nil {
			t.Fatal(err)
		}
	})
}

func TestURL(t *testing.T) {
	for url, want := range map[string]string{
		"mysql://root@localhost/x":              "neither postgres://",
		"postgres://user:hunter2@local host/db": "not a PostgreSQL URL",
		"sqlite:/does/not/exist/stepkey.db":     "open SQLite",
	} {
		_, err := storeurl.Open(t.Context(), url, sqlstore.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error holds the password: %v", err)
		}
	}
}

func TestSQLiteFilesAreForTheOwnerOnly(t *testing.T) {
	d := sqlite(t)
	addSession(t, open(t, d.url, nil))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(strings.TrimPrefix(d.url, "sqlite:") + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", "stepkey.db"+suffix, mode)
		}
	}
}

// An unreachable server is the store's fault and nobody's input.
func TestUnreachable(t *testing.T) {
	_, err := storeurl.Open(t.Context(), "postgres://stepkey@127.0.0.1:1/stepkey", sqlstore.Options{})
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Open: %v, want ErrUnavailable", err)
	}
}

// A server that has become read-only still answers. Who would rather be told names the
// server with target_session_attrs, as docs/operations.md says.
func TestReadOnlyServer(t *testing.T) {
	d := postgres(t)
	whichever, writable := open(t, d.url, nil), open(t, d.url+"&target_session_attrs=read-write", nil)
	becomes := func(readOnly string) {
		t.Helper()
		exec(t, d, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = `+readOnly+`', current_database()); END $$`)
		exec(t, d, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stepkey' AND datname = current_database()`)
	}
	ping := func(s *sqlstore.Store) error {
		t.Helper()
		err := s.Ping(t.Context()) // may meet a connection that has just been cut
		for n := 0; err != nil && n < 20; n++ {
			err = s.Ping(t.Context())
		}
		return err
	}
	becomes("on")
	if err := ping(whichever); err != nil {
		t.Errorf("whichever server: %v", err)
	}
	if err := ping(writable); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("only one that takes writes: %v, want ErrUnavailable", err)
	}
	exec(t, database{url: d.url + "&default_transaction_read_only=off"},
		`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database()); END $$`)
	if err := ping(writable); err != nil {
		t.Errorf("once it takes writes: %v", err)
	}
}
