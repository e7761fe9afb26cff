package password_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/storage"
)

// storedHashes holds the old hashes of a store, sorted.
type storedHashes []string

func (h *storedHashes) NextOldHash(_ context.Context, from string) (string, error) {
	i, _ := slices.BinarySearch(*h, from)
	if i == len(*h) {
		return "", storage.ErrNotFound
	}
	return (*h)[i], nil
}

func (h *storedHashes) ReplacePasswordHash(_ context.Context, _ uuid.UUID, old, replacement string) (bool, error) {
	i := slices.Index(*h, old)
	if i < 0 {
		return false, nil
	}
	(*h)[i] = replacement
	return true, nil
}

// newKeeper returns a Keeper of cheap hashes, unless c says otherwise, and its log.
func newKeeper(t *testing.T, c password.KeeperConfig) (*password.Keeper, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	c.Random, c.Log = rand.Reader, slog.New(slog.NewTextHandler(log, nil))
	if c.Params == (password.Params{}) {
		c.Params = password.Params{MemoryKiB: 8, Passes: 1, Lanes: 1}
	}
	k, err := password.NewKeeper(c)
	if err != nil {
		t.Fatal(err)
	}
	return k, log
}

func place(t *testing.T, k *password.Keeper) *password.Place {
	t.Helper()
	p, err := k.Gate().Enter(password.LaneOpen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Leave)
	return p
}

func TestKeeperComparesWhatItHashed(t *testing.T) {
	k, _ := newKeeper(t, password.KeeperConfig{})
	hash, err := k.HashNew(t.Context(), place(t, k), "seven sardines")
	if err != nil {
		t.Fatal(err)
	}
	u := storage.User{PasswordHash: hash}
	for _, test := range []struct {
		typed string
		want  bool
	}{{"seven sardines", true}, {"eight sardines", false}} {
		got, err := k.Compare(t.Context(), place(t, k), u, test.typed)
		if err != nil || got != (password.Comparison{Matches: test.want}) {
			t.Errorf("%q: %+v, %v", test.typed, got, err)
		}
	}
}

// An old hash is remade if the password is right, and stored unless the password was changed
// meanwhile.
func TestKeeperReplacesOldHashes(t *testing.T) {
	old, err := password.New(password.Params{MemoryKiB: 16, Passes: 1, Lanes: 1}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := old.Hash("seven sardines")
	if err != nil {
		t.Fatal(err)
	}
	stored := &storedHashes{hash}
	k, log := newKeeper(t, password.KeeperConfig{Hashes: stored})
	u := storage.User{ID: uuid.New(), PasswordHash: hash}
	wrong, err := k.Compare(t.Context(), place(t, k), u, "eight sardines")
	if err != nil || wrong != (password.Comparison{}) {
		t.Errorf("wrong password: %+v, %v", wrong, err)
	}
	k.Replace(t.Context(), u, wrong)
	if (*stored)[0] != hash || log.Len() > 0 {
		t.Errorf("after a wrong password: %q, log %q", (*stored)[0], log)
	}
	right, err := k.Compare(t.Context(), place(t, k), u, "seven sardines")
	if err != nil || !right.Matches || !strings.HasPrefix(right.Replacement, "$argon2id$v=19$m=8,") {
		t.Fatalf("right password: %+v, %v", right, err)
	}
	k.Replace(t.Context(), u, right)
	if (*stored)[0] != right.Replacement || !strings.Contains(log.String(), u.ID.String()) {
		t.Errorf("stored %q, want the replacement; log %q", (*stored)[0], log)
	}
	log.Reset()
	k.Replace(t.Context(), u, right)
	if log.Len() > 0 {
		t.Errorf("a hash that is gone: %q", log)
	}
}

// A hash beyond the ceilings is compared as the decoy is.
func TestKeeperOnHashBeyondTheCeilings(t *testing.T) {
	k, log := newKeeper(t, password.KeeperConfig{})
	for _, hash := range []string{"$argon2id$v=19$m=262144,t=10,p=1" + saltAndKey, "no hash at all"} {
		log.Reset()
		u := storage.User{ID: uuid.New(), PasswordHash: hash}
		got, err := k.Compare(t.Context(), place(t, k), u, "seven sardines")
		if err != nil || got != (password.Comparison{}) {
			t.Errorf("%q: %+v, %v", hash, got, err)
		}
		if !strings.Contains(log.String(), u.ID.String()) || strings.Contains(log.String(), hash) {
			t.Errorf("%q: the log says %q", hash, log)
		}
	}
}

// While a costly hash is compared, another one waits, and a cheap one does not.
func TestKeeperComparesCostlyHashesOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _ := newKeeper(t, password.KeeperConfig{Slots: 3, MaxWait: time.Second})
		costly := storage.User{PasswordHash: "$argon2id$v=19$m=131072,t=3,p=1" + saltAndKey}
		release := make(chan struct{})
		running := place(t, k)
		go running.DoAlone(t.Context(), func() { <-release })
		synctest.Wait()
		_, err := k.Compare(t.Context(), place(t, k), costly, "seven sardines")
		retryAfter(t, err)
		if _, err := k.Compare(t.Context(), place(t, k), storage.User{PasswordHash: k.Decoy()}, "seven sardines"); err != nil {
			t.Errorf("a cheap hash: %v", err)
		}
		close(release)
	})
}

