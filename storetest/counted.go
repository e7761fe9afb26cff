package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

func refusedPassword(user uuid.UUID, network string, at time.Time) storage.Event {
	return storage.Event{
		Kind: storage.EventPasswordRefused, UserID: user, At: at, Times: 1, Device: "Firefox on Linux", Network: network,
	}
}

func attemptsCounted(t *testing.T, s storage.Store) {
	a, other := signedIn(t, s, "mira", 0), signedIn(t, s, "noor", 0)
	const home, away = "203.0.113.0/24", "198.51.100.0/24"
	count := func(e storage.Event) {
		t.Helper()
		if err := s.CountAttempts(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	day := epoch.Truncate(24 * time.Hour).Add(24 * time.Hour)
	race(8, func(i int) bool {
		if err := s.CountAttempts(t.Context(), refusedPassword(a.User.ID, home, day.Add(time.Duration(i)*time.Second))); err != nil {
			t.Error(err)
		}
		return true
	})
	locked := refusedPassword(a.User.ID, home, day.Add(time.Minute))
	locked.Times, locked.Reason, locked.Device = 2, "locked_out", "Chrome on Android"
	count(locked)
	count(refusedPassword(a.User.ID, home, day.Add(time.Second))) // late, from another instance
	count(refusedPassword(a.User.ID, away, day.Add(2*time.Minute)))
	count(refusedPassword(a.User.ID, home, day.Add(25*time.Hour)))
	inSession := refusedPassword(a.User.ID, home, day.Add(3*time.Minute))
	inSession.SessionID = a.Session.ID
	count(inSession)
	count(refusedPassword(other.User.ID, home, day))
	count(refusedPassword(uuid.New(), home, day)) // no user

	got, err := s.Events(t.Context(), a.User.ID, nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	want := []storage.Event{
		refusedPassword(a.User.ID, home, day.Add(25*time.Hour)), inSession,
		refusedPassword(a.User.ID, away, day.Add(2*time.Minute)), locked,
	}
	want[3].Times, want[3].Device = 11, "Firefox on Linux"
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(storage.Event{}, "ID", "Since")); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	for _, e := range got {
		if e.Since.Before(day) || e.Since.After(e.At) {
			t.Errorf("since %v, at %v", e.Since, e.At)
		}
	}
	if theirs, err := s.Events(t.Context(), other.User.ID, nil, 100); err != nil || len(theirs) != 1 || theirs[0].Times != 1 {
		t.Errorf("another user's: %+v, %v", theirs, err)
	}
	networksBounded(t, s, other.User.ID, day.Add(48*time.Hour))
}

// networksBounded counts attempts from more networks than have entries of their own.
func networksBounded(t *testing.T, s storage.Store, user uuid.UUID, at time.Time) {
	const networks = storage.MaxCountedNetworks + 5
	for round := range 2 {
		for i := range networks {
			e := refusedPassword(user, fmt.Sprintf("203.0.%d.0/24", i), at.Add(time.Duration(round)*time.Minute))
			if err := s.CountAttempts(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := s.Events(t.Context(), user, nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	times, rest := map[int64]int{}, int64(0)
	for _, e := range got {
		if e.At.Before(at) {
			continue
		}
		times[e.Times]++
		if e.Network == "" {
			rest = e.Times
		}
	}
	if diff := cmp.Diff(map[int64]int{2: storage.MaxCountedNetworks, 10: 1}, times); diff != "" || rest != 10 {
		t.Errorf("entries by times, and %d without a network (-want +got):\n%s", rest, diff)
	}
}

// Events of a deleted user name no device, network or passkey.
func eventsOfDeleted(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 0)
	e := storage.Event{
		ID: uuid.New(), Kind: storage.EventSignedIn, At: epoch, UserID: a.User.ID,
		Device: "Firefox on Linux", Network: "203.0.113.0/24", PasskeyName: "Blue key",
	}
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		if err := tx.RecordEvent(ctx, e); err != nil {
			return err
		}
		return tx.DeleteUser(ctx, a.User.ID, "hash of nothing", epoch)
	})
	if err := s.CountAttempts(t.Context(), refusedPassword(a.User.ID, e.Network, epoch)); err != nil {
		t.Error(err)
	}
	e.Device, e.Network, e.PasskeyName = "", "", ""
	got, err := s.Events(t.Context(), a.User.ID, nil, 10)
	if diff := cmp.Diff([]storage.Event{e}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
