package outbox

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/messages"
	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/storage"
)

// Store hands out what is queued. A storage.Store does.
type Store interface {
	ClaimMail(ctx context.Context, kinds []storage.MailKind, now, until time.Time, limit int) ([]storage.QueuedMail, error)
	PutOffMail(ctx context.Context, id uuid.UUID, tries int, until time.Time) error
	InTx(ctx context.Context, fn func(storage.Tx) error) error
}

// Config holds the parts of an [Outbox]. All but Send, Tasks and Calls are required, and Languages
// with Send.
type Config struct {
	Store Store
	Root  secret.Root // what is queued is sealed with a key derived from it
	Send  Sender      // nil for no e-mail
	Tasks map[Task]Handler
	Calls map[Task]Call

	Languages *messages.Set // of the mails; it must not change any more

	// PublicURL is the URL below which the pages are that links lead to, without a slash at
	// the end. It comes from the configuration and never from a request: otherwise a
	// request could have links sent that lead to another host.
	PublicURL   string
	ServiceName string // the sender as mails name it

	Random io.Reader
	Now    func() time.Time // to the microsecond, in UTC
	Log    *slog.Logger
}

// Outbox queues and delivers. It is safe for concurrent use. Several, in one process or
// many, can share a store.
type Outbox struct {
	store     Store
	root      secret.Root
	send      Sender // nil for no e-mail
	tasks     map[Task]Handler
	calls     map[Task]Call
	kinds     []storage.MailKind // that it can deliver
	letters   *mail.Letters      // nil for no e-mail
	languages *messages.Set
	publicURL string
	service   string
	random    io.Reader
	now       func() time.Time
	log       *slog.Logger
}

// New makes an Outbox. An error means that a mail cannot be written in one of the languages.
func New(c Config) (*Outbox, error) {
	var letters *mail.Letters
	if c.Send != nil {
		var err error
		if letters, err = mail.New(c.Languages); err != nil {
			return nil, err
		}
	}
	return &Outbox{
		store: c.Store, root: c.Root, send: c.Send, tasks: c.Tasks, calls: c.Calls, kinds: kindsOf(c), letters: letters, languages: c.Languages,
		publicURL: c.PublicURL, service: c.ServiceName, random: c.Random, now: c.Now, log: c.Log,
	}, nil
}

// kindsOf returns the kinds of rows that an outbox can deliver. Several programs may share a store,
// each with calls of its own, and leave the rows of the others alone.
func kindsOf(c Config) (kinds []storage.MailKind) {
	if c.Send != nil {
		kinds = mail.Kinds()
	}
	for task := range c.Tasks {
		kinds = append(kinds, storage.MailKind(task))
	}
	for task := range c.Calls {
		kinds = append(kinds, storage.MailKind(task))
	}
	return kinds
}

// SendsMail reports whether there is a Sender. Without one nothing is delivered, notices
// are dropped, and callers must not queue links and tasks.
func (o *Outbox) SendsMail() bool { return o.send != nil }

// delivers reports whether there is anything to deliver with.
func (o *Outbox) delivers() bool { return o.send != nil || len(o.calls) > 0 }

// PublicURL returns the URL below which the pages are.
func (o *Outbox) PublicURL() string { return o.publicURL }

func (o *Outbox) newID() (uuid.UUID, error) {
	id, err := uuid.NewRandomFromReader(o.random)
	if err != nil {
		return uuid.Nil, fmt.Errorf("outbox: draw an id: %w", err)
	}
	return id, nil
}
