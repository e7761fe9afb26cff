package outbox_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/pages"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/storage"
)

// A dead mail server, and a process that ends meanwhile, cost time and no mail.
func TestMailSurvives(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.box.fails(errDown)
		f.notify(mail.EmailRemoved)
		for i, wait := range []time.Duration{5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600} {
			wait *= time.Second
			f.deliver()
			if f.box.tries != i+1 {
				f.Errorf("%d tries, want %d", f.box.tries, i+1)
			}
			f.clock.Advance(wait - time.Microsecond)
			f.deliver()
			if f.box.tries != i+1 {
				f.Errorf("tried again before %s", wait)
			}
			f.clock.Advance(time.Microsecond)
		}
		f.box.fails(nil)
		f.outbox = f.newOutbox(f.config()) // another process, and the server is back
		f.one(mirasAt, "removed")
		f.noMail("it was sent")
	})
}

func TestMailIsGivenUp(t *testing.T) {
	for _, test := range []struct {
		name  string
		queue func(f *fixture)
		fault error
		lasts time.Duration
	}{
		{"a link, when it expires", func(f *fixture) { f.sendLink(f.mira) }, errDown, outbox.LinkLifetime},
		{"refused for good", func(f *fixture) { f.notify(mail.PasskeyAdded) }, outbox.ErrMailRefused, 0},
		{"a refusal that is wrapped", func(f *fixture) { f.notify(mail.PasskeyAdded) }, fmt.Errorf("550: %w", outbox.ErrMailRefused), 0},
		{"a notice, after three days", func(f *fixture) { f.notify(mail.EmailRemoved) }, errDown, 72 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.box.fails(test.fault)
			test.queue(f)
			half, until := f.clock.Now().Add(test.lasts/2), f.clock.Now().Add(test.lasts)
			for f.deliver(); f.clock.Now().Before(until); f.deliver() {
				if f.clock.Now().Before(half) && f.rows() == 0 {
					t.Fatalf("given up at %s, which is too early", f.clock.Now())
				}
				f.clock.Advance(max(30*time.Second, test.lasts/200))
			}
			if n := f.undelivered(); n != 1 {
				t.Errorf("%d events, want 1", n)
			}
			f.box.fails(nil)
			f.clock.Advance(2 * time.Hour)
			f.noMail("it was given up")
		})
	}
}

// A link that has expired is not sent, however long nobody sent anything.
func TestExpiredMailIsNotSent(t *testing.T) {
	f := newFixture(t)
	f.sendLink(f.mira)
	f.clock.Advance(outbox.LinkLifetime)
	f.noMail("its link has expired")
	if n := f.undelivered(); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestMailOfACrashedInstanceIsSentByAnother(t *testing.T) {
	f := newFixture(t)
	f.notify(mail.EmailRemoved)
	if _, err := f.store.ClaimMail(t.Context(), mail.Kinds(), f.clock.Now(), f.clock.Now().Add(time.Minute), 1); err != nil {
		t.Fatal(err) // and nothing more is heard of it
	}
	f.clock.Advance(time.Minute - time.Microsecond)
	f.noMail("another instance may be sending it")
	f.clock.Advance(time.Microsecond)
	f.one(mirasAt, "removed")
}

// A mail is handed out for longer than it may take to send it.
func TestSendingIsBounded(t *testing.T) {
	f := newFixture(t)
	c, mailer := f.config(), deadlines{make(chan time.Duration, 1)}
	c.Send = mailer.Send
	f.outbox = f.newOutbox(c)
	f.notify(mail.EmailRemoved)
	f.deliver()
	if within := <-mailer.within; within <= 0 || within > 15*time.Second {
		t.Errorf("a mail may take %s, want 15 s", within)
	}
}

type deadlines struct{ within chan time.Duration }

func (d deadlines) Send(ctx context.Context, _ outbox.Message) error {
	deadline, _ := ctx.Deadline()
	d.within <- time.Until(deadline)
	return nil
}

// Somebody who can write to the database cannot redirect a mail or read its content.
func TestSealedMailBelongsToItsRow(t *testing.T) {
	for _, test := range []struct{ name, change string }{
		{"another recipient", `UPDATE outbox SET recipient = 'mallory@example.com'`},
		{"another kind", `UPDATE outbox SET kind = 'confirm_email'`},
		{"another id", `UPDATE outbox SET id = $1`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.sendLink(f.mira)
			var args []any
			if strings.Contains(test.change, "$1") {
				args = append(args, uuid.New())
			}
			if _, err := f.sql.ExecContext(t.Context(), test.change, args...); err != nil {
				t.Fatal(err)
			}
			f.noMail("the row was changed")
			if n := f.undelivered(); n != 1 {
				t.Errorf("%d events, want 1", n)
			}
		})
	}
}

