package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/rawsql"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
)

// A caller's deadline ends an operation; that the caller has gone does not.
func TestDeadlineOfTheCaller(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		store := open(t, empty(t).url, nil)
		passed, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		gone, leave := context.WithCancel(t.Context())
		leave()
		for _, test := range []struct {
			name string
			ctx  context.Context
			want error
		}{{"deadline", passed, storage.ErrUnavailable}, {"cancelled", gone, storage.ErrNotFound}} {
			if _, err := store.UserByName(test.ctx, "nobody"); !errors.Is(err, test.want) {
				t.Errorf("%s: UserByName: %v, want %v", test.name, err, test.want)
			}
			err := store.InTx(test.ctx, func(storage.Tx) error { return storage.ErrNotFound })
			if !errors.Is(err, test.want) {
				t.Errorf("%s: InTx: %v, want %v", test.name, err, test.want)
			}
		}
	})
}

// No charge is one that changes nothing.
func TestNoCharges(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		store := open(t, empty(t).url, nil)
		wait, err := store.Charge(t.Context())
		if err := errors.Join(err, store.Refund(t.Context())); wait != 0 || err != nil {
			t.Errorf("%v, %v, want nothing", wait, err)
		}
	})
}

// The store's own deadline ends an operation that waits for a lock.
func TestTimeout(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		d := empty(t)
		if _, err := storeurl.Open(t.Context(), d.url, sqlstore.Options{Timeout: -1}); err == nil {
			t.Error("a negative timeout is accepted")
		}
		session := addSession(t, open(t, d.url, nil))
		store, err := storeurl.Open(t.Context(), d.url, sqlstore.Options{Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()

		db, err := rawsql.Open(d.url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		lock, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lock.Rollback() }()
		if _, err := lock.ExecContext(t.Context(), db.Complete(`UPDATE users SET username = 'mira'`)); err != nil {
			t.Fatal(err)
		}
		err = store.InTx(t.Context(), func(tx storage.Tx) error {
			_, err := tx.LockAccount(t.Context(), session.UserID, session.ID, epoch)
			return err
		})
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("behind a lock: %v, want ErrUnavailable", err)
		}
	})
}

// So does it for a statement outside of a transaction, which the server does not bound. The store
// goes on afterwards.
func TestTimeoutOfOneStatement(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		d := empty(t)
		store, err := storeurl.Open(t.Context(), d.url, sqlstore.Options{Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		db, err := rawsql.Open(d.url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		lock, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lock.Rollback() }()
		if _, err := lock.ExecContext(t.Context(), db.Complete(`INSERT INTO rate_limits (bucket, full_at) VALUES ('door', 0)`)); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		charge := storage.Charge{Bucket: "door", Limit: storage.Limit{Burst: 1, Every: time.Second}, Cost: 1}
		go func() {
			_, err := store.Charge(context.WithoutCancel(t.Context()), charge)
			ended <- err
		}()
		select {
		case err := <-ended:
			if !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("behind a lock: %v, want ErrUnavailable", err)
			}
		case <-time.After(patience.Long):
			t.Error("behind a lock, the statement does not end")
		}
		if err := lock.Rollback(); err != nil {
			t.Fatal(err)
		}
		if wait, err := store.Charge(t.Context(), charge); wait != 0 || err != nil {
			t.Errorf("after the lock: %v, %v", wait, err)
		}
	})
}
