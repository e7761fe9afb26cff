package outbox

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// Task names a kind of background work. It shares the queue of the mails, and the column
// of their kinds, so it must not be the name of a mail.
type Task string

// Handler does a task of the queue, once: in tx, which also removes the task from the
// queue. content is what was queued, in JSON. After an error the task is tried again until
// it expires.
type Handler func(ctx context.Context, tx storage.Tx, content []byte) error

// Call does a task of the queue outside of any transaction, at least once: it may have done it
// before, and another instance may be doing it. id is the same each time. After an error it is
// tried again, as a mail is.
type Call func(ctx context.Context, id uuid.UUID, content []byte) error

// QueueTask queues a task. content is encoded in JSON and sealed. Tasks precede notices,
// as mails with links do: people wait for the result.
func (o *Outbox) QueueTask(ctx context.Context, tx storage.Tx, task Task, content any, now, expiresAt time.Time) error {
	return o.put(ctx, tx, storage.QueuedMail{
		Kind: storage.MailKind(task), CreatedAt: now, ExpiresAt: expiresAt, Urgent: true,
	}, content)
}

func (o *Outbox) do(ctx context.Context, id uuid.UUID, handle Handler, content []byte) error {
	return o.store.InTx(ctx, func(tx storage.Tx) error {
		// If this took longer than the lease, another instance has done the task.
		if deleted, err := tx.DeleteMail(ctx, id); err != nil || !deleted {
			return err
		}
		return handle(ctx, tx, content)
	})
}
