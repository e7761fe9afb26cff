package sqlstore_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

// addAwaiting adds a user who waits for an address since then, or does not wait if since is nil.
func addAwaiting(t *testing.T, store *sqlstore.Store, name string, since *time.Time, further func(storage.Tx, uuid.UUID) error) {
	t.Helper()
	id := uuid.New()
	err := store.InTx(t.Context(), func(tx storage.Tx) error {
		u := storage.User{
			ID: id, Handle: id[:], Username: name, CanonicalName: name, PasswordHash: "!", PasswordVersion: 1,
			CreatedAt: time.Now(), AwaitsAddressSince: since,
		}
		if err := tx.CreateUser(t.Context(), u); err != nil || further == nil {
			return err
		}
		return further(tx, id)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Users who never confirmed their address go after a week, and nobody else does.
func TestSweepDeletesUnconfirmedUsers(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		clock, d := storetest.NewClock(), empty(t)
		store := openKeeping(t, d, clock.Now, 0)
		now := clock.Now().Truncate(time.Microsecond)
		ctx := t.Context()
		addAwaiting(t, store, "squatter", &now, func(tx storage.Tx, id uuid.UUID) error {
			return tx.PutLink(ctx, storage.Link{Digest: storage.LinkDigest{1}, Purpose: storage.LinkVerifyEmail, UserID: id, ExpiresAt: now.Add(time.Hour)})
		})
		addAwaiting(t, store, "asked for nothing", nil, nil)
		addAwaiting(t, store, "confirmed", &now, func(tx storage.Tx, id uuid.UUID) error {
			_, err := tx.SetEmail(ctx, id, "sol@example.com", now)
			return err
		})
		addAwaiting(t, store, "signed in", &now, func(tx storage.Tx, id uuid.UUID) error {
			return tx.RecordEvent(ctx, storage.Event{ID: uuid.New(), Kind: storage.EventSignedIn, At: now, UserID: id})
		})
		addAwaiting(t, store, "disabled", &now, func(tx storage.Tx, id uuid.UUID) error {
			_, err := tx.SetDisabled(ctx, id, &now)
			return err
		})
		addAwaiting(t, store, "with a passkey", &now, func(tx storage.Tx, id uuid.UUID) error {
			return tx.CreatePasskey(ctx, storage.Passkey{
				ID: id, UserID: id, CreatedAt: now, Credential: storage.Credential{ID: id[:], PublicKey: []byte{1}},
			})
		})
		addAwaiting(t, store, "deleted", &now, func(tx storage.Tx, id uuid.UUID) error { return tx.DeleteUser(ctx, id, "!", now) })
		clock.Advance(storage.KeepUnconfirmedUsers - time.Microsecond)
		sweepOnce(t, store)
		if n := rowsOf(t, d, "users"); n != 7 {
			t.Errorf("%d users within the week, want 7", n)
		}
		clock.Advance(time.Microsecond)
		sweepOnce(t, store)
		if n := rowsOf(t, d, "users"); n != 6 || rowsOf(t, d, "users WHERE canonical_name = 'squatter'") != 0 {
			t.Errorf("%d users after a week, want 6, without the squatter", n)
		}
	})
}