// Zero stands for the defaults, and there is one set of them.
func TestKeeperDefaults(t *testing.T) {
	k, err := password.NewKeeper(password.KeeperConfig{Random: rand.Reader, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(k.Decoy(), "$argon2id$v=19$m=19456,t=2,p=1$") || k.MinLength() != password.DefaultMinLength {
		t.Errorf("decoy %s, MinLength %d", k.Decoy(), k.MinLength())
	}
	synctest.Test(t, func(t *testing.T) {
		k, err := password.NewKeeper(password.KeeperConfig{Random: rand.Reader, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		for range password.DefaultSlots() {
			background(t.Context(), k.Gate(), func() { <-release })
		}
		synctest.Wait()
		began := time.Now()
		retryAfter(t, k.Gate().Do(t.Context(), password.LaneOpen, func() { t.Error("ran beyond the slots") }))
		if waited := time.Since(began); waited != password.DefaultMaxWait {
			t.Errorf("waited %s, want %s", waited, password.DefaultMaxWait)
		}
		close(release)
	})
}

// lookups answers all lookups alike and remembers them.
type lookups struct {
	breached bool
	fault    error
	asked    []string
	during   func()
}

func (l *lookups) Breached(_ context.Context, password string) (bool, error) {
	l.asked = append(l.asked, password)
	if l.during != nil {
		l.during()
	}
	return l.breached, l.fault
}

func TestBreachLookup(t *testing.T) {
	const typed, normal = "ｓeven sardines", "seven sardines"
	for _, test := range []struct {
		name    string
		lookups lookups
		want    error
		logs    string
	}{
		{"known", lookups{breached: true}, password.ErrBreached, ""},
		{"unknown", lookups{}, nil, ""},
		{"no answer", lookups{breached: true, fault: errors.New("the service is away")}, nil, "the service is away"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, log := newKeeper(t, password.KeeperConfig{Breaches: &test.lookups})
			hash, err := k.HashNew(t.Context(), place(t, k), typed)
			if !errors.Is(err, test.want) || (hash == "") != (test.want != nil) {
				t.Errorf("%q, %v; want %v", hash, err, test.want)
			}
			if !slices.Equal(test.lookups.asked, []string{normal}) {
				t.Errorf("asked for %q", test.lookups.asked)
			}
			if !strings.Contains(log.String(), test.logs) || (log.Len() > 0) != (test.logs != "") || strings.Contains(log.String(), "sardines") {
				t.Errorf("the log says %q", log)
			}
		})
	}
}

// A breach lookup holds no place in the lane.
func TestBreachLookupHoldsNobodyUp(t *testing.T) {
	l := &lookups{}
	k, _ := newKeeper(t, password.KeeperConfig{Breaches: l, Slots: 1, MaxWait: time.Nanosecond})
	l.during = func() {
		p, err := k.Gate().Enter(password.LaneOpen)
		if err != nil {
			t.Fatalf("a login during the lookup: %v", err)
		}
		p.Leave()
	}
	if _, err := k.HashNew(t.Context(), place(t, k), "seven sardines"); err != nil {
		t.Error(err)
	}
	if len(l.asked) != 1 {
		t.Errorf("asked %d times", len(l.asked))
	}
}
