package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/storage"
)

func users(t *testing.T, s storage.Store) {
	if _, err := s.UserByName(t.Context(), "mira"); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("UserByName before sign-up: %v, want ErrNotFound", err)
	}
	want := newUser("mira")
	want.Username = "Mira"
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.CreateUser(ctx, want) })
	got, err := s.UserByName(t.Context(), "mira")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("UserByName: %v, -want +got:\n%s", err, diff)
	}
	err = s.InTx(t.Context(), func(tx storage.Tx) error { return tx.CreateUser(t.Context(), newUser("mira")) })
	if !errors.Is(err, storage.ErrUsernameTaken) {
		t.Fatalf("second CreateUser: %v, want ErrUsernameTaken", err)
	}
}

func oneSignUpWins(t *testing.T, s storage.Store) {
	won := race(50, func(int) bool {
		err := s.InTx(t.Context(), func(tx storage.Tx) error { return tx.CreateUser(t.Context(), newUser("mira")) })
		if err != nil && !errors.Is(err, storage.ErrUsernameTaken) {
			t.Errorf("CreateUser: %v", err)
		}
		return err == nil
	})
	if won != 1 {
		t.Errorf("%d sign-ups succeeded, want 1", won)
	}
}

func replaceHash(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 0)
	for _, test := range []struct {
		old, replacement string
		replaced         bool
	}{
		{"another hash", "wrong", false},
		{a.User.PasswordHash, "new hash", true},
		{a.User.PasswordHash, "late", false},
	} {
		replaced, err := s.ReplacePasswordHash(t.Context(), a.User.ID, test.old, test.replacement)
		if err != nil || replaced != test.replaced {
			t.Errorf("replace %q: %v, %v; want %v", test.old, replaced, err, test.replaced)
		}
	}
	got, err := s.UserByName(t.Context(), "mira")
	if err != nil || got.PasswordHash != "new hash" || got.PasswordVersion != a.User.PasswordVersion {
		t.Errorf("after replacing: %v, hash %q, version %d", err, got.PasswordHash, got.PasswordVersion)
	}
}

func oldHashes(t *testing.T, s storage.Store) {
	create := func(name, hash string) (u storage.User) {
		u = newUser(name)
		u.PasswordHash = hash
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.CreateUser(ctx, u) })
		return u
	}
	want := func(from string, want ...string) {
		t.Helper()
		var got []string
		for {
			hash, err := s.NextOldHash(t.Context(), from)
			if errors.Is(err, storage.ErrNotFound) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, hash)
			from = hash + "\x01"
		}
		if !slices.Equal(got, want) {
			t.Errorf("old hashes are %q, want %q", got, want)
		}
	}
	want("")
	hasher, err := password.New(password.DefaultParams(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	current := create("mira", hasher.Decoy())
	want("")
	// The order is that of bytes, in any locale.
	sorted := []string{
		"$2b$12$Zz", "$2b$12$aa", "$7$C6..../....a", "$argon2id$v=19$m=19456,t=2,p=10$x", "$argon2id$v=19$m=19456,t=3,p=1$x",
		"$argon2id$v=19$m=65536,t=2,p=1$x", "$argon2id$v=19$m=8,t=1,p=1$B", "$argon2id$v=19$m=8,t=1,p=1$a",
		"$scrypt$ln=16,r=8,p=1$x", "pbkdf2_sha256$600000$x",
	}
	for i, hash := range sorted {
		create(fmt.Sprintf("old%d", len(sorted)-i), hash)
	}
	want("", sorted...)
	want("$argon2id$v=19$m=8,t=1,p=1%", sorted[8:]...)
	want("pbkdf2_sha256%")
	if replaced, err := s.ReplacePasswordHash(t.Context(), current.ID, current.PasswordHash, "$2a$"); err != nil || !replaced {
		t.Errorf("replace: %v, %v", replaced, err)
	}
	want("", append([]string{"$2a$"}, sorted...)...)
}

func deleting(t *testing.T, s storage.Store) {
	a, other := signedIn(t, s, "mira", 2), signedIn(t, s, "noor", 1)
	remove := func() error {
		return s.InTx(t.Context(), func(tx storage.Tx) error {
			return tx.DeleteUser(t.Context(), a.User.ID, "hash of nothing", epoch)
		})
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	if err := remove(); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("again: %v, want ErrNotFound", err)
	}
	got, err := s.UserByName(t.Context(), "mira")
	if err != nil || got.Active() || got.DeletedAt == nil || got.Username != "" || got.PasswordHash != "hash of nothing" {
		t.Errorf("what is left: %+v, %v", got, err)
	}
	if _, err := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("its account: %v, want ErrNotFound", err)
	}
	if records, err := s.UserRecords(t.Context(), uuid.Nil, 10); err != nil || len(records) != 1 || records[0].User.ID != other.User.ID {
		t.Errorf("records to export: %+v, %v; want the other user's", records, err)
	}
	err = s.InTx(t.Context(), func(tx storage.Tx) error {
		changed, err := tx.SetDisabled(t.Context(), a.User.ID, nil)
		if changed {
			t.Error("a deleted user was enabled")
		}
		// A deleted passkey may be added to any account.
		return errors.Join(err, tx.CreatePasskey(t.Context(), func() storage.Passkey {
			p := a.Passkeys[0]
			p.ID, p.UserID = uuid.New(), other.User.ID
			return p
		}()))
	})
	if err != nil {
		t.Error(err)
	}
	if got, err := s.Account(t.Context(), other.User.ID, other.Session.ID, epoch); err != nil || len(got.Passkeys) != 2 {
		t.Errorf("somebody else's account: %+v, %v", got, err)
	}
}

