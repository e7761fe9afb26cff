package stepkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/storage"
)

// A mail is written into the outbox in the transaction of what it reports, and sent from
// there: so it is not lost with the process nor with the mail server, and who asks for
// one waits for neither.
const (
	// outboxEvery is how often an instance looks for mails that are due.
	outboxEvery = time.Second

	// mailConnections is how many mails an instance sends at the same time. A store hands
	// out one mail to a mailbox at a time, so one that is slow occupies one of them.
	mailConnections = 4

	// mailTime bounds the sending of one, and mailLease is after how long a mail is sent
	// again of which nobody has said what became of it: whoever had it is gone.
	mailTime  = 15 * time.Second
	mailLease = 30 * time.Second

	// firstRetry doubles with every further try, up to lastRetry. A link is worth ten
	// minutes, so it begins short.
	firstRetry = 5 * time.Second
	lastRetry  = time.Hour

	// noticeLifetime is how long a notice is worth sending. RFC 5321 §4.5.4.1 has
	// servers try for 4-5 days; half of that has passed before it is theirs.
	noticeLifetime = 3 * 24 * time.Hour
)

const purposeOutbox = "outbox"

// letter is what a mail is made of, as it is sealed in the outbox.
type letter struct {
	Username string    `json:"username,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Device   string    `json:"device,omitempty"`
	Network  string    `json:"network,omitempty"`
	Address  string    `json:"address,omitempty"` // the new one, where one was changed
	Until    time.Time `json:"until,omitzero"`
	Link     string    `json:"link,omitempty"`   // the token of what the mail asks to do
	Freeze   string    `json:"freeze,omitempty"` // the token of "this was not me"

	// Name and Address are what was typed, for mail.FindAccounts. AskedBy are the digests
	// of the client's devices, by the users who signed in there before.
	Name    string            `json:"name,omitempty"`
	AskedBy map[string][]byte `json:"askedBy,omitempty"`
}

// queue writes a mail into the outbox. Its callers see to it that there is a Mailer.
func (s *Service) queue(ctx context.Context, tx storage.Tx, m storage.QueuedMail, l letter) error {
	var err error
	if m.ID, err = s.newID(); err != nil {
		return err
	}
	plain, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if m.Sealed, err = s.root.Seal(purposeOutbox, sealLabel(m), plain, s.random); err != nil {
		return err
	}
	return tx.QueueMail(ctx, m)
}

// sealLabel ties what is sealed to its row, so that nobody who writes to the database
// can have a link sent to himself.
func sealLabel(m storage.QueuedMail) string { return m.ID.String() + " " + string(m.Kind) + " " + m.To }

// DeliverMail sends the mails that are due, at most a handful, and returns how many it
// tried. It waits for the slowest of them. Run sends by itself; a program without Run
// calls this again and again. What could not be sent is tried again later, by whichever
// instance comes first. An error says that the store could not be asked; that a mail
// could not be sent is logged.
func (s *Service) DeliverMail(ctx context.Context) (tried int, err error) {
	if s.mailer == nil {
		return 0, nil
	}
	// A mail that has been handed out is sent to its end: who is told to stop must not
	// leave it to somebody else whether it was.
	ctx = context.WithoutCancel(ctx)
	now := s.now()
	due, err := s.store.ClaimMail(ctx, now, now.Add(mailLease), mailConnections)
	if err != nil {
		return 0, err
	}
	failed := make([]error, len(due))
	var wg sync.WaitGroup
	for i, m := range due {
		wg.Go(func() { failed[i] = s.deliver(ctx, m) })
	}
	wg.Wait()
	return len(due), errors.Join(failed...)
}

// deliver does with one mail what is to be done, and says in the store what that was.
func (s *Service) deliver(ctx context.Context, m storage.QueuedMail) error {
	if !s.now().Before(m.ExpiresAt) {
		return s.giveUp(ctx, m, "expired")
	}
	l, err := s.open(m)
	if err != nil {
		return s.giveUp(ctx, m, "unreadable")
	}
	if m.Kind == mail.FindAccounts {
		return s.findAccounts(ctx, m, l)
	}
	printed := s.printed(l)
	printed.Times = m.Times
	text, err := s.letters.Render(m.Kind, printed)
	if err != nil {
		return s.giveUp(ctx, m, "unreadable")
	}
	sending, cancel := context.WithTimeout(ctx, mailTime)
	defer cancel()
	err = s.mailer.Send(sending, Mail{ID: m.ID, To: m.To, Subject: text.Subject, Text: text.Text, HTML: text.HTML})
	if err == nil {
		return s.store.InTx(ctx, func(tx storage.Tx) error {
			_, err := tx.DeleteMail(ctx, m.ID)
			return err
		})
	}
	if errors.Is(err, ErrMailRefused) {
		return s.giveUp(ctx, m, "refused")
	}
	next := s.now().Add(retryAfter(m.Tries))
	if !next.Before(m.ExpiresAt) {
		return s.giveUp(ctx, m, "unsent")
	}
	if fault := s.store.PutOffMail(ctx, m.ID, m.Tries, next); fault != nil {
		return fault
	}
	s.log.WarnContext(ctx, "mail not sent; trying again", "mail", m.ID, "kind", m.Kind, "try", m.Tries, "next", next, "error", err)
	return nil
}

// retryAfter is how long a mail waits after its tries-th try.
func retryAfter(tries int) time.Duration {
	wait := firstRetry
	for i := 1; i < tries && wait < lastRetry; i++ {
		wait *= 2
	}
	return min(wait, lastRetry)
}

func (s *Service) open(m storage.QueuedMail) (letter, error) {
	var l letter
	plain, err := s.root.Open(purposeOutbox, sealLabel(m), m.Sealed)
	if err != nil {
		return l, err
	}
	return l, json.Unmarshal(plain, &l)
}

// giveUp removes a mail that will not be sent, and records that it was not.
func (s *Service) giveUp(ctx context.Context, m storage.QueuedMail, reason string) error {
	err := s.store.InTx(ctx, func(tx storage.Tx) error {
		deleted, err := tx.DeleteMail(ctx, m.ID)
		if err != nil || !deleted || m.UserID == uuid.Nil {
			return err
		}
		return s.record(ctx, tx, Event{Kind: storage.EventMailUndelivered, UserID: m.UserID, Reason: reason}, s.now())
	})
	if err != nil {
		return err
	}
	s.log.WarnContext(ctx, "mail given up", "mail", m.ID, "kind", m.Kind, "tries", m.Tries, "reason", reason)
	return nil
}

// runOutbox sends what is due until ctx ends, and then what it has begun. Each
// connection takes the next mail when it is free, so none waits for a slow one.
func (s *Service) runOutbox(ctx context.Context, failed func(error)) {
	if s.mailer == nil {
		return
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	connections := make(chan struct{}, mailConnections)
	sent := make(chan struct{}, 1) // a mailbox is free again, or a task made mails
	ticker := time.NewTicker(outboxEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-sent:
		}
		for s.startMail(ctx, &sending, connections, sent, failed) {
		}
	}
}

// startMail begins to send the next mail as soon as a connection is free. It reports
// whether there was one.
func (s *Service) startMail(
	ctx context.Context, sending *sync.WaitGroup, connections, sent chan struct{}, failed func(error),
) bool {
	select {
	case <-ctx.Done():
		return false
	case connections <- struct{}{}:
	}
	if ctx.Err() != nil {
		return false
	}
	ctx = context.WithoutCancel(ctx) // a mail that has been handed out is sent to its end
	now := s.now()
	due, err := s.store.ClaimMail(ctx, now, now.Add(mailLease), 1)
	if err != nil {
		failed(fmt.Errorf("stepkey: outbox: %w", err))
	}
	if len(due) == 0 {
		<-connections
		return false
	}
	sending.Go(func() {
		if err := s.deliver(ctx, due[0]); err != nil {
			failed(fmt.Errorf("stepkey: outbox: %w", err))
		}
		<-connections
		select {
		case sent <- struct{}{}:
		default:
		}
	})
	return true
}

// printed is a letter as it is rendered, with its links whole. Their host comes from
// the config and never from a request.
func (s *Service) printed(l letter) mail.Letter {
	p := mail.Letter{
		Service: s.serviceName, Home: s.publicURL,
		Username: l.Username, At: l.At, Device: l.Device, Network: l.Network, Address: l.Address, Until: l.Until,
		RecoverURL: s.publicURL + PathRecover, ResetPage: s.publicURL + PathResetPassword,
	}
	if l.Link != "" {
		p.ConfirmURL = s.publicURL + PathConfirmEmail + "#" + l.Link
		p.ResetURL = s.publicURL + PathResetPassword + "#" + l.Link
		p.RecoverURL = s.publicURL + PathRecover + "#" + l.Link
	}
	p.FreezeURL = s.publicURL + PathNotMe
	if l.Freeze != "" {
		p.FreezeURL += "#" + l.Freeze
	}
	return p
}

// The pages that links in mails, and that of an operator, lead to, below Config.PublicURL. The token stands behind
// the #. The package webui has them; an application with pages of its own serves them
// there.
const (
	PathConfirmEmail  = "/confirm-email"
	PathResetPassword = "/reset-password"
	PathNotMe         = "/not-me"
	PathRecover       = "/recover"
	PathRecoverByLink = "/recover-by-link"
)
