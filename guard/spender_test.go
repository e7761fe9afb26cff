package guard_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stepkey/stepkey/guard"
)

func TestMemorySpender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := guard.NewMemorySpender(3), time.Now()
		spend := func(id string, until time.Duration, want bool, wantErr error) {
			t.Helper()
			first, err := s.Spend(t.Context(), id, start.Add(until))
			if first != want || !errors.Is(err, wantErr) {
				t.Errorf("%s after %s: %v, %v; want %v, %v", id, time.Since(start), first, err, want, wantErr)
			}
		}
		spend("a", time.Minute, true, nil)
		spend("a", time.Minute, false, nil)
		spend("b", 2*time.Minute, true, nil)
		spend("c", time.Minute, true, nil)
		spend("d", time.Minute, false, guard.ErrSpenderFull)
		spend("a", time.Minute, false, nil) // what is known is known when full

		time.Sleep(time.Minute - 1)
		spend("a", time.Minute, false, nil)
		time.Sleep(time.Nanosecond)
		spend("d", 3*time.Minute, true, nil) // in a's place
		spend("b", 2*time.Minute, false, nil)
		time.Sleep(time.Minute)
		spend("b", 4*time.Minute, true, nil)
	})
}

// However many come one after the other, only those that count are held.
func TestMemorySpenderForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := guard.NewMemorySpender(10)
		for i := range 10_000 {
			if first, err := s.Spend(t.Context(), fmt.Sprint(i), time.Now().Add(10*time.Second)); !first || err != nil {
				t.Fatalf("%d: %v, %v", i, first, err)
			}
			time.Sleep(time.Second)
		}
	})
}
