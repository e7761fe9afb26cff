package password_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stepkey/stepkey/internal/password"
)

func argon2id(memoryKiB, passes, lanes int) string {
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", memoryKiB, passes, lanes, salt16, key32)
}

func bcryptOf(cost int) string { return fmt.Sprintf("$2b$%02d$", cost) + strings.Repeat("/", 53) }

func scryptOf(params string) string { return "$scrypt$" + params + "$c2FsdA$" + key32 }

func django(iterations int) string {
	return fmt.Sprintf("pbkdf2_sha256$%d$salt$%s=", iterations, key32)
}

func TestFailureFloorAndHashesThatRunAlone(t *testing.T) {
	hasher := newHasher(t, password.DefaultParams())
	const half, alone = 500 * time.Millisecond, true
	for _, test := range []struct {
		encoded string
		floor   time.Duration
		alone   bool
	}{
		{hasher.Decoy(), 0, false},
		{argon2id(19456, 2, 1), 0, false},
		{argon2id(8, 1, 1), half, false}, // less than today's is told by time as well
		{argon2id(19456, 1, 1), half, false},
		{argon2id(19456, 3, 1), half, false},
		{argon2id(19456, 2, 2), half, false},
		{argon2id(7168, 5, 1), half, false},
		{argon2id(65536, 3, 4), half, alone},
		{argon2id(65536, 4, 1), half, alone},
		{argon2id(131072, 4, 1), time.Second, alone},
		{bcryptOf(4), half, false},
		{bcryptOf(12), half, false},
		{bcryptOf(13), time.Second, alone},
		{bcryptOf(password.MaxBcryptCost), 2 * time.Second, alone},
		{django(1_000_000), half, false},
		{django(1_200_000), time.Second, alone},
		{django(password.MaxIterations), time.Second, alone},
		{scryptOf("ln=15,r=8,p=1"), half, false},
		{scryptOf("ln=16,r=8,p=1"), half, alone},
		{scryptOf("ln=17,r=8,p=1"), time.Second, alone},
		{scryptOf("ln=14,r=8,p=8"), time.Second, alone},

		// The decoy is compared instead.
		{scryptOf("ln=31,r=8,p=1"), 0, false},
		{argon2id(262144, 10, 1), 0, false},
		{"no hash at all", 0, false},
	} {
		if got := hasher.FailureFloor(test.encoded); got != test.floor {
			t.Errorf("FailureFloor(%s) = %s, want %s", test.encoded, got, test.floor)
		}
		if got := password.RunsAlone(test.encoded); got != test.alone {
			t.Errorf("RunsAlone(%s) = %v", test.encoded, got)
		}
	}
}

// A reader of sorted hashes that skips from kind to kind meets each of them once.
func TestAfterKind(t *testing.T) {
	kinds := []string{
		bcryptOf(4), bcryptOf(12), "$7$4/..../....salt$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D",
		"$7$56..../....salt$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D",
		argon2id(19456, 2, 1), argon2id(19456, 2, 2), argon2id(65536, 3, 1),
		"$pbkdf2-sha256$i=1000$c2FsdA$" + key32, "$pbkdf2-sha256$29000$c2FsdA$" + key32, "$pbkdf2-sha256$i=1000,l=32$c2FsdA$" + key32,
		scryptOf("ln=15,r=8,p=1"), scryptOf("ln=15,r=8,p=2"),
		django(600_000), django(1_000_000), "!unusable", "~", "",
	}
	var hashes []string
	for _, kind := range kinds {
		hashes = append(hashes, kind)
		if password.Check(kind) != nil {
			continue
		}
		salted := strings.LastIndexByte(kind, '$') + 1
		if strings.HasPrefix(kind, "$2b$") {
			salted = len("$2b$12$")
		}
		for _, first := range "/9Aaz" {
			hashes = append(hashes, kind[:salted]+string(first)+kind[salted+1:])
		}
	}
	slices.Sort(hashes)
	var met []string
	for from := ""; ; {
		next, _ := slices.BinarySearch(hashes, from)
		if next == len(hashes) {
			break
		}
		met = append(met, hashes[next])
		from = password.AfterKind(hashes[next])
	}
	if len(met) != len(kinds) {
		t.Errorf("met %d of %d kinds: %q", len(met), len(kinds), met)
	}
}

func TestCostlyHashesRunOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := password.NewGate(3, time.Hour)
		var costly, most, all atomic.Int64
		var callers sync.WaitGroup
		for i := range 40 {
			place, err := gate.Enter(password.LaneOpen)
			if err != nil {
				t.Fatal(err)
			}
			do := place.Do
			if i%2 == 0 {
				do = place.DoAlone
			}
			callers.Go(func() {
				defer place.Leave()
				err := do(t.Context(), func() {
					if i%2 == 0 {
						most.Store(max(most.Load(), costly.Add(1)))
						defer costly.Add(-1)
					}
					all.Add(1)
					sleep()
				})
				if err != nil {
					t.Errorf("Do: %v", err)
				}
			})
		}
		callers.Wait()
		if most.Load() != 1 || all.Load() != 40 {
			t.Errorf("%d costly hashes ran at once, and %d ran in all", most.Load(), all.Load())
		}
	})
}

// A costly hash waits for another one no longer than for a slot, and its place is free
// again afterwards.
func TestCostlyHashesWaitNoLongerThanMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := password.NewGate(2, time.Second)
		enter := func() *password.Place { return enter(t, gate, password.LaneOpen, nil) }
		first, second, third := enter(), enter(), enter()
		var all sync.WaitGroup
		all.Go(func() {
			if err := first.DoAlone(t.Context(), func() { time.Sleep(1500 * time.Millisecond) }); err != nil {
				t.Errorf("the first: %v", err)
			}
		})
		synctest.Wait()
		began := time.Now()
		retryAfter(t, second.DoAlone(t.Context(), func() { t.Error("ran after its time") }))
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("waited %s, want 1s", waited)
		}
		second.Leave()
		if err := third.DoAlone(t.Context(), sleep); err != nil {
			t.Errorf("the next: %v", err)
		}
		all.Wait()
	})
}
