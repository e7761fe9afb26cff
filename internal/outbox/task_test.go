package outbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// A task that fails has no effect and stays queued. It is tried again after the lease, and
// done once.
func TestFailedTaskIsTriedAgain(t *testing.T) {
	onBoth(t, func(f *fixture) {
		errFailed := errors.New("failed")
		fault, runs, got := errFailed, 0, ""
		c := f.config()
		c.Tasks = map[outbox.Task]outbox.Handler{"try": func(ctx context.Context, tx storage.Tx, content []byte) error {
			runs++
			got = string(content)
			if _, err := tx.SetEmail(ctx, f.mira.UserID, "new@example.com", f.clock.Now()); err != nil {
				return err
			}
			return fault
		}}
		f.outbox = f.newOutbox(c)
		f.inTx(func(ctx context.Context, tx storage.Tx) error {
			return f.outbox.QueueTask(ctx, tx, "try", map[string]string{"a": "b"}, f.clock.Now(), f.clock.Now().Add(time.Hour))
		})

		if _, err := f.outbox.Deliver(f.Context()); !errors.Is(err, errFailed) {
			f.Errorf("Deliver: %v, want the error of the task", err)
		}
		if got != `{"a":"b"}` {
			f.Errorf("the task was handed %s", got)
		}
		f.deliver()
		if runs != 1 {
			f.Errorf("%d runs before the lease ended, want 1", runs)
		}
		if e, err := f.store.Email(f.Context(), f.mira.UserID, f.clock.Now()); err != nil || e.Address != mirasAt {
			f.Errorf("the failed task changed the address to %q, %v", e.Address, err)
		}

		fault = nil
		for range 3 {
			f.clock.Advance(30 * time.Second)
			f.deliver()
		}
		if runs != 2 || f.rows() != 0 {
			f.Errorf("%d runs and %d rows, want 2 and none", runs, f.rows())
		}
		if e, err := f.store.Email(f.Context(), f.mira.UserID, f.clock.Now()); err != nil || e.Address != "new@example.com" {
			f.Errorf("the task left the address at %q, %v", e.Address, err)
		}
	})
}

// A task that expired, and one of another secret, is dropped without being done.
func TestTaskIsGivenUp(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(f *fixture)
	}{
		{"expired", func(f *fixture) { f.clock.Advance(time.Hour) }},
		{"changed", func(f *fixture) {
			if _, err := f.sql.ExecContext(f.Context(), `UPDATE outbox SET sealed = $1`, []byte("something else")); err != nil {
				f.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			c := f.config()
			c.Tasks = map[outbox.Task]outbox.Handler{"try": func(context.Context, storage.Tx, []byte) error {
				t.Error("the task is done")
				return nil
			}}
			f.outbox = f.newOutbox(c)
			f.inTx(func(ctx context.Context, tx storage.Tx) error {
				return f.outbox.QueueTask(ctx, tx, "try", "", f.clock.Now(), f.clock.Now().Add(time.Hour))
			})
			test.change(f)
			f.deliver()
			if n := f.rows(); n != 0 {
				t.Errorf("%d rows are left, want none", n)
			}
		})
	}
}

// An instance that takes a task and comes to it after the lease finds it done by another.
func TestLateInstanceDoesNotRepeatATask(t *testing.T) {
	f := newFixture(t)
	runs := 0
	c := f.config()
	c.Tasks = map[outbox.Task]outbox.Handler{"try": func(context.Context, storage.Tx, []byte) error {
		runs++
		return nil
	}}
	f.outbox = f.newOutbox(c)
	c.Store = lateStore{f.store, func() {
		f.clock.Advance(30 * time.Second)
		f.deliver()
	}}
	late := f.newOutbox(c)
	f.inTx(func(ctx context.Context, tx storage.Tx) error {
		return f.outbox.QueueTask(ctx, tx, "try", "", f.clock.Now(), f.clock.Now().Add(time.Hour))
	})
	if tried, err := late.Deliver(t.Context()); tried != 1 || err != nil {
		t.Errorf("Deliver: %d, %v", tried, err)
	}
	if runs != 1 {
		t.Errorf("the task was done %d times, want once", runs)
	}
}

// lateStore is the store of an instance that stops for a while with what it was handed out.
type lateStore struct {
	outbox.Store
	meanwhile func()
}

func (s lateStore) ClaimMail(ctx context.Context, kinds []storage.MailKind, now, until time.Time, limit int) ([]storage.QueuedMail, error) {
	due, err := s.Store.ClaimMail(ctx, kinds, now, until, limit)
	s.meanwhile()
	return due, err
}
