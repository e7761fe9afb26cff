package throttle

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stepkey/stepkey/storage"
)

type refusedError struct{ wait time.Duration }

func (e *refusedError) Error() string { return "wait " + e.wait.String() }

func refused(wait time.Duration) error { return &refusedError{wait} }

func wantTurn(t *testing.T, turns *Turns, key any) func() {
	t.Helper()
	leave, err := turns.take(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

// waitFor blocks until n wait at a key.
func waitFor(turns *Turns, key any, n int) {
	for {
		turns.mu.Lock()
		q := turns.keys[key]
		waiting := q != nil && len(q.waiting) == n
		turns.mu.Unlock()
		if waiting {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Those of one key take turns in the order in which they came; other keys do not wait.
func TestTurnsAreTakenInOrder(t *testing.T) {
	turns := NewTurns(refused)
	leave := []func(){wantTurn(t, turns, "mira"), wantTurn(t, turns, "mira")}
	served := make(chan int, 10)
	for i := range 10 {
		go func() {
			leave, err := turns.take(context.WithoutCancel(t.Context()), "mira")
			if err != nil {
				i = -1
			}
			served <- i
			if err == nil {
				leave()
			}
		}()
		waitFor(turns, "mira", i+1)
	}
	wantTurn(t, turns, "noor")()
	if len(served) > 0 {
		t.Fatal("somebody did not wait")
	}
	leave[0]() // the other turn is kept, so that one comes after the other
	for want := range 10 {
		if got := <-served; got != want {
			t.Errorf("served %d, want %d", got, want)
		}
	}
	leave[1]()
	waitForNobody(turns)
}

// waitForNobody blocks until nothing is remembered.
func waitForNobody(turns *Turns) {
	for {
		turns.mu.Lock()
		n := len(turns.keys)
		turns.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Beyond the queue, and after its deadline, an operation is refused and leaves nothing behind.
func TestTurnsRefuse(t *testing.T) {
	turns := NewTurns(refused)
	turns.waiting = 1
	leave := []func(){wantTurn(t, turns, "mira"), wantTurn(t, turns, "mira")}
	late := make(chan error)
	brief, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	go func() {
		_, err := turns.take(brief, "mira")
		late <- err
	}()
	waitFor(turns, "mira", 1)
	_, full := turns.take(t.Context(), "mira")
	var limited *refusedError
	if !errors.As(full, &limited) || limited.wait <= 0 {
		t.Errorf("a full queue: %v, want a refusal", full)
	}
	if err := <-late; !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a deadline: %v, want ErrUnavailable", err)
	}
	leave[0]()
	leave[1]()
	waitForNobody(turns)
}
