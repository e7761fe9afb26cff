package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stepkey/stepkey/storage"
)

func attempt(name string, at time.Time) storage.Attempt {
	a := storage.Attempt{At: at, Known: true}
	copy(a.Key[:], name)
	return a
}

func chargeAttempt(t *testing.T, s storage.Store, a storage.Attempt) storage.Attempts {
	t.Helper()
	got, err := s.ChargeAttempt(t.Context(), a)
	if err != nil {
		t.Fatalf("ChargeAttempt: %v", err)
	}
	return got
}

func wantAttempts(t *testing.T, what string, got, want storage.Attempts) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func chargeFree(t *testing.T, s storage.Store, a storage.Attempt) {
	t.Helper()
	for i := range storage.FreeAttempts - 1 {
		wantAttempts(t, fmt.Sprintf("attempt %d", i+1), chargeAttempt(t, s, a), storage.Attempts{Charged: true, Failures: i + 1})
	}
}

func attemptsWait(t *testing.T, s storage.Store) {
	a := attempt("mira", epoch)
	chargeFree(t, s, a)
	failures := storage.FreeAttempts
	for _, wait := range []time.Duration{30, 60, 120, 240, 480, 960, 1920, 3600, 3600} {
		wait *= time.Second
		wantAttempts(t, "attempt", chargeAttempt(t, s, a), storage.Attempts{Charged: true, Failures: failures, Wait: wait})
		wantAttempts(t, "at once", chargeAttempt(t, s, a), storage.Attempts{Failures: failures, Wait: wait})
		a.At = a.At.Add(wait - time.Microsecond)
		wantAttempts(t, "a moment early", chargeAttempt(t, s, a), storage.Attempts{Failures: failures, Wait: time.Microsecond})
		a.At = a.At.Add(time.Microsecond)
		failures++
	}
	wantAttempts(t, "somebody else", chargeAttempt(t, s, attempt("noor", epoch)), storage.Attempts{Charged: true, Failures: 1})
}

func attemptsEnd(t *testing.T, s storage.Store) {
	a := attempt("mira", epoch)
	charged := 0
	for range 3 * storage.MaxAttempts {
		if chargeAttempt(t, s, a).Charged {
			charged++
		}
		a.At = a.At.Add(storage.AttemptMemory)
	}
	if charged != storage.MaxAttempts {
		t.Errorf("%d attempts were allowed, want %d", charged, storage.MaxAttempts)
	}
	wantAttempts(t, "after the last", chargeAttempt(t, s, a), storage.Attempts{Failures: storage.MaxAttempts, Wait: storage.MaxWait})
}

func attemptsStartOver(t *testing.T, s storage.Store) {
	a := attempt("mira", epoch)
	chargeFree(t, s, a)
	chargeAttempt(t, s, a)
	a.At = a.At.Add(storage.AttemptMemory - time.Microsecond)
	wantAttempts(t, "just within memory", chargeAttempt(t, s, a), storage.Attempts{Charged: true, Failures: 11, Wait: time.Minute})
	a.At = a.At.Add(storage.AttemptMemory)
	for i := range storage.FreeAttempts - 1 {
		wantAttempts(t, "a day later", chargeAttempt(t, s, a), storage.Attempts{Charged: true, Failures: 12 + i})
	}
}

// attemptsOutOfOrder checks that of concurrent attempts, one that is earlier but
// counted later does not have to wait.
func attemptsOutOfOrder(t *testing.T, s storage.Store) {
	late := attempt("mira", epoch)
	for i := range storage.FreeAttempts - 2 {
		wantAttempts(t, "an earlier attempt", chargeAttempt(t, s, late), storage.Attempts{Charged: true, Failures: i + 1})
		late.At = late.At.Add(-time.Millisecond)
	}
	refunded := attempt("mira", epoch)
	wantAttempts(t, "one to refund", chargeAttempt(t, s, refunded), storage.Attempts{Charged: true, Failures: storage.FreeAttempts - 1})
	if err := s.RefundAttempt(t.Context(), refunded); err != nil {
		t.Fatalf("RefundAttempt: %v", err)
	}
	wantAttempts(t, "after the refund", chargeAttempt(t, s, late), storage.Attempts{Charged: true, Failures: storage.FreeAttempts - 1})
}

func attemptsRefunded(t *testing.T, s storage.Store) {
	a := attempt("mira", epoch)
	refund := func() {
		t.Helper()
		if err := s.RefundAttempt(t.Context(), a); err != nil {
			t.Fatalf("RefundAttempt: %v", err)
		}
	}
	refund() // of nothing
	chargeFree(t, s, a)
	for range 3 {
		wantAttempts(t, "the one that waits", chargeAttempt(t, s, a),
			storage.Attempts{Charged: true, Failures: storage.FreeAttempts, Wait: storage.FirstWait})
		refund()
	}
	for range 2 * storage.FreeAttempts {
		refund()
	}
	chargeFree(t, s, a)
}

func attemptsForgotten(t *testing.T, s storage.Store) {
	for _, keepWaits := range []bool{false, true} {
		a := attempt(fmt.Sprintf("user%v", keepWaits), epoch)
		chargeFree(t, s, a)
		chargeAttempt(t, s, a)
		if err := s.InTx(t.Context(), func(tx storage.Tx) error {
			return tx.ForgetAttempts(t.Context(), a.Key, keepWaits)
		}); err != nil {
			t.Fatal(err)
		}
		want := storage.Attempts{Charged: true, Failures: 1}
		if keepWaits {
			want = storage.Attempts{Wait: storage.FirstWait}
		}
		wantAttempts(t, fmt.Sprintf("forgotten, waits kept: %v", keepWaits), chargeAttempt(t, s, a), want)
	}
}

func tenOf64Attempts(t *testing.T, s storage.Store) {
	a := attempt("mira", epoch)
	counts := make([]int, 64)
	charged := race(64, func(i int) bool {
		got, err := s.ChargeAttempt(t.Context(), a)
		if err != nil {
			t.Errorf("ChargeAttempt: %v", err)
		}
		counts[i] = got.Failures
		return got.Charged
	})
	if charged != storage.FreeAttempts || slices.Max(counts) != storage.FreeAttempts {
		t.Errorf("%d attempts were allowed, up to number %d; want %d", charged, slices.Max(counts), storage.FreeAttempts)
	}
}