func eventsOfUser(t *testing.T, s storage.Store) {
	user, somebody := uuid.New(), uuid.New()
	var want []storage.Event
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		var err error
		for i := range 4 {
			e := storage.Event{
				ID: uuid.New(), Kind: storage.EventSteppedUp, At: epoch.Add(time.Duration(i) * time.Second),
				UserID: user, SessionID: uuid.New(), PasskeyID: uuid.New(), Reason: "reason",
				Device: "Firefox on Linux", Network: "203.0.113.0/24", PasskeyName: "Blue key",
			}
			if i%2 == 1 {
				e.SessionID, e.PasskeyID = uuid.Nil, uuid.Nil
			}
			want = append([]storage.Event{e}, want...)
			other := e
			other.ID, other.UserID = uuid.New(), somebody
			err = errors.Join(err, tx.RecordEvent(ctx, e), tx.RecordEvent(ctx, other))
		}
		return err
	})
	got, err := s.Events(t.Context(), user, nil, 3)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[:3], got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	one, err := s.EventByID(t.Context(), user, want[1].ID)
	if diff := cmp.Diff(want[1], one); err != nil || diff != "" {
		t.Errorf("one event: %v (-want +got):\n%s", err, diff)
	}
	if _, err := s.EventByID(t.Context(), somebody, want[1].ID); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("somebody else's event: %v, want ErrNotFound", err)
	}
}

