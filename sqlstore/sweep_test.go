package sqlstore_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/rawsql"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

func openKeeping(t *testing.T, d database, clock func() time.Time, keep time.Duration) *sqlstore.Store {
	t.Helper()
	store, err := storeurl.Open(t.Context(), d.url, sqlstore.Options{Clock: clock, KeepEvents: keep, Timeout: patience.Long})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func recordEvents(t *testing.T, store *sqlstore.Store, events ...storage.Event) {
	t.Helper()
	err := store.InTx(t.Context(), func(tx storage.Tx) error { return tx.RecordEvents(t.Context(), events) })
	if err != nil {
		t.Fatal(err)
	}
}

func sweepOnce(t *testing.T, store *sqlstore.Store) {
	t.Helper()
	if err := store.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func rowsOf(t *testing.T, d database, from string) (n int) {
	t.Helper()
	db, err := rawsql.Open(d.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+from).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Old events go, more of them than one statement deletes; when a user last signed in stays.
func TestSweepDeletesOldEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		clock, d := storetest.NewClock(), empty(t)
		store := openKeeping(t, d, clock.Now, 0)
		user := addSession(t, store).UserID
		recordEvents(t, store, storage.Event{ID: uuid.New(), Kind: storage.EventSignedIn, At: clock.Now(), UserID: user})
		signedIn := clock.Now().Truncate(time.Microsecond)
		var many []storage.Event
		for range 1200 {
			many = append(many, storage.Event{ID: uuid.New(), Kind: storage.EventSteppedUp, At: clock.Now(), UserID: user})
		}
		recordEvents(t, store, many...)
		clock.Advance(sqlstore.KeepEvents - time.Microsecond)
		sweepOnce(t, store)
		if n := rowsOf(t, d, "events"); n != 1201 {
			t.Errorf("%d events within their time, want 1201", n)
		}
		recordEvents(t, store, storage.Event{ID: uuid.New(), Kind: storage.EventSteppedUp, At: clock.Now(), UserID: user})
		clock.Advance(time.Microsecond)
		forEver := openKeeping(t, d, clock.Now, -1)
		sweepOnce(t, forEver)
		if n := rowsOf(t, d, "events"); n != 1202 {
			t.Errorf("%d events where they are kept for ever, want 1202", n)
		}
		sweepOnce(t, store)
		if n := rowsOf(t, d, "events"); n != 1 {
			t.Errorf("%d events after their time, want the new one", n)
		}
		last, err := store.LastSignIns(t.Context(), []uuid.UUID{user})
		if err != nil || !last[user].Equal(signedIn) {
			t.Errorf("last sign-in: %v, %v; want %v", last, err, signedIn)
		}
	})
}

// Of one user no more events are kept than MaxKeptEvents and the few since the last trimming.
func TestEventsOfOneUserAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		clock, d := storetest.NewClock(), empty(t)
		store := openKeeping(t, d, clock.Now, 0)
		mira, noor := uuid.New(), uuid.New()
		id := func() uuid.UUID {
			id := uuid.New()
			id[15] |= 1 // not one that trims
			return id
		}
		recordEvents(t, store, storage.Event{ID: id(), Kind: storage.EventSteppedUp, At: clock.Now(), UserID: noor})
		var many []storage.Event
		for i := range storage.MaxKeptEvents + 700 {
			at := clock.Now().Add(time.Duration(i) * time.Microsecond)
			many = append(many, storage.Event{ID: id(), Kind: storage.EventPasskeyRenamed, At: at, UserID: mira})
		}
		recordEvents(t, store, many...)
		last := storage.Event{ID: id(), Kind: storage.EventSteppedUp, At: clock.Now().Add(time.Hour), UserID: mira}
		last.ID[15] = 0
		recordEvents(t, store, last)
		if n := rowsOf(t, d, "events"); n != storage.MaxKeptEvents+1 {
			t.Errorf("%d events, want %d of one user and one of another", n, storage.MaxKeptEvents)
		}
		newest, err := store.Events(t.Context(), mira, nil, 1)
		if err != nil || len(newest) != 1 || newest[0].ID != last.ID {
			t.Errorf("newest: %v, %v", newest, err)
		}
	})
}

