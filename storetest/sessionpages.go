package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// sessionsInPages: pages of any size together are the list, also where several sessions have
// one time; and of those without refresh token all but the newest can be ended.
func sessionsInPages(t *testing.T, s storage.Store) {
	a, other := signedIn(t, s, "mira", 0), withRefresh(t, s, "noor", 0)
	inTx(t, s, func(ctx context.Context, tx storage.Tx) error {
		var failed []error
		for i := range 9 {
			session := newSession(a.User)
			if i == 4 {
				session = refreshable(a.User)
			}
			session.CreatedAt = epoch.Add(time.Duration(i/3) * time.Second)
			failed = append(failed, tx.CreateSession(ctx, session))
		}
		return errors.Join(failed...)
	})
	list := func(before *storage.SessionPlace, limit int) []storage.Session {
		t.Helper()
		page, err := s.Sessions(t.Context(), a.User.ID, epoch, epoch.Add(-time.Hour), before, limit)
		if err != nil || len(page) > limit {
			t.Fatalf("%d sessions, %v; want at most %d", len(page), err, limit)
		}
		return page
	}
	all := list(nil, 100)
	if len(all) != 10 {
		t.Fatalf("%d sessions, want 10", len(all))
	}
	for limit := 1; limit <= len(all); limit++ {
		var got []storage.Session
		for page := list(nil, limit); len(page) > 0; {
			got = append(got, page...)
			last := page[len(page)-1]
			page = list(&storage.SessionPlace{At: last.CreatedAt, ID: last.ID}, limit)
		}
		if diff := cmp.Diff(all, got, sameAddr()); diff != "" {
			t.Fatalf("pages of %d, -want +got:\n%s", limit, diff)
		}
	}
	if got := list(&storage.SessionPlace{At: time.UnixMicro(0)}, 1); len(got) != 0 {
		t.Errorf("before all time: %+v", got)
	}

	var ended []uuid.UUID
	inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
		ended, err = tx.EndSessions(ctx, storage.EndSessions{UserID: a.User.ID, Keep: 4, Plain: true, At: epoch, Reason: "test"})
		return err
	})
	left := list(nil, 100)
	refresh := 0
	for _, session := range left {
		if session.Refresh != storage.RefreshNone {
			refresh++
		}
	}
	if len(ended) != 5 || len(left) != 5 || refresh != 1 || !sameIDs([]uuid.UUID{left[0].ID, left[1].ID, left[2].ID}, []uuid.UUID{all[0].ID, all[1].ID, all[2].ID}) {
		t.Errorf("%d ended, %d left of which %d with refresh token; want 5, 5 and 1, the newest among them", len(ended), len(left), refresh)
	}
	if _, err := s.Account(t.Context(), other.User.ID, other.Session.ID, epoch); err != nil {
		t.Errorf("somebody else's: %v", err)
	}
}