// Pages of any size make up the whole, also where they end between events of one time, and
// whatever is recorded meanwhile. A place of somebody else's event yields nothing of it.
func eventsInPages(t *testing.T, s storage.Store) {
	user, somebody := uuid.New(), uuid.New()
	var events []storage.Event
	for i := range 12 {
		at := epoch.Add(time.Duration(i/5) * time.Second) // five of one time
		for _, whose := range []uuid.UUID{user, somebody} {
			events = append(events, storage.Event{ID: uuid.New(), Kind: storage.EventSteppedUp, At: at, UserID: whose})
		}
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.RecordEvents(ctx, events) })
	page := func(before *storage.EventPlace, limit int) []storage.Event {
		t.Helper()
		got, err := s.Events(t.Context(), user, before, limit)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := page(nil, 100)
	if len(want) != 12 {
		t.Fatalf("%d events, want 12", len(want))
	}
	for limit := 1; limit <= len(want); limit++ {
		var got []storage.Event
		next := page(&storage.EventPlace{At: epoch.Add(time.Minute)}, limit)
		for len(next) > 0 && len(got) <= len(want) {
			got = append(got, next...)
			late := storage.Event{ID: uuid.New(), Kind: storage.EventSignedIn, At: epoch.Add(time.Hour), UserID: user}
			inTx(t, s, func(ctx context.Context, tx storage.Tx) error { return tx.RecordEvent(ctx, late) })
			last := got[len(got)-1]
			next = page(&storage.EventPlace{At: last.At, ID: last.ID}, limit)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("pages of %d (-want +got):\n%s", limit, diff)
		}
	}
	others := events[len(events)-1]
	for _, e := range page(&storage.EventPlace{At: others.At, ID: others.ID}, 100) {
		if e.UserID != user {
			t.Errorf("behind an event of somebody else: %+v", e)
		}
	}
	if got := page(&storage.EventPlace{At: time.UnixMicro(0)}, 1); len(got) != 0 {
		t.Errorf("before all time: %+v", got)
	}
	if got := page(&storage.EventPlace{At: time.UnixMicro(math.MaxInt64)}, 1); len(got) != 1 {
		t.Errorf("after all time: %d events, want the newest", len(got))
	}
}

func lastSignIns(t *testing.T, s storage.Store) {
	var users [3]uuid.UUID
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		var failed []error
		for i, name := range []string{"mira", "noor", "olga"} {
			u := newUser(name)
			users[i] = u.ID
			failed = append(failed, tx.CreateUser(ctx, u))
		}
		return errors.Join(failed...)
	})
	mira, noor, olga := users[0], users[1], users[2]
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		var events []storage.Event
		for i, kind := range []storage.EventKind{storage.EventSignedIn, storage.EventSignedIn, storage.EventSteppedUp} {
			at := epoch.Add(time.Duration(i) * time.Second)
			events = append(events,
				storage.Event{ID: uuid.New(), Kind: kind, At: at, UserID: mira},
				storage.Event{ID: uuid.New(), Kind: kind, At: at.Add(time.Hour), UserID: noor},
				storage.Event{ID: uuid.New(), Kind: storage.EventSteppedUp, At: at, UserID: olga})
		}
		return tx.RecordEvents(ctx, events)
	})
	ids := []uuid.UUID{mira, olga}
	for range 250 { // more than one statement asks for
		ids = append(ids, uuid.New())
	}
	got, err := s.LastSignIns(t.Context(), append(ids, noor))
	want := map[uuid.UUID]time.Time{mira: epoch.Add(time.Second), noor: epoch.Add(time.Second + time.Hour)}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if got, err := s.LastSignIns(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("of nobody: %v, %v", got, err)
	}
}

func userRecord(t *testing.T, s storage.Store) {
	if _, err := s.UserRecord(t.Context(), "mira"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("nobody: %v, want ErrNotFound", err)
	}
	mira, noor := newRecord("mira", 2), newRecord("noor", 1)
	noor.User.DisabledAt, noor.Email = nil, nil
	importUsers(t, s, mira, noor)
	for _, want := range []storage.UserRecord{mira, noor} {
		got, err := s.UserRecord(t.Context(), want.User.CanonicalName)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
	}
	at := epoch.Add(2 * time.Hour)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		return tx.DeleteUser(ctx, mira.User.ID, "no hash", at)
	})
	got, err := s.UserRecord(t.Context(), "mira")
	if err != nil || got.User.DeletedAt == nil || !got.User.DeletedAt.Equal(at) || got.Email != nil || got.Passkeys != nil {
		t.Errorf("a deleted user: %+v, %v", got, err)
	}
}
