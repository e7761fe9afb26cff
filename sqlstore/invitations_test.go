package sqlstore_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

func TestSweepDeletesExpiredInvitations(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		clock := storetest.NewClock()
		d := empty(t)
		store := open(t, d.url, clock.Now)
		err := store.InTx(t.Context(), func(tx storage.Tx) error {
			for hours := range 2 {
				i := storage.Invitation{ID: uuid.New(), CreatedAt: clock.Now(), ExpiresAt: clock.Now().Add(time.Duration(hours+1) * time.Hour)}
				if err := tx.PutInvitation(t.Context(), i, storage.LinkDigest{byte(hours)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for left := 2; left >= 0; left-- {
			sweepOnce(t, store)
			if n := rowsOf(t, d, "invitations"); n != left {
				t.Errorf("%d invitations, want %d", n, left)
			}
			clock.Advance(time.Hour)
		}
	})
}