// The count of a session or a device goes when that is over, the count of an account stays.
func TestSweepForgetsAttempts(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		clock, d := storetest.NewClock(), empty(t)
		store := openKeeping(t, d, clock.Now, 0)
		account := storage.Attempt{Key: storage.AttemptKey{1}, At: clock.Now(), Known: true}
		device := storage.Attempt{Key: storage.AttemptKey{2}, At: clock.Now(), Known: true, Until: clock.Now().Add(time.Hour)}
		for _, a := range []storage.Attempt{account, device} {
			if _, err := store.ChargeAttempt(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		device.At, device.Until = clock.Now().Add(time.Minute), clock.Now().Add(2*time.Hour)
		if _, err := store.ChargeAttempt(t.Context(), device); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{time.Hour, 2}, {time.Hour, 1}, {1000 * 24 * time.Hour, 1}} {
			clock.Advance(step.after)
			sweepOnce(t, store)
			if n := rowsOf(t, d, "login_attempts"); n != step.want {
				t.Errorf("%d counts after %s more, want %d", n, step.after, step.want)
			}
		}
	})
}

// A signing key goes a year after a newer one began to sign, and never the one that signs.
func TestSweepDeletesOldKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		clock, d := storetest.NewClock(), empty(t)
		store := openKeeping(t, d, clock.Now, 0)
		add := func(id string) {
			err := store.InTx(t.Context(), func(tx storage.Tx) error {
				return tx.AddSigningKey(t.Context(), storage.SealedKey{ID: id, Sealed: []byte("k"), CreatedAt: clock.Now(), ActivatesAt: clock.Now()})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		add("old")
		clock.Advance(500 * 24 * time.Hour)
		sweepOnce(t, store)
		if n := rowsOf(t, d, "signing_keys"); n != 1 {
			t.Fatalf("%d keys, want the one that signs", n)
		}
		add("new")
		clock.Advance(365*24*time.Hour - time.Microsecond)
		sweepOnce(t, store)
		if n := rowsOf(t, d, "signing_keys"); n != 2 {
			t.Errorf("%d keys within the year, want 2", n)
		}
		clock.Advance(time.Microsecond)
		sweepOnce(t, store)
		if n := rowsOf(t, d, "signing_keys WHERE id = 'new'"); n != 1 || rowsOf(t, d, "signing_keys") != 1 {
			t.Error("after a year the old key has to be gone, and the new one to be there")
		}
	})
}

// Every table of the schema stands in the list of retentions, and nothing else does.
func TestEveryTableHasARetention(t *testing.T) {
	files, err := os.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]bool{"schema_versions": true}
	created := regexp.MustCompile(`CREATE TABLE \{(\w+)\}`)
	for _, file := range files {
		text, err := os.ReadFile("migrations/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range created.FindAllStringSubmatch(string(text), -1) {
			tables[match[1]] = true
		}
	}
	text, err := os.ReadFile("../docs/maintenance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Retention\n")
	section, _, _ = strings.Cut(section, "\n## ")
	listed := map[string]bool{}
	for _, match := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(section, -1) {
		listed[match[1]] = true
	}
	if fmt.Sprint(listed) != fmt.Sprint(tables) {
		t.Errorf("docs/maintenance.md lists %v\ntables are %v", listed, tables)
	}
}

// A database from before keeps when users last signed in, and the counts of attempts that it
// holds can end.
func TestRetentionOfOlderRows(t *testing.T) {
	onBothEmpty(t, func(t *testing.T, d database) {
		db := makeGooseLayout(t, d, 10)
		user := addGooseUser(t, db)
		for i, at := range []string{"2030-05-17 09:30:00+00:00", "2030-05-19 09:30:00+00:00", "2030-05-18 09:30:00+00:00"} {
			_, err := db.ExecContext(t.Context(), `INSERT INTO events (id, kind, at, user_id, reason) VALUES ($1, 'session.started', $2, $3, '')`,
				uuid.NewString(), at, user)
			if err != nil {
				t.Fatal(i, err)
			}
		}
		last := time.Date(2030, 5, 19, 9, 30, 0, 0, time.UTC)
		for key, known := range map[string]bool{"a": true, "b": false} {
			_, err := db.ExecContext(t.Context(), `INSERT INTO login_attempts (key, known, failures, in_a_row, blocked_until, last_at)
				VALUES ($1, $2, 1, 1, 0, $3)`, []byte(key), known, last.UnixMicro())
			if err != nil {
				t.Fatal(err)
			}
		}
		now := last
		store := openKeeping(t, d, func() time.Time { return now }, 0)
		got, err := store.LastSignIns(t.Context(), []uuid.UUID{user})
		if err != nil || !got[user].Equal(last) {
			t.Errorf("last sign-in: %v, %v; want %v", got, err, last)
		}
		for _, step := range []struct{ day, want int }{{29, 2}, {30, 1}, {179, 1}, {180, 0}} {
			now = last.Add(time.Duration(step.day) * 24 * time.Hour)
			sweepOnce(t, store)
			if n := rowsOf(t, d, "login_attempts"); n != step.want {
				t.Errorf("after %d days: %d counts, want %d", step.day, n, step.want)
			}
		}
	})
}
