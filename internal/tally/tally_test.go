package tally

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	_ "modernc.org/sqlite"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/sqlstore/sqlite"
	"github.com/stepkey/stepkey/storage"
)

var morning = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// newStore returns a store with users of these names, and their ids.
func newStore(t *testing.T, names ...string) (store *sqlstore.Store, ids []uuid.UUID) {
	t.Helper()
	store = open(t, filepath.Join(t.TempDir(), "stepkey.db"))
	for _, name := range names {
		u := storage.User{ID: uuid.New(), Username: name, CanonicalName: name, Handle: []byte(name), PasswordHash: "x", PasswordVersion: 1, CreatedAt: morning}
		if err := store.InTx(t.Context(), func(tx storage.Tx) error { return tx.CreateUser(t.Context(), u) }); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, u.ID)
	}
	return store, ids
}

func open(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// counted is what the log of a user says, by network: how often, and when last.
func counted(t *testing.T, store *sqlstore.Store, user uuid.UUID) map[string][]storage.Event {
	t.Helper()
	events, err := store.Events(t.Context(), user, nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]storage.Event{}
	for _, e := range events {
		found[e.Network] = append(found[e.Network], storage.Event{Kind: e.Kind, At: e.At.UTC(), Device: e.Device, Reason: e.Reason, Times: e.Times})
	}
	return found
}

func wrongPassword(user uuid.UUID, network string, at time.Time) storage.Event {
	return storage.Event{Kind: storage.EventPasswordRefused, UserID: user, Network: network, Device: "Chrome on Linux", At: at}
}

func flush(t *testing.T, tally *Tally, user uuid.UUID) {
	t.Helper()
	if err := tally.Flush(t.Context(), user); err != nil {
		t.Fatal(err)
	}
}

// Attempts of one kind, network and day are one entry; all others are entries of their own.
func TestAttemptsAreCountedTogether(t *testing.T) {
	store, ids := newStore(t, "mira")
	tally := New(store)
	const home, office = "198.51.100.0/24", "203.0.113.0/24"
	for i := range 3 {
		e := wrongPassword(ids[0], home, morning.Add(time.Duration(i)*time.Minute))
		e.Times = 40 // is ignored
		if i == 0 {
			e.Reason = "locked" // stays
		}
		tally.Add(e)
	}
	tally.Add(wrongPassword(ids[0], office, morning))
	tally.Add(wrongPassword(ids[0], home, morning.AddDate(0, 0, 1)))
	code := wrongPassword(ids[0], home, morning)
	code.Kind = storage.EventRecoveryCodeRefused
	tally.Add(code)
	if got := counted(t, store, ids[0]); len(got) != 0 {
		t.Errorf("before it is flushed: %v", got)
	}
	flush(t, tally, ids[0])
	flush(t, tally, ids[0]) // nothing is left to count
	entry := func(kind storage.EventKind, at time.Time, times int64) storage.Event {
		return storage.Event{Kind: kind, At: at, Device: "Chrome on Linux", Times: times}
	}
	three := entry(storage.EventPasswordRefused, morning.Add(2*time.Minute), 3)
	three.Reason = "locked"
	want := map[string][]storage.Event{
		home: {
			entry(storage.EventPasswordRefused, morning.AddDate(0, 0, 1), 1), three,
			entry(storage.EventRecoveryCodeRefused, morning, 1),
		},
		office: {entry(storage.EventPasswordRefused, morning, 1)},
	}
	if diff := cmp.Diff(want, counted(t, store, ids[0])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The attempts at one user can be counted without those at others.
func TestFlushOfOneUser(t *testing.T) {
	store, ids := newStore(t, "mira", "noor")
	tally := New(store)
	for _, id := range ids {
		tally.Add(wrongPassword(id, "", morning))
	}
	flush(t, tally, ids[0])
	if mira, noor := counted(t, store, ids[0]), counted(t, store, ids[1]); len(mira) != 1 || len(noor) != 0 {
		t.Errorf("mira %v, noor %v", mira, noor)
	}
	flush(t, tally, uuid.Nil)
	if noor := counted(t, store, ids[1]); len(noor) != 1 {
		t.Errorf("then noor %v", noor)
	}
}

// Attempts that the store did not take are counted later, together with those that came meanwhile, as of the latest one.
func TestFailedFlushLosesNothing(t *testing.T) {
	store, ids := newStore(t, "mira")
	away := open(t, filepath.Join(t.TempDir(), "away.db"))
	if err := away.Close(); err != nil {
		t.Fatal(err)
	}
	tally := New(away)
	first := wrongPassword(ids[0], "", morning)
	first.Reason = "locked"
	tally.Add(first)
	if err := tally.Flush(t.Context(), uuid.Nil); err == nil {
		t.Fatal("a store that is closed has taken it")
	}
	tally.events = store
	taken := tally.take(uuid.Nil) // as a flush takes it, before it fails
	later := wrongPassword(ids[0], "", morning.Add(time.Minute))
	later.Device = "Safari on iOS"
	tally.Add(later)
	for _, e := range taken {
		tally.put(e)
	}
	flush(t, tally, uuid.Nil)
	want := map[string][]storage.Event{"": {{Kind: storage.EventPasswordRefused, At: later.At, Device: later.Device, Reason: "locked", Times: 2}}}
	if diff := cmp.Diff(want, counted(t, store, ids[0])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The memory is bounded; an entry that is there goes on counting.
func TestEntriesAreBounded(t *testing.T) {
	tally := New(nil)
	user, first := uuid.New(), uuid.New()
	for i := range maxEntries + 1 {
		e := wrongPassword(user, "", morning)
		if e.SessionID = first; i > 0 {
			e.SessionID = uuid.New()
		}
		tally.Add(e)
	}
	e := wrongPassword(user, "", morning)
	e.SessionID = first
	tally.Add(e)
	taken := tally.take(user)
	if len(taken) != maxEntries {
		t.Errorf("%d entries, want %d", len(taken), maxEntries)
	}
	for _, e := range taken {
		if want := map[bool]int64{true: 2, false: 1}[e.SessionID == first]; e.Times != want {
			t.Errorf("an entry counts %d, want %d", e.Times, want)
		}
	}
}

// Run counts by itself, and once more when the service stops.
func TestRunCounts(t *testing.T) {
	store, ids := newStore(t, "mira")
	tally := New(store)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tally.Run(ctx, func(err error) { t.Error(err) })
	}()
	tally.Add(wrongPassword(ids[0], "first", morning))
	for end := time.Now().Add(patience.Long); len(counted(t, store, ids[0])) == 0; {
		if time.Now().After(end) {
			t.Fatal("nothing is counted")
		}
	}
	tally.Add(wrongPassword(ids[0], "last", morning))
	stop()
	<-done
	if got := counted(t, store, ids[0]); len(got["last"]) != 1 {
		t.Errorf("after the end: %v", got)
	}
}

// A store that stays away is reported, and holds up the end no longer than lastFlush.
func TestRunReportsFailures(t *testing.T) {
	store, ids := newStore(t, "mira")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	tally := New(store)
	tally.Add(wrongPassword(ids[0], "", morning))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	failures := 0
	tally.Run(ctx, func(error) { failures++ })
	if failures != 1 {
		t.Errorf("%d failures reported, want 1", failures)
	}
}
