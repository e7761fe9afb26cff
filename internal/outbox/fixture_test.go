package outbox_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/messages"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/internal/rawsql"
	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const (
	base    = "https://app.example.com/auth"
	mirasAt = "mira@example.com"
)

// fixture is an outbox on a database of its own, with a clock that stands still and a user
// with an address.
type fixture struct {
	testing.TB
	clock  *storetest.Clock
	store  *sqlstore.Store
	sql    *rawsql.DB
	root   secret.Root
	box    *mailbox
	outbox *outbox.Outbox
	mira   storage.Addressee
}

func newFixture(t testing.TB) *fixture {
	return fixtureOn(t, "sqlite:"+filepath.Join(t.TempDir(), "stepkey.db"))
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(f *fixture)) {
	t.Run("sqlite", func(t *testing.T) { test(newFixture(t)) })
	t.Run("postgres", func(t *testing.T) { test(fixtureOn(t, pgtest.NewDatabase(t))) })
}

func fixtureOn(t testing.TB, url string) *fixture {
	t.Helper()
	f := &fixture{TB: t, clock: storetest.NewClock(), box: &mailbox{}}
	var err error
	if f.store, err = storeurl.Open(t.Context(), url, sqlstore.Options{Clock: f.clock.Now, Timeout: patience.Long}); err != nil {
		t.Fatal(err)
	}
	if f.sql, err = rawsql.Open(url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(f.sql.Close(), f.store.Close()); err != nil {
			t.Error(err)
		}
	})
	if f.root, err = secret.NewRoot(rand.Reader); err != nil {
		t.Fatal(err)
	}
	f.outbox = f.newOutbox(f.config())
	f.mira = f.addUser("mira", mirasAt)
	return f
}

func (f *fixture) config() outbox.Config {
	return outbox.Config{
		Languages: f.languages(messages.Service), Store: f.store, Root: f.root, Send: f.box.Send, PublicURL: base, ServiceName: "Stepkey",
		Random: rand.Reader, Now: f.clock.Now, Log: slog.New(slog.DiscardHandler),
	}
}

func (f *fixture) languages(sources ...fs.FS) *messages.Set {
	f.Helper()
	set, err := messages.Load(sources...)
	if err != nil {
		f.Fatal(err)
	}
	return set
}

func (f *fixture) newOutbox(c outbox.Config) *outbox.Outbox {
	f.Helper()
	o, err := outbox.New(c)
	if err != nil {
		f.Fatal(err)
	}
	return o
}

func (f *fixture) inTx(fn func(ctx context.Context, tx storage.Tx) error) {
	f.Helper()
	if err := f.store.InTx(f.Context(), func(tx storage.Tx) error { return fn(f.Context(), tx) }); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) addUser(name, address string) storage.Addressee {
	f.Helper()
	u := storage.User{
		ID: uuid.New(), Username: name, CanonicalName: name, PasswordHash: "x", PasswordVersion: 1,
		Handle: []byte(name), CreatedAt: f.clock.Now(),
	}
	f.inTx(func(ctx context.Context, tx storage.Tx) error {
		if err := tx.CreateUser(ctx, u); err != nil {
			return err
		}
		_, err := tx.SetEmail(ctx, u.ID, address, f.clock.Now())
		return err
	})
	return storage.Addressee{UserID: u.ID, Username: name, Active: true, PasswordVersion: 1, Address: address}
}

// notify queues a notice for mira.
func (f *fixture) notify(kind mail.Kind) {
	f.Helper()
	f.inTx(func(ctx context.Context, tx storage.Tx) error {
		return f.outbox.Notify(ctx, tx, outbox.Notice{Kind: kind, UserID: f.mira.UserID, At: f.clock.Now()})
	})
}

// sendLink queues a link for a new password.
func (f *fixture) sendLink(to storage.Addressee) {
	f.Helper()
	f.inTx(func(ctx context.Context, tx storage.Tx) error {
		return f.outbox.SendLink(ctx, tx, outbox.LinkMail{
			Kind: mail.ResetPassword, Purpose: storage.LinkResetPassword, To: to, At: f.clock.Now(),
		})
	})
}

// deliver sends everything that is due, and what comes of it.
func (f *fixture) deliver() {
	f.Helper()
	for {
		n, err := f.outbox.Deliver(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// received delivers what is due and returns it, in the order of addresses.
func (f *fixture) received() []outbox.Message {
	f.Helper()
	f.deliver()
	mails := f.box.take()
	slices.SortFunc(mails, func(a, b outbox.Message) int { return strings.Compare(a.To, b.To) })
	return mails
}

// one is the only mail that has come, for that address and with that in its subject.
func (f *fixture) one(to, subject string) outbox.Message {
	f.Helper()
	mails := f.received()
	if len(mails) != 1 || mails[0].To != to || !strings.Contains(mails[0].Subject, subject) {
		f.Fatalf("%d mails: %+v; want one to %s: %s", len(mails), mails, to, subject)
	}
	return mails[0]
}

func (f *fixture) noMail(why string) {
	f.Helper()
	if mails := f.received(); len(mails) != 0 {
		f.Errorf("%s: a mail to %s: %s", why, mails[0].To, mails[0].Subject)
	}
}

// tokenIn returns the token of the link to that page, or nothing.
func tokenIn(m outbox.Message, page string) string {
	found := regexp.MustCompile(regexp.QuoteMeta(base+page) + `#([\w-]{43})\b`).FindStringSubmatch(m.Text)
	if found == nil {
		return ""
	}
	return found[1]
}

func (f *fixture) count(query string, args ...any) (n int) {
	f.Helper()
	if err := f.sql.QueryRowContext(f.Context(), query, args...).Scan(&n); err != nil {
		f.Fatal(err)
	}
	return n
}

// rows counts what waits in the outbox.
func (f *fixture) rows() int { return f.count(`SELECT count(*) FROM outbox`) }

// undelivered counts the recorded mails that were given up.
func (f *fixture) undelivered() int {
	return f.count(`SELECT count(*) FROM events WHERE kind = $1`, string(storage.EventMailUndelivered))
}

// mailbox is a Sender that delivers to memory.
type mailbox struct {
	mu    sync.Mutex
	fault error // what sending fails with; nil for delivery
	mails []outbox.Message
	tries int
}

var errDown = errors.New("the mail server is down")

func (b *mailbox) Send(_ context.Context, m outbox.Message) error {
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
func (b *mailbox) take() []outbox.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	mails := b.mails
	b.mails = nil
	return mails
}
