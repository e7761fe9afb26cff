package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// endedInPages reads ends of few moments in pages of every size: none is lost or read
// twice where a page ends among ends of one moment.
func endedInPages(t *testing.T, s storage.Store) {
	mira, noor := withRefresh(t, s, "mira", 0), withRefresh(t, s, "noor", 0)
	at := func(i int) time.Time { return epoch.Add(time.Duration(i/4) * time.Second) }
	const each = 13
	users := map[uuid.UUID]uuid.UUID{}
	for i := range each {
		for _, u := range []storage.User{mira.User, noor.User} {
			session := refreshable(u)
			users[session.ID] = u.ID
			inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
				if err := tx.CreateSession(ctx, session); err != nil {
					return err
				}
				_, err := tx.EndSessions(ctx, storage.EndSessions{UserID: u.ID, Only: session.ID, At: at(i), Reason: "test"})
				return err
			})
		}
	}
	for _, limit := range []int{1, 2, 3, 5, 8, 100} {
		seen := map[uuid.UUID]bool{}
		var last time.Time
		for place := (storage.EndedSession{At: epoch}); ; {
			page, err := s.EndedSessions(t.Context(), place, limit)
			if err != nil || len(page) > limit {
				t.Fatalf("limit %d: %d, %v", limit, len(page), err)
			}
			for _, e := range page {
				if seen[e.ID] || e.UserID != users[e.ID] || e.At.Before(last) {
					t.Errorf("limit %d: %+v again, of somebody else or out of order", limit, e)
				}
				seen[e.ID], last, place = true, e.At, e
			}
			if len(page) < limit {
				break
			}
		}
		if len(seen) != 2*each {
			t.Errorf("limit %d: %d sessions, want %d", limit, len(seen), 2*each)
		}
	}
	wantEnded(t, s, at(4), 2*(each-4))
	wantEnded(t, s, at(each).Add(time.Microsecond), 0)
}

func openSessions(t *testing.T, s storage.Store) {
	mira, noor := signedIn(t, s, "mira", 0), signedIn(t, s, "noor", 0)
	late, short, ended := refreshable(mira.User), refreshable(mira.User), refreshable(mira.User)
	late.CreatedAt = epoch.Add(time.Hour)
	short.ExpiresAt = epoch.Add(time.Minute)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		for _, session := range []storage.Session{late, short, ended} {
			if err := tx.CreateSession(ctx, session); err != nil {
				return err
			}
		}
		_, err := tx.EndSessions(ctx, storage.EndSessions{UserID: mira.User.ID, Only: ended.ID, At: epoch, Reason: "test"})
		return err
	})
	first := mira.Session.ID
	for _, test := range []struct {
		what           string
		before, expiry time.Time
		limit          int
		want           []uuid.UUID
	}{
		{"all", epoch.Add(2 * time.Hour), epoch, 10, []uuid.UUID{first, late.ID, short.ID}},
		{"not those that began at the time or later", late.CreatedAt, epoch, 10, []uuid.UUID{first, short.ID}},
		{"those that began just before", late.CreatedAt.Add(time.Microsecond), epoch, 10, []uuid.UUID{first, late.ID, short.ID}},
		{"not those that expire at the time or earlier", late.CreatedAt, short.ExpiresAt, 10, []uuid.UUID{first}},
	} {
		got, err := s.OpenSessions(t.Context(), mira.User.ID, test.before, test.expiry, test.limit)
		if err != nil || !sameIDs(got, test.want) {
			t.Errorf("%s: %v, %v; want %v", test.what, got, err, test.want)
		}
	}
	got, err := s.OpenSessions(t.Context(), mira.User.ID, epoch.Add(2*time.Hour), epoch, 2)
	if err != nil || len(got) != 2 || slices.Contains(got, noor.Session.ID) {
		t.Errorf("limit 2: %v, %v", got, err)
	}
}
