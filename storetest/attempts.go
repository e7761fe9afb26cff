package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
)

func attempt(name string, at time.Time) stepkey.Attempt {
	a := stepkey.Attempt{At: at, Known: true}
	copy(a.Key[:], name)
	return a
}

func chargeAttempt(t *testing.T, s stepkey.Store, a stepkey.Attempt) stepkey.Attempts {
	t.Helper()
	got, err := s.ChargeAttempt(t.Context(), a)
	if err != nil {
		t.Fatalf("ChargeAttempt: %v", err)
	}
	return got
}

func wantAttempts(t *testing.T, what string, got, want stepkey.Attempts) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func chargeFree(t *testing.T, s stepkey.Store, a stepkey.Attempt) {
	t.Helper()
	for i := range stepkey.FreeAttempts - 1 {
		wantAttempts(t, fmt.Sprintf("attempt %d", i+1), chargeAttempt(t, s, a), stepkey.Attempts{Charged: true, Failures: i + 1})
	}
}

func attemptsWait(t *testing.T, s stepkey.Store) {
	a := attempt("mira", epoch)
	chargeFree(t, s, a)
	failures := stepkey.FreeAttempts
	for _, wait := range []time.Duration{30, 60, 120, 240, 480, 960, 1920, 3600, 3600} {
		wait *= time.Second
		wantAttempts(t, "attempt", chargeAttempt(t, s, a), stepkey.Attempts{Charged: true, Failures: failures, Wait: wait})
		wantAttempts(t, "at once", chargeAttempt(t, s, a), stepkey.Attempts{Failures: failures, Wait: wait})
		a.At = a.At.Add(wait - time.Microsecond)
		wantAttempts(t, "a moment early", chargeAttempt(t, s, a), stepkey.Attempts{Failures: failures, Wait: time.Microsecond})
		a.At = a.At.Add(time.Microsecond)
		failures++
	}
	wantAttempts(t, "somebody else", chargeAttempt(t, s, attempt("noor", epoch)), stepkey.Attempts{Charged: true, Failures: 1})
}

func attemptsEnd(t *testing.T, s stepkey.Store) {
	a := attempt("mira", epoch)
	charged := 0
	for range 3 * stepkey.MaxAttempts {
		if chargeAttempt(t, s, a).Charged {
			charged++
		}
		a.At = a.At.Add(stepkey.AttemptMemory)
	}
	if charged != stepkey.MaxAttempts {
		t.Errorf("%d attempts were allowed, want %d", charged, stepkey.MaxAttempts)
	}
	wantAttempts(t, "after the last", chargeAttempt(t, s, a), stepkey.Attempts{Failures: stepkey.MaxAttempts, Wait: stepkey.MaxWait})
}

func attemptsStartOver(t *testing.T, s stepkey.Store) {
	a := attempt("mira", epoch)
	chargeFree(t, s, a)
	chargeAttempt(t, s, a)
	a.At = a.At.Add(stepkey.AttemptMemory - time.Microsecond)
	wantAttempts(t, "just within memory", chargeAttempt(t, s, a), stepkey.Attempts{Charged: true, Failures: 11, Wait: time.Minute})
	a.At = a.At.Add(stepkey.AttemptMemory)
	for i := range stepkey.FreeAttempts - 1 {
		wantAttempts(t, "a day later", chargeAttempt(t, s, a), stepkey.Attempts{Charged: true, Failures: 12 + i})
	}
}

// attemptsOutOfOrder: of attempts made at once one is sometimes earlier and counted
// later. It waits for nothing.
func attemptsOutOfOrder(t *testing.T, s stepkey.Store) {
	late := attempt("mira", epoch)
	for i := range stepkey.FreeAttempts - 2 {
		wantAttempts(t, "an earlier attempt", chargeAttempt(t, s, late), stepkey.Attempts{Charged: true, Failures: i + 1})
		late.At = late.At.Add(-time.Millisecond)
	}
	refunded := attempt("mira", epoch)
	wantAttempts(t, "one to take back", chargeAttempt(t, s, refunded), stepkey.Attempts{Charged: true, Failures: stepkey.FreeAttempts - 1})
	if err := s.RefundAttempt(t.Context(), refunded); err != nil {
		t.Fatalf("RefundAttempt: %v", err)
	}
	wantAttempts(t, "after one was taken back", chargeAttempt(t, s, late), stepkey.Attempts{Charged: true, Failures: stepkey.FreeAttempts - 1})
}

func attemptsRefunded(t *testing.T, s stepkey.Store) {
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
			stepkey.Attempts{Charged: true, Failures: stepkey.FreeAttempts, Wait: stepkey.FirstWait})
		refund()
	}
	for range 2 * stepkey.FreeAttempts {
		refund()
	}
	chargeFree(t, s, a)
}

func attemptsForgotten(t *testing.T, s stepkey.Store) {
	for _, keepWaits := range []bool{false, true} {
		a := attempt(fmt.Sprintf("user%v", keepWaits), epoch)
		chargeFree(t, s, a)
		chargeAttempt(t, s, a)
		if err := s.InTx(t.Context(), func(tx stepkey.Tx) error {
			return tx.ForgetAttempts(t.Context(), a.Key, keepWaits)
		}); err != nil {
			t.Fatal(err)
		}
		want := stepkey.Attempts{Charged: true, Failures: 1}
		if keepWaits {
			want = stepkey.Attempts{Wait: stepkey.FirstWait}
		}
		wantAttempts(t, fmt.Sprintf("forgotten, waits kept: %v", keepWaits), chargeAttempt(t, s, a), want)
	}
}

func tenOf64Attempts(t *testing.T, s stepkey.Store) {
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
	if charged != stepkey.FreeAttempts || slices.Max(counts) != stepkey.FreeAttempts {
		t.Errorf("%d attempts were allowed, up to number %d; want %d", charged, slices.Max(counts), stepkey.FreeAttempts)
	}
}
