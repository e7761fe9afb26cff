package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// attributes changes groups and own claims: all reads see them, a change of an older version
// changes nothing, and the marks of changes come among the ends.
func attributes(t *testing.T, s storage.Store) {
	a, other := withRefresh(t, s, "mira", 1), withRefresh(t, s, "noor", 0)
	set := func(userID uuid.UUID, to storage.Attributes, at time.Time, want bool) {
		t.Helper()
		inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
			changed, err := tx.SetAttributes(ctx, userID, to, at)
			if changed != want {
				t.Errorf("%+v: changed %v, want %v", to, changed, want)
			}
			return err
		})
	}
	first := storage.Attributes{Groups: "dev ops", Claims: `{"locale":"de"}`}
	set(a.User.ID, first, epoch, true)
	first.Version = 1
	set(a.User.ID, first, epoch, false)
	set(a.User.ID, storage.Attributes{Groups: "dev"}, epoch, false)
	set(uuid.New(), storage.Attributes{Groups: "dev"}, epoch, false)

	byName, err1 := s.UserByName(t.Context(), a.User.CanonicalName)
	account, err2 := s.Account(t.Context(), a.User.ID, a.Session.ID, epoch)
	record, err3 := s.UserRecord(t.Context(), a.User.CanonicalName)
	rotated, err4 := s.RotateSession(t.Context(), storage.Rotation{
		SessionID: a.Session.ID, Salt: a.Session.Salt, Generation: a.Session.Generation, At: epoch,
		IdleSince: epoch.Add(-time.Hour), NoStepUpSince: epoch.Add(-time.Hour), FullSince: epoch.Add(-time.Hour), FullIdleSince: epoch.Add(-time.Hour),
	})
	for i, got := range []storage.Attributes{byName.Attributes, account.User.Attributes, record.User.Attributes, rotated.Attributes} {
		if err := []error{err1, err2, err3, err4}[i]; err != nil || got != first {
			t.Errorf("read %d: %+v, %v; want %+v", i, got, err, first)
		}
	}
	if got, err := s.UserByName(t.Context(), other.User.CanonicalName); err != nil || got.Attributes != (storage.Attributes{}) {
		t.Errorf("somebody else: %+v, %v", got.Attributes, err)
	}

	set(a.User.ID, storage.Attributes{Version: 1}, epoch.Add(time.Second), true)
	want := []storage.EndedSession{
		{ID: storage.Attributes{}.Mark(a.User.ID), At: epoch},
		{ID: storage.Attributes{Version: 1}.Mark(a.User.ID), At: epoch.Add(time.Second)},
	}
	place := storage.EndedSession{At: epoch}
	for _, w := range want {
		page, err := s.EndedSessions(t.Context(), place, 1)
		if err != nil || len(page) != 1 || page[0].ID != w.ID || page[0].UserID != uuid.Nil || !page[0].At.Equal(w.At) {
			t.Fatalf("ends after %+v: %+v, %v; want %+v", place, page, err, w)
		}
		place = page[0]
	}

	set(a.User.ID, storage.Attributes{Groups: "ops", Claims: `{"locale":"en"}`, Version: 2}, epoch, true)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		return tx.DeleteUser(ctx, a.User.ID, "hash of nothing", epoch)
	})
	gone, err := s.UserByName(t.Context(), a.User.CanonicalName)
	if err != nil || gone.Attributes.Groups != "" || gone.Attributes.Claims != "" {
		t.Errorf("of a deleted user: %+v, %v", gone.Attributes, err)
	}
	set(a.User.ID, storage.Attributes{Groups: "ops", Version: gone.Attributes.Version}, epoch, false)
}
