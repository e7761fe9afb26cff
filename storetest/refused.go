package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

func wantRefused(t *testing.T, s storage.Store, what string, userID uuid.UUID, want ...storage.RefusedCeremony) {
	t.Helper()
	got, err := s.RefusedCeremonies(t.Context(), userID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s: %v, -want +got:\n%s", what, err, diff)
	}
}

func refusedCeremonies(t *testing.T, s storage.Store) {
	a, other := signedIn(t, s, "mira", 1), signedIn(t, s, "noor", 1)
	record := func(userID uuid.UUID, ceremony storage.Purpose, reason, request string, after time.Duration) {
		t.Helper()
		err := s.RecordRefusedCeremony(t.Context(), storage.RefusedCeremony{
			UserID: userID, Ceremony: ceremony, Reason: reason, RequestID: request, LastAt: epoch.Add(after),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wantRefused(t, s, "at first", a.User.ID)
	record(a.User.ID, storage.PurposeStepUp, "origin", "one", 0)
	record(a.User.ID, storage.PurposeRegistration, "origin", "two", time.Second)
	record(a.User.ID, storage.PurposeStepUp, "signature", "three", 2*time.Second)
	record(a.User.ID, storage.PurposeStepUp, "origin", "four", 3*time.Second)
	record(other.User.ID, storage.PurposeLogIn, "origin", "five", 4*time.Second)
	record(uuid.New(), storage.PurposeStepUp, "origin", "six", 0)
	refused := func(userID uuid.UUID, ceremony storage.Purpose, reason, request string, times int64, after time.Duration) storage.RefusedCeremony {
		return storage.RefusedCeremony{
			UserID: userID, Ceremony: ceremony, Reason: reason, RequestID: request, Times: times, LastAt: epoch.Add(after),
		}
	}
	wantRefused(t, s, "the user's", a.User.ID,
		refused(a.User.ID, storage.PurposeStepUp, "origin", "four", 2, 3*time.Second),
		refused(a.User.ID, storage.PurposeStepUp, "signature", "three", 1, 2*time.Second),
		refused(a.User.ID, storage.PurposeRegistration, "origin", "two", 1, time.Second))
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		return tx.DeleteUser(ctx, a.User.ID, "hash of nothing", epoch)
	})
	record(a.User.ID, storage.PurposeStepUp, "origin", "seven", time.Minute)
	wantRefused(t, s, "a deleted user's", a.User.ID)
	wantRefused(t, s, "somebody else's", other.User.ID,
		refused(other.User.ID, storage.PurposeLogIn, "origin", "five", 1, 4*time.Second))
}

func refusedAtOnce(t *testing.T, s storage.Store) {
	a := signedIn(t, s, "mira", 1)
	r := storage.RefusedCeremony{UserID: a.User.ID, Ceremony: storage.PurposeStepUp, Reason: "origin", RequestID: "x", LastAt: epoch}
	race(16, func(int) bool {
		if err := s.RecordRefusedCeremony(t.Context(), r); err != nil {
			t.Errorf("RecordRefusedCeremony: %v", err)
		}
		return true
	})
	r.Times = 16
	wantRefused(t, s, "after 16 at once", a.User.ID, r)
}
