package password_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stepkey/stepkey/internal/password"
)

func lookForOldHashes(t *testing.T, k *password.Keeper) {
	t.Helper()
	if err := k.LookForOldHashes(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// One look reads 200 kinds, and the next one continues.
func TestManyKindsOfHashesAreLookedAtInTurn(t *testing.T) {
	stored := &storedHashes{"$pbkdf2-sha256$i=2000000" + saltAndKey}
	for i := range 450 {
		*stored = append(*stored, fmt.Sprintf("$pbkdf2-sha256$i=%d", 1000+i)+saltAndKey)
	}
	slices.Sort(*stored)
	k, _ := newKeeper(t, password.KeeperConfig{Hashes: stored})
	for _, test := range []struct {
		look int
		want time.Duration
	}{
		{1, 500 * time.Millisecond}, {2, 500 * time.Millisecond}, {3, time.Second}, {4, time.Second},
	} {
		lookForOldHashes(t, k)
		if got := k.FailureFloor(); got != test.want {
			t.Errorf("after look %d a failed login takes at least %s, want %s", test.look, got, test.want)
		}
	}
}

// The look after the last kind begins again.
func TestLookForOldHashesBeginsAgain(t *testing.T) {
	stored := &storedHashes{bcrypt12}
	k, _ := newKeeper(t, password.KeeperConfig{Hashes: stored})
	lookForOldHashes(t, k)
	*stored = slices.Insert(*stored, 0, "$2a$14$abcdefghijklmnopqrstuuE3j5FFjC71WyDL2KIK7ShSoj8tPD3m6")
	lookForOldHashes(t, k)
	if got := k.FailureFloor(); got != 2*time.Second {
		t.Errorf("a failed login takes at least %s, want 2s", got)
	}
}

func TestUnusableHashesAreReportedOnce(t *testing.T) {
	k, log := newKeeper(t, password.KeeperConfig{Hashes: &storedHashes{"$argon2id$v=19$m=262144,t=10,p=1" + saltAndKey, "no hash at all"}})
	lookForOldHashes(t, k)
	lookForOldHashes(t, k)
	if n := strings.Count(log.String(), "need a new password"); n != 1 {
		t.Errorf("reported %d times, want once:\n%s", n, log)
	}
}

// failingHashes holds old hashes for the first look, and fails in the others.
type failingHashes struct {
	storedHashes
	fault error
	looks int
}

func (h *failingHashes) NextOldHash(ctx context.Context, from string) (string, error) {
	if from == "" {
		h.looks++
	}
	if h.looks > 1 {
		return "", h.fault
	}
	return h.storedHashes.NextOldHash(ctx, from)
}

func TestFollowOldHashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("the store is away")
		stored := &failingHashes{storedHashes: storedHashes{bcrypt12}, fault: away}
		k, _ := newKeeper(t, password.KeeperConfig{Hashes: stored, LookEvery: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute+time.Second)
		defer cancel()
		var faults []error
		k.FollowOldHashes(ctx, func(err error) { faults = append(faults, err) })
		if got := k.FailureFloor(); got != password.MinFailureFloor {
			t.Errorf("a failed login takes at least %s, want %s", got, password.MinFailureFloor)
		}
		if !slices.Equal(faults, []error{away, away}) {
			t.Errorf("faults: %v, want two of the store", faults)
		}
	})
}
