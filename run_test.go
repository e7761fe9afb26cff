package stepkey_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/patience"
)

// sweptStore tells when it is swept.
type sweptStore struct {
	stepkey.Store
	swept chan struct{}
}

func (s sweptStore) Sweep(ctx context.Context) error {
	select {
	case s.swept <- struct{}{}:
	case <-ctx.Done():
	}
	return s.Store.Sweep(ctx)
}

// The tables of a program that uses the library stay small by themselves.
func TestRunSweepsTheStore(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	store := sweptStore{f.store, make(chan struct{})}
	c.Store = store
	service := f.newService(c)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); service.Run(ctx) }()
	select {
	case <-store.swept:
	case <-time.After(patience.Long):
		t.Error("the store was not swept")
	}
	cancel()
	<-ended
}

// Run sends by itself, and finishes the mails that it has begun before it returns.
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
	select {
	case m := <-sent:
		if m.To != "mira@example.com" || !strings.Contains(m.Subject, "removed") {
			t.Errorf("%+v", m)
		}
	case <-time.After(patience.Long):
		t.Error("the mail was not sent")
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
