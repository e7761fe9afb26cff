package password_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/internal/password"
)

const hashTime = 30 * time.Millisecond

func sleep() { time.Sleep(hashTime) }

// background runs one Do on its own goroutine and returns where its error will
// appear.
func background(ctx context.Context, gate *password.Gate, work func()) <-chan error {
	result := make(chan error, 1)
	go func() { result <- gate.Do(ctx, password.LaneOpen, work) }()
	return result
}

func retryAfter(t *testing.T, err error) time.Duration {
	t.Helper()
	var overloaded *password.OverloadedError
	if !errors.As(err, &overloaded) || !errors.Is(err, password.ErrOverloaded) {
		t.Fatalf("got %v, want an OverloadedError", err)
	}
	return overloaded.RetryAfter
}

func TestGateRunsAtMostSlotsAtOnce(t *testing.T) {
	const slots, callers = 3, 200
	synctest.Test(t, func(t *testing.T) {
		gate := password.NewGate(slots, time.Hour)
		var running, highest, ran, left atomic.Int64
		work := func() {
			now := running.Add(1)
			for seen := highest.Load(); now > seen && !highest.CompareAndSwap(seen, now); {
				seen = highest.Load()
			}
			sleep()
			running.Add(-1)
			ran.Add(1)
		}
		var callersLeft sync.WaitGroup
		for i := range callers {
			callersLeft.Go(func() {
				ctx := t.Context()
				if i%3 == 0 {
					// Some leave in the queue, some while they run.
					limited, cancel := context.WithTimeout(ctx, time.Duration(i)*5*time.Millisecond)
					defer cancel()
					ctx = limited
				}
				err := gate.Do(ctx, password.LaneOpen, work)
				if errors.Is(err, context.DeadlineExceeded) {
					left.Add(1)
				} else if err != nil {
					t.Errorf("Do: %v", err)
				}
			})
		}
		callersLeft.Wait()
		if highest.Load() != slots {
			t.Errorf("%d ran at once, want %d", highest.Load(), slots)
		}
		if left.Load() == 0 || ran.Load()+left.Load() != callers {
			t.Errorf("%d ran and %d left, of %d", ran.Load(), left.Load(), callers)
		}
		if err := gate.Do(t.Context(), password.LaneOpen, func() {}); err != nil {
			t.Errorf("a slot was lost: %v", err)
		}
	})
}

// inLane runs one Do on its own goroutine, which adds its name to order.
func inLane(t *testing.T, all *sync.WaitGroup, gate *password.Gate, lane password.Lane, name string, order *[]string) {
	all.Go(func() {
		if err := gate.Do(t.Context(), lane, func() { sleep(); *order = append(*order, name) }); err != nil {
			t.Errorf("Do: %v", err)
		}
	})
	synctest.Wait()
}

func TestReservedLaneGoesFirstAndLeavesOneTurnInFour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := password.NewGate(1, time.Hour)
		var order []string
		var all sync.WaitGroup
		for _, name := range []string{"running", "open 1", "open 2"} {
			inLane(t, &all, gate, password.LaneOpen, name, &order)
		}
		for _, name := range []string{"known 1", "known 2", "known 3", "known 4"} {
			inLane(t, &all, gate, password.LaneReserved, name, &order)
		}
		all.Wait()
		want := []string{"running", "known 1", "known 2", "known 3", "open 1", "known 4", "open 2"}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFullOpenLaneLeavesTheReservedOneOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := password.NewGate(1, 150*time.Millisecond)
		// The first estimate is 50 ms: one runs, three may wait.
		for range 4 {
			background(t.Context(), gate, sleep)
			synctest.Wait()
		}
		retryAfter(t, gate.Do(t.Context(), password.LaneOpen, sleep))
		if err := gate.Do(t.Context(), password.LaneReserved, sleep); err != nil {
			t.Errorf("in the reserved lane: %v", err)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if err := gate.Do(t.Context(), password.LaneOpen, sleep); err != nil {
			t.Errorf("the open lane is still shut: %v", err)
		}
	})
}

// The number of places bounds the work before a hash: there are no more of them than can get
// their turn in time.
func TestPlacesThatAreNotReadyYetCount(t *testing.T) {
	gate := password.NewGate(1, 150*time.Millisecond)
	enter := func(lane password.Lane, n int) (places []*password.Place) {
		t.Helper()
		for range n {
			place, err := gate.Enter(lane)
			if err != nil {
				t.Fatalf("place %d: %v", len(places)+1, err)
			}
			places = append(places, place)
		}
		_, err := gate.Enter(lane)
		retryAfter(t, err)
		return places
	}
	// The first estimate is 50 ms: one may run, three may wait.
	open := enter(password.LaneOpen, 4)
	reserved := enter(password.LaneReserved, 4)
	retryAfter(t, reserved[0].Move(password.LaneOpen))
	reserved[0].Leave() // has no place any more
	enter(password.LaneReserved, 1)[0].Leave()
	for _, place := range append(open, reserved[1:]...) {
		place.Leave()
		place.Leave()
	}
	moved := enter(password.LaneReserved, 4)
	for _, place := range moved {
		if err := place.Move(password.LaneOpen); err != nil {
			t.Errorf("moving to an empty lane: %v", err)
		}
	}
	if err := moved[0].Do(t.Context(), func() { enter(password.LaneOpen, 0) }); err != nil {
		t.Errorf("Do: %v", err)
	}
	for _, place := range moved {
		place.Leave()
	}
	if err := gate.Do(t.Context(), password.LaneOpen, func() {}); err != nil {
		t.Errorf("places were lost: %v", err)
	}
}

func TestGateIsFirstInFirstOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := password.NewGate(1, time.Hour)
		var order []int
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				if err := gate.Do(t.Context(), password.LaneOpen, func() { sleep(); order = append(order, i) }); err != nil {
					t.Errorf("Do: %v", err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if diff := cmp.Diff([]int{0, 1, 2, 3, 4}, order); diff != "" {
			t.Error(diff)
		}
	})
}

func TestGateRefusesAtOnceWhenTheQueueHoldsMoreThanMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := password.NewGate(2, 301*time.Millisecond)
		// Measured hashes replace the first estimate.
		for range 100 {
			if err := gate.Do(t.Context(), password.LaneOpen, sleep); err != nil {
				t.Fatal(err)
			}
		}
		// Two run, and 301 ms hold ten more for each slot.
		admitted := 0
		var refused error
		start := time.Now()
		for refused == nil {
			result := background(t.Context(), gate, sleep)
			synctest.Wait()
			select {
			case refused = <-result:
			default:
				admitted++
			}
		}
		if time.Since(start) != 0 {
			t.Errorf("the refusal took %v", time.Since(start))
		}
		if admitted != 2+20 {
			t.Errorf("%d admitted, want 22", admitted)
		}
		retryAfter(t, refused)
		time.Sleep(time.Minute) // the admitted ones end
	})
}

func TestGateLearnsHowLongHashesTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := password.NewGate(1, time.Second)
		for range 100 {
			if err := gate.Do(t.Context(), password.LaneOpen, func() { time.Sleep(600 * time.Millisecond) }); err != nil {
				t.Fatal(err)
			}
		}
		running := background(t.Context(), gate, sleep)
		synctest.Wait()
		waiting := background(t.Context(), gate, sleep)
		synctest.Wait()
		retryAfter(t, gate.Do(t.Context(), password.LaneOpen, sleep))
		if err := errors.Join(<-running, <-waiting); err != nil {
			t.Error(err)
		}
	})
}

func TestGateLetsNobodyWaitLongerThanMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := password.NewGate(1, time.Second)
		long := background(t.Context(), gate, func() { time.Sleep(time.Minute) })
		synctest.Wait()
		start := time.Now()
		err := gate.Do(t.Context(), password.LaneOpen, func() { t.Error("ran after its time") })
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v, want 1s", waited)
		}
		retryAfter(t, err)
		if err := <-long; err != nil {
			t.Error(err)
		}
		if err := gate.Do(t.Context(), password.LaneOpen, sleep); err != nil {
			t.Errorf("the slot of the long one was lost: %v", err)
		}
	})
}

func TestGateRetryAfterIsOneToFiveSecondsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := password.NewGate(1, 0)
		long := background(t.Context(), gate, sleep)
		synctest.Wait()
		seen := map[time.Duration]int{}
		for range 10 {
			seen[retryAfter(t, gate.Do(t.Context(), password.LaneOpen, sleep))]++
		}
		want := map[time.Duration]int{}
		for second := range 5 {
			want[time.Duration(second+1)*time.Second] = 2
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Error(diff)
		}
		if err := <-long; err != nil {
			t.Error(err)
		}
	})
}

func TestGateCancelledCallerLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := password.NewGate(1, time.Hour)
		running := background(t.Context(), gate, func() { time.Sleep(time.Second) })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		waiting := background(ctx, gate, func() { t.Error("ran after its caller left") })
		synctest.Wait()
		last := background(t.Context(), gate, sleep)
		synctest.Wait()
		cancel()
		synctest.Wait()
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Errorf("Do: %v, want %v", err, context.Canceled)
		}
		if err := errors.Join(<-running, <-last); err != nil {
			t.Error(err)
		}
	})
}

// A caller may leave in the moment in which its turn comes. Its slot goes to the
// next one.
func TestGateHandsOnTheSlotOfACallerWhoLeavesAtItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 1000 {
			gate := password.NewGate(1, time.Hour)
			ctx, cancel := context.WithCancel(t.Context())
			running := background(t.Context(), gate, func() { sleep(); cancel() })
			synctest.Wait()
			leaving := background(ctx, gate, func() {})
			synctest.Wait()
			next := background(t.Context(), gate, sleep)
			if err := errors.Join(<-running, <-next); err != nil {
				t.Fatal(err)
			}
			if err := <-leaving; err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
	})
}

func TestGateRefusesACallerWhoHasLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := password.NewGate(1, time.Hour).Do(ctx, password.LaneOpen, func() { t.Error("ran after its caller left") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Do: %v, want %v", err, context.Canceled)
	}
}

// Leaving a running hash must not free its slot (BF-9 of the security
// reference): the work goes on, and so does what it costs.
func TestGateKeepsTheSlotOfACallerWhoLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := password.NewGate(1, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		var running atomic.Bool
		left := background(ctx, gate, func() {
			running.Store(true)
			time.Sleep(time.Second)
			running.Store(false)
		})
		synctest.Wait()
		cancel()
		next := background(t.Context(), gate, func() {
			if running.Load() {
				t.Error("two ran at once")
			}
		})
		if err := errors.Join(<-left, <-next); err != nil {
			t.Error(err)
		}
	})
}

func TestGateFreesTheSlotOfAPanic(t *testing.T) {
	gate := password.NewGate(0, 0)
	func() {
		defer func() { _ = recover() }()
		_ = gate.Do(t.Context(), password.LaneOpen, func() { panic("hash") })
	}()
	if err := gate.Do(t.Context(), password.LaneOpen, func() {}); err != nil {
		t.Errorf("the slot was lost: %v", err)
	}
}

func TestDefaultSlotsIsAtLeastOne(t *testing.T) {
	if password.DefaultSlots() < 1 {
		t.Errorf("DefaultSlots() = %d", password.DefaultSlots())
	}
}
