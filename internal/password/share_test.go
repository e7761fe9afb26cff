package password_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/password"
)

// enter takes a place with these shares and wants that error.
func enter(t *testing.T, gate *password.Gate, lane password.Lane, want error, shares ...password.Share) *password.Place {
	t.Helper()
	place, err := gate.Enter(lane, shares...)
	if !errors.Is(err, want) {
		t.Fatalf("Enter: %v, want %v", err, want)
	}
	return place
}

func TestGateBoundsThePlacesOfAKey(t *testing.T) {
	gate := password.NewGate(1, time.Hour)
	mira, noor := password.Share{Key: "mira", Places: 2}, password.Share{Key: "noor", Places: 2}
	first := enter(t, gate, password.LaneOpen, nil, mira)
	second := enter(t, gate, password.LaneReserved, nil, mira)
	enter(t, gate, password.LaneOpen, password.ErrShareTaken, mira)
	enter(t, gate, password.LaneOpen, password.ErrShareTaken, noor, mira)
	// The refused call has taken nothing of noor's.
	enter(t, gate, password.LaneOpen, nil, noor)
	enter(t, gate, password.LaneOpen, nil, noor).Leave()

	// A share is held until the answer: while the hash runs, after it, and by a caller
	// that waits for something else.
	if err := first.Do(t.Context(), func() { enter(t, gate, password.LaneOpen, password.ErrShareTaken, mira) }); err != nil {
		t.Fatal(err)
	}
	second.StepAside()
	enter(t, gate, password.LaneOpen, password.ErrShareTaken, mira)
	if err := second.Return(); err != nil {
		t.Fatal(err)
	}
	first.Leave()
	first.Leave()
	enter(t, gate, password.LaneOpen, nil, mira)
	enter(t, gate, password.LaneOpen, password.ErrShareTaken, mira)

	// A place that moves holds the shares of where it is, or nothing.
	if err := second.Move(password.LaneOpen, mira); err != nil {
		t.Errorf("Move: %v", err)
	}
	moving := enter(t, gate, password.LaneReserved, nil, noor)
	if err := moving.Move(password.LaneOpen, mira); !errors.Is(err, password.ErrShareTaken) {
		t.Errorf("Move: %v, want %v", err, password.ErrShareTaken)
	}
	moving.Leave()
	enter(t, gate, password.LaneOpen, nil, noor)
}

func TestHalfALaneIsLeftToOthers(t *testing.T) {
	// The first estimate is 50 ms: of two slots, 1.5 s hold sixty places.
	gate := password.NewGate(2, 1500*time.Millisecond)
	office := password.Share{Key: "office", Places: password.HalfLane}
	for range 30 {
		enter(t, gate, password.LaneReserved, nil, office)
	}
	for _, lane := range []password.Lane{password.LaneOpen, password.LaneReserved} {
		enter(t, gate, lane, password.ErrShareTaken, office)
		for range 10 {
			enter(t, gate, lane, nil, password.Share{Key: "others", Places: password.HalfLane})
		}
	}
	slow := password.NewGate(1, 0)
	enter(t, slow, password.LaneOpen, nil, office)
}

// A refusal because the lane is full takes nothing of the shares.
func TestOverloadTakesNoShare(t *testing.T) {
	gate := password.NewGate(1, 0)
	mira := password.Share{Key: "mira", Places: 1}
	first := enter(t, gate, password.LaneOpen, nil)
	enter(t, gate, password.LaneOpen, password.ErrOverloaded, mira)
	first.Leave()
	enter(t, gate, password.LaneOpen, nil, mira)
}
