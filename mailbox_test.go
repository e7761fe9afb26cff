package stepkey_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/stepkey/stepkey"
)

// mailbox is a Mailer that delivers to memory.
type mailbox struct {
	mu    sync.Mutex
	fault error // what sending fails with; nil for delivery
	mails []stepkey.Mail
	tries int
}

var errDown = errors.New("the mail server is down")

func (b *mailbox) Send(_ context.Context, m stepkey.Mail) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	if b.fault == nil {
		b.mails = append(b.mails, m)
	}
	return b.fault
}

func (b *mailbox) fails(with error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = with
}

// take returns what was delivered since the last time.
func (b *mailbox) take() []stepkey.Mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	mails := b.mails
	b.mails = nil
	return mails
}

// withMail is the fixture with a service that sends to a mailbox.
func (f *fixture) withMail() *mailbox {
	f.Helper()
	box := &mailbox{}
	c := f.config()
	c.Mailer = box
	f.service = f.newService(c)
	return box
}

// deliver sends everything that is due, and what comes of it.
func (f *fixture) deliver() {
	f.Helper()
	for {
		n, err := f.service.DeliverMail(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// received delivers what is due and returns it, in the order of addresses and subjects.
func (f *fixture) received(box *mailbox) []stepkey.Mail {
	f.Helper()
	f.deliver()
	mails := box.take()
	slices.SortFunc(mails, func(a, b stepkey.Mail) int { return strings.Compare(a.To+a.Subject, b.To+b.Subject) })
	return mails
}

// one is the only mail that has come, for that address and with that in its subject.
func (f *fixture) one(box *mailbox, to, subject string) stepkey.Mail {
	f.Helper()
	mails := f.received(box)
	if len(mails) != 1 || mails[0].To != to || !strings.Contains(mails[0].Subject, subject) {
		f.Fatalf("%d mails: %+v; want one to %s: %s", len(mails), mails, to, subject)
	}
	return mails[0]
}

func (f *fixture) noMail(box *mailbox, why string) {
	f.Helper()
	if mails := f.received(box); len(mails) != 0 {
		f.Errorf("%s: a mail to %s: %s", why, mails[0].To, mails[0].Subject)
	}
}

// tokenIn returns what stands behind the # of the link to that page.
func (f *fixture) tokenIn(m stepkey.Mail, page string) string {
	f.Helper()
	link := regexp.QuoteMeta(origin+page) + `#([\w-]{43})\b`
	inText, inHTML := regexp.MustCompile(link).FindStringSubmatch(m.Text), regexp.MustCompile(link).FindStringSubmatch(m.HTML)
	if inText == nil || inHTML == nil || inText[1] != inHTML[1] {
		f.Fatalf("no link to %s in both parts of\n%s", page, m.Text)
	}
	return inText[1]
}

// withEmail signs somebody up with a confirmed address, and signs in.
func (f *fixture) withEmail(box *mailbox, name, address string) *person {
	f.Helper()
	f.signUp(name)
	p := &person{name: name, claims: f.logIn(name)}
	f.confirmEmail(box, p, address)
	return p
}

func (f *fixture) confirmEmail(box *mailbox, p *person, address string) {
	f.Helper()
	if err := f.service.RequestEmail(f.Context(), p.claims, address, f.stranger()); err != nil {
		f.Fatal(err)
	}
	link := f.tokenIn(f.one(box, address, "Confirm"), stepkey.PathConfirmEmail)
	if err := f.service.ConfirmEmail(f.Context(), link, f.stranger()); err != nil {
		f.Fatal(err)
	}
	f.received(box)
}

// stranger is a client at an address that nobody had before.
func (f *fixture) stranger() stepkey.Client { return f.signUpOf("", "").Client }
