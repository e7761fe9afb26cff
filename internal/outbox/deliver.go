package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

const (
	// pollEvery is how often an instance looks for mails that are due.
	pollEvery = time.Second

	// connections is how many mails an instance sends at the same time. A store hands out
	// one mail of a mailbox at a time, so a slow mailbox occupies one connection.
	connections = 4

	// sendTimeout bounds the sending of one mail. After lease a mail whose fate is unknown
	// is handed out again: the instance that had it has died.
	sendTimeout = 15 * time.Second
	lease       = 30 * time.Second

	// firstRetry is doubled with every further try, up to lastRetry. It is short because a
	// link is valid for ten minutes.
	firstRetry = 5 * time.Second
	lastRetry  = time.Hour
)

// Deliver sends the mails that are due, at most a few, and returns how many it tried. It
// waits for the slowest of them. An error means that the store could not be reached; mails
// that could not be sent are logged and retried.
func (o *Outbox) Deliver(ctx context.Context) (tried int, err error) {
	if !o.delivers() {
		return 0, nil
	}
	// A mail that was handed out is finished after ctx ends too. Otherwise another instance
	// would have to send it again, not knowing whether it was sent.
	ctx = context.WithoutCancel(ctx)
	now := o.now()
	due, err := o.store.ClaimMail(ctx, o.kinds, now, now.Add(lease), connections)
	if err != nil {
		return 0, err
	}
	failed := make([]error, len(due))
	var wg sync.WaitGroup
	for i, m := range due {
		wg.Go(func() { failed[i] = o.deliver(ctx, m) })
	}
	wg.Wait()
	return len(due), errors.Join(failed...)
}

// Run delivers what is due until ctx ends, and then finishes what it has begun. Each
// connection takes the next mail when it is free, so no mail waits for a slow one. failed
// is called by several goroutines.
func (o *Outbox) Run(ctx context.Context, failed func(error)) {
	if !o.delivers() {
		return
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	busy := make(chan struct{}, connections)
	done := make(chan struct{}, 1) // a mailbox is free again, or a task has queued mails
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-done:
		}
		for o.start(ctx, &sending, busy, done, failed) {
		}
	}
}

// start begins to deliver the next mail as soon as a connection is free. It reports whether
// there was one.
func (o *Outbox) start(
	ctx context.Context, sending *sync.WaitGroup, busy, done chan struct{}, failed func(error),
) bool {
	select {
	case <-ctx.Done():
		return false
	case busy <- struct{}{}:
	}
	if ctx.Err() != nil {
		return false
	}
	ctx = context.WithoutCancel(ctx) // see Deliver
	now := o.now()
	due, err := o.store.ClaimMail(ctx, o.kinds, now, now.Add(lease), 1)
	if err != nil {
		failed(fmt.Errorf("outbox: %w", err))
	}
	if len(due) == 0 {
		<-busy
		return false
	}
	sending.Go(func() {
		if err := o.deliver(ctx, due[0]); err != nil {
			failed(fmt.Errorf("outbox: %w", err))
		}
		<-busy
		select {
		case done <- struct{}{}:
		default:
		}
	})
	return true
}

// deliver finishes one row, or puts it off. An error is one of the store.
func (o *Outbox) deliver(ctx context.Context, m storage.QueuedMail) error {
	if !o.now().Before(m.ExpiresAt) {
		return o.giveUp(ctx, m, "expired")
	}
	if handle, ok := o.tasks[Task(m.Kind)]; ok {
		content, err := o.open(m)
		if err != nil {
			return o.giveUp(ctx, m, "unreadable")
		}
		return o.do(ctx, m.ID, handle, content)
	}
	err := o.attempt(ctx, m)
	if errors.Is(err, errUnreadable) {
		return o.giveUp(ctx, m, "unreadable")
	}
	if err == nil {
		return o.store.InTx(ctx, func(tx storage.Tx) error {
			_, err := tx.DeleteMail(ctx, m.ID)
			return err
		})
	}
	if errors.Is(err, ErrMailRefused) {
		return o.giveUp(ctx, m, "refused")
	}
	next := o.now().Add(retryAfter(m.Tries))
	if !next.Before(m.ExpiresAt) {
		return o.giveUp(ctx, m, "unsent")
	}
	if fault := o.store.PutOffMail(ctx, m.ID, m.Tries, next); fault != nil {
		return fault
	}
	o.log.WarnContext(ctx, "mail not sent; trying again", "mail", m.ID, "kind", m.Kind, "try", m.Tries, "next", next, "error", err)
	return nil
}

// errUnreadable is returned for a row that was sealed with another secret or changed since.
var errUnreadable = errors.New("outbox: the content cannot be read")

// attempt does what a row is for, once.
func (o *Outbox) attempt(ctx context.Context, m storage.QueuedMail) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if call, ok := o.calls[Task(m.Kind)]; ok {
		content, err := o.open(m)
		if err != nil {
			return errUnreadable
		}
		return call(ctx, m.ID, content)
	}
	text, err := o.render(m)
	if err != nil {
		return errUnreadable
	}
	return o.send(ctx, Message{ID: m.ID, To: m.To, Subject: text.Subject, Text: text.Text, HTML: text.HTML})
}

// retryAfter returns how long a mail waits after its tries-th try.
func retryAfter(tries int) time.Duration {
	wait := firstRetry
	for i := 1; i < tries && wait < lastRetry; i++ {
		wait *= 2
	}
	return min(wait, lastRetry)
}

// giveUp removes a mail that will not be sent, and records that in the account.
func (o *Outbox) giveUp(ctx context.Context, m storage.QueuedMail, reason string) error {
	now := o.now()
	id, err := storage.NewEventID(o.random, now)
	if err != nil {
		return err
	}
	err = o.store.InTx(ctx, func(tx storage.Tx) error {
		deleted, err := tx.DeleteMail(ctx, m.ID)
		if err != nil || !deleted || m.UserID == uuid.Nil {
			return err
		}
		return tx.RecordEvent(ctx, storage.Event{
			ID: id, At: now, Kind: storage.EventMailUndelivered, UserID: m.UserID, Reason: reason,
		})
	})
	if err != nil {
		return err
	}
	o.log.WarnContext(ctx, "mail given up", "mail", m.ID, "kind", m.Kind, "tries", m.Tries, "reason", reason)
	return nil
}