// Of two instances on one database one sends each mail and one does each task.
func TestTwoInstancesSendOnce(t *testing.T) {
	onBoth(t, func(f *fixture) {
		var done sync.Map
		c := f.config()
		c.Tasks = map[outbox.Task]outbox.Handler{"count": func(_ context.Context, _ storage.Tx, content []byte) error {
			if _, twice := done.LoadOrStore(string(content), true); twice {
				return fmt.Errorf("task %s is done twice", content)
			}
			return nil
		}}
		instances := []*outbox.Outbox{f.newOutbox(c), f.newOutbox(c)}
		for i := range 18 {
			f.inTx(func(ctx context.Context, tx storage.Tx) error {
				return f.outbox.QueueTask(ctx, tx, "count", i, f.clock.Now(), f.clock.Now().Add(time.Hour))
			})
		}
		f.sendLink(f.mira)
		f.sendLink(f.addUser("noor", "noor@example.com"))
		for range 8 {
			var both sync.WaitGroup
			for _, instance := range instances {
				both.Go(func() {
					if _, err := instance.Deliver(f.Context()); err != nil {
						f.Error(err)
					}
				})
			}
			both.Wait()
		}
		if f.box.tries != 2 || f.rows() != 0 {
			f.Errorf("%d mails were sent and %d rows are left, want 2 and none", f.box.tries, f.rows())
		}
		for i := range 18 {
			if _, ok := done.Load(fmt.Sprint(i)); !ok {
				f.Errorf("task %d was not done", i)
			}
		}
	})
}

// Run sends by itself, and finishes the mails that it has begun before it returns.
func TestRun(t *testing.T) {
	f := newFixture(t)
	c, mailer := f.config(), &stalling{to: mirasAt, release: make(chan struct{}), begun: make(chan struct{}, 1)}
	c.Send = mailer.Send
	f.outbox = f.newOutbox(c)
	f.notify(mail.EmailRemoved)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { f.outbox.Run(ctx, func(err error) { t.Error(err) }) })
	<-mailer.begun
	cancel()
	close(mailer.release)
	running.Wait()
	if n := f.rows(); n != 0 {
		t.Errorf("%d mails are left, want none: Run did not finish what it had begun", n)
	}
}

// A mail that the server is slow to take, and others to the same mailbox, do not delay a mail
// to another one.
func TestSlowMailboxDelaysNoOther(t *testing.T) {
	onBoth(t, func(f *fixture) {
		c := f.config()
		slow := &stalling{to: "slow@example.com", release: make(chan struct{}), sent: make(chan string, 100)}
		c.Send = slow.Send
		f.outbox = f.newOutbox(c)
		for _, name := range []string{"one", "two", "three", "four", "five", "six"} {
			f.sendLink(f.addUser(name, "slow@example.com"))
		}
		ctx, cancel := context.WithCancel(f.Context())
		var running sync.WaitGroup
		running.Go(func() { f.outbox.Run(ctx, func(err error) { f.Error(err) }) })
		defer running.Wait()
		defer close(slow.release)
		defer cancel()
		f.sendLink(f.mira)
		select {
		case to := <-slow.sent:
			if to != mirasAt {
				f.Errorf("a mail to %s", to)
			}
		case <-time.After(patience.Long):
			f.Error("the mail to another mailbox waits for the slow one")
		}
	})
}

// stalling is a Sender for which one mailbox does not answer before it is released.
type stalling struct {
	to      string
	release chan struct{}
	begun   chan struct{} // nil, or told of each mail to that mailbox
	sent    chan string
}

func (s *stalling) Send(_ context.Context, m outbox.Message) error {
	if m.To != s.to {
		s.sent <- m.To
		return nil
	}
	if s.begun != nil {
		s.begun <- struct{}{}
	}
	<-s.release
	return nil
}

// While 10,000 notices wait, a task and the link that comes of it go out with the next mails.
func TestLinkPassesNotices(t *testing.T) {
	onBoth(t, func(f *fixture) {
		c := f.config()
		c.Tasks = map[outbox.Task]outbox.Handler{"link": func(ctx context.Context, tx storage.Tx, _ []byte) error {
			return f.outbox.SendLink(ctx, tx, outbox.LinkMail{
				Kind: mail.ResetPassword, Purpose: storage.LinkResetPassword, To: f.mira, At: f.clock.Now(),
			})
		}}
		f.outbox = f.newOutbox(c)
		f.queueNotices(10_000)
		f.inTx(func(ctx context.Context, tx storage.Tx) error {
			return f.outbox.QueueTask(ctx, tx, "link", "", f.clock.Now(), f.clock.Now().Add(time.Hour))
		})
		for range 2 { // the first does the task
			if _, err := f.outbox.Deliver(f.Context()); err != nil {
				f.Fatal(err)
			}
		}
		for _, m := range f.box.take() {
			if m.To == mirasAt && tokenIn(m, pages.ResetPassword) != "" {
				return
			}
		}
		f.Error("the link waits behind notices")
	})
}

func (f *fixture) queueNotices(n int) {
	f.Helper()
	for begin := 0; begin < n; begin += 1000 {
		f.inTx(func(ctx context.Context, tx storage.Tx) error {
			for i := range min(1000, n-begin) {
				err := tx.QueueMail(ctx, storage.QueuedMail{
					ID: uuid.New(), UserID: uuid.New(), To: fmt.Sprintf("user%d@example.net", begin+i), Kind: mail.PasskeyAdded,
					Sealed: []byte{0}, CreatedAt: f.clock.Now(), ExpiresAt: f.clock.Now().Add(time.Hour), Topic: "x",
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
}
