package stepkey_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
)

// A dead mail server, and a process that ends meanwhile, cost time and no mail.
func TestMailSurvives(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		p := f.withEmail(box, "mira", "mira@example.com")
		box.fails(errDown)
		if err := f.service.RemoveEmail(f.Context(), p.claims); err != nil {
			f.Fatal(err)
		}
		box.tries = 0
		for i, wait := range []time.Duration{5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600} {
			wait *= time.Second
			f.deliver()
			if box.tries != i+1 {
				f.Errorf("%d tries, want %d", box.tries, i+1)
			}
			f.clock.Advance(wait - time.Microsecond)
			f.deliver()
			if box.tries != i+1 {
				f.Errorf("tried again before %s", wait)
			}
			f.clock.Advance(time.Microsecond)
		}
		box = f.withMail() // another process, and the server is back
		f.one(box, "mira@example.com", "removed")
		f.noMail(box, "it was sent")
	})
}

func TestMailIsGivenUp(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", "mira@example.com")
	for _, test := range []struct {
		name  string
		queue func() error
		fault error
		lasts time.Duration
	}{
		{"a link that is worth nothing any more", func() error {
			return f.service.RequestPasswordReset(t.Context(), stepkey.ResetRequest{Username: "mira"})
		}, errDown, stepkey.LinkLifetime},
		{"refused for good", func() error { return f.requestEmail(p, "new@example.com") }, stepkey.ErrMailRefused, 0},
		{"a notice, after three days", func() error { return f.service.RemoveEmail(t.Context(), p.claims) }, errDown, 72 * time.Hour},
	} {
		before := f.events(storage.EventMailUndelivered)
		box.fails(test.fault)
		if err := test.queue(); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		until := f.clock.Now().Add(test.lasts)
		for f.deliver(); f.clock.Now().Before(until); f.deliver() {
			f.clock.Advance(max(30*time.Second, test.lasts/200))
		}
		if n := f.events(storage.EventMailUndelivered) - before; n != 1 {
			t.Errorf("%s: %d events, want 1", test.name, n)
		}
		box.fails(nil)
		f.clock.Advance(2 * time.Hour)
		f.noMail(box, test.name)
		p.claims = f.logIn("mira")
	}
}

// A link that nobody can follow any more is not sent, whoever was away for so long.
func TestMailThatIsTooLateIsNotSent(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", "mira@example.com")
	if err := f.requestEmail(p, "new@example.com"); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(stepkey.LinkLifetime)
	f.noMail(box, "its link is worth nothing")
	if n := f.events(storage.EventMailUndelivered); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestMailOfACrashedInstanceIsSentByAnother(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", "mira@example.com")
	if err := f.service.RemoveEmail(t.Context(), p.claims); err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.ClaimMail(t.Context(), f.clock.Now(), f.clock.Now().Add(time.Minute), 1); err != nil {
		t.Fatal(err) // and nothing more is heard of it
	}
	f.clock.Advance(time.Minute - time.Microsecond)
	f.noMail(box, "somebody may be sending it")
	f.clock.Advance(time.Microsecond)
	f.one(box, "mira@example.com", "removed")
}

// Sending one mail has a bound of its own, and no mail holds up another.
func TestSendingIsBounded(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", "mira@example.com")
	mailer := deadlines{make(chan time.Duration, 1)}
	c := f.config()
	c.Mailer = mailer
	f.service = f.newService(c)
	if err := f.service.RemoveEmail(t.Context(), p.claims); err != nil {
		t.Fatal(err)
	}
	f.deliver()
	if within := <-mailer.within; within <= 0 || within > 15*time.Second {
		t.Errorf("a mail may take %s, want 15 s", within)
	}
}

type deadlines struct{ within chan time.Duration }

func (d deadlines) Send(ctx context.Context, _ stepkey.Mail) error {
	deadline, _ := ctx.Deadline()
	d.within <- time.Until(deadline)
	return nil
}

// Who can write to the database has nobody else's mail sent to himself.
func TestSealedMailBelongsToItsAddress(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	f.withEmail(box, "mira", "mira@example.com")
	box.fails(errDown)
	if err := f.service.RequestPasswordReset(t.Context(), stepkey.ResetRequest{Username: "mira"}); err != nil {
		t.Fatal(err)
	}
	f.deliver()
	f.exec(`UPDATE outbox SET recipient = 'mallory@example.com'`)
	box.fails(nil)
	f.clock.Advance(time.Minute)
	f.noMail(box, "the row was changed")
	if n := f.events(storage.EventMailUndelivered); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// Of two instances on one database each mail is sent by one.
func TestTwoInstancesSendOnce(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		c := f.config()
		c.Mailer = box
		services := []*stepkey.Service{f.service, f.newService(c)}
		f.withEmail(box, "mira", "mira@example.com")
		f.exec(`DELETE FROM mail_links`)
		box.tries = 0
		for range 3 {
			for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
				r := stepkey.ResetRequest{Username: name, Client: f.stranger()}
				if err := f.service.RequestPasswordReset(f.Context(), r); err != nil {
					f.Fatal(err)
				}
			}
		}
		r := stepkey.ResetRequest{Username: "mira", Client: f.stranger()}
		if err := f.service.RequestPasswordReset(f.Context(), r); err != nil {
			f.Fatal(err)
		}
		for range 8 {
			for _, err := range race(2, func(i int) error { return second(services[i].DeliverMail(f.Context())) }) {
				if err != nil {
					f.Error(err)
				}
			}
		}
		if box.tries != 1 {
			f.Errorf("%d mails were sent, want 1", box.tries)
		}
	})
}

// Run sends by itself, and ends with what it has begun.
func TestRunSendsMail(t *testing.T) {
	f := newFixture(t)
	box := f.withMail()
	p := f.withEmail(box, "mira", "mira@example.com")
	sent := make(chan stepkey.Mail, 1)
	c := f.config()
	c.Mailer = toChannel(sent)
	f.service = f.newService(c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.service.Run(ctx) }()
	if err := f.service.RemoveEmail(t.Context(), p.claims); err != nil {
		t.Fatal(err)
	}
	if m := <-sent; m.To != "mira@example.com" || !strings.Contains(m.Subject, "removed") {
		t.Errorf("%+v", m)
	}
	cancel()
	<-done
	if dump := f.dump("outbox"); dump != "" {
		t.Errorf("the outbox holds %q", dump)
	}
}

type toChannel chan stepkey.Mail

func (c toChannel) Send(_ context.Context, m stepkey.Mail) error {
	c <- m
	return nil
}
