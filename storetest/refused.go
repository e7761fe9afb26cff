package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
)

func wantRefused(t *testing.T, s stepkey.Store, what string, userID uuid.UUID, want ...stepkey.RefusedCeremony) {
	t.Helper()
	got, err := s.RefusedCeremonies(t.Context(), userID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s: %v, -want +got:\n%s", what, err, diff)
	}
}

func refusedCeremonies(t *testing.T, s stepkey.Store) {
	a, other := signedIn(t, s, "mira", 1), signedIn(t, s, "noor", 1)
	record := func(userID uuid.UUID, ceremony stepkey.Purpose, reason, request string, after time.Duration) {
		t.Helper()
		err := s.RecordRefusedCeremony(t.Context(), stepkey.RefusedCeremony{
			UserID: userID, Ceremony: ceremony, Reason: reason, RequestID: request, LastAt: epoch.Add(after),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wantRefused(t, s, "at first", a.User.ID)
	record(a.User.ID, stepkey.PurposeStepUp, "origin", "one", 0)
	record(a.User.ID, stepkey.PurposeRegistration, "origin", "two", time.Second)
	record(a.User.ID, stepkey.PurposeStepUp, "signature", "three", 2*time.Second)
	record(a.User.ID, stepkey.PurposeStepUp, "origin", "four", 3*time.Second)
	record(other.User.ID, stepkey.PurposeLogIn, "origin", "five", 4*time.Second)
	record(uuid.New(), stepkey.PurposeStepUp, "origin", "six", 0)
	refused := func(userID uuid.UUID, ceremony stepkey.Purpose, reason, request string, times int64, after time.Duration) stepkey.RefusedCeremony {
		return stepkey.RefusedCeremony{
			UserID: userID, Ceremony: ceremony, Reason: reason, RequestID: request, Times: times, LastAt: epoch.Add(after),
		}
	}
	wantRefused(t, s, "the user's", a.User.ID,
		refused(a.User.ID, stepkey.PurposeStepUp, "origin", "four", 2, 3*time.Second),
		refused(a.User.ID, stepkey.PurposeStepUp, "signature", "three", 1, 2*time.Second),
		refused(a.User.ID, stepkey.PurposeRegistration, "origin", "two", 1, time.Second))
	inTx(t, s, func(ctx context.Context, tx stepkey.Tx) error {
		return tx.DeleteUser(ctx, a.User.ID, "hash of nothing", epoch)
	})
	record(a.User.ID, stepkey.PurposeStepUp, "origin", "seven", time.Minute)
	wantRefused(t, s, "a deleted user's", a.User.ID)
	wantRefused(t, s, "somebody else's", other.User.ID,
		refused(other.User.ID, stepkey.PurposeLogIn, "origin", "five", 1, 4*time.Second))
}

func refusedAtOnce(t *testing.T, s stepkey.Store) {
	a := signedIn(t, s, "mira", 1)
	r := stepkey.RefusedCeremony{UserID: a.User.ID, Ceremony: stepkey.PurposeStepUp, Reason: "origin", RequestID: "x", LastAt: epoch}
	race(16, func(int) bool {
		if err := s.RecordRefusedCeremony(t.Context(), r); err != nil {
			t.Errorf("RecordRefusedCeremony: %v", err)
		}
		return true
	})
	r.Times = 16
	wantRefused(t, s, "after 16 at once", a.User.ID, r)
}
