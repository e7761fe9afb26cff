package stepkey

import (
	"context"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/pages"
)

// Mail is one message to one address.
type Mail struct {
	// ID is the same on every retry of this mail, so that a Message-ID made from it identifies
	// a second copy.
	ID uuid.UUID

	// To is a plain local@domain in ASCII, at most 254 bytes, without white space, quotes
	// or control characters.
	To string

	// Subject, one line, and the two forms of the body are UTF-8.
	Subject, Text, HTML string
}

// Mailer sends e-mail; the package smtpmail has one. An implementation is safe for concurrent
// use and obeys the deadline of ctx. It returns nil once another server is responsible for the
// mail, ErrMailRefused if a retry cannot help, and any other error if it can. Errors are
// logged, so they must not contain the address.
type Mailer interface {
	Send(ctx context.Context, m Mail) error
}

// sender returns the outbox's sender, or nil without a Mailer.
func sender(m Mailer) outbox.Sender {
	if m == nil {
		return nil
	}
	return func(ctx context.Context, message outbox.Message) error { return m.Send(ctx, Mail(message)) }
}

// ErrMailRefused is returned by a [Mailer] for an address that does not accept
// mail.
var ErrMailRefused = outbox.ErrMailRefused

const (
	// LinkLifetime is how long a link that changes something is valid: 10 minutes (OWASP
	// ASVS 6.5.5).
	LinkLifetime = outbox.LinkLifetime

	// FreezeLifetime is how long the link of a notice is valid: 7 days.
	FreezeLifetime = outbox.FreezeLifetime
)

// The paths, below Config.PublicURL, of the pages that links in mails and from operators
// (PathRecoverByLink, PathInvitation) lead to. The token follows the #. Package webui has these pages; an
// application with pages of its own serves them at these paths.
const (
	PathConfirmEmail  = pages.ConfirmEmail
	PathResetPassword = pages.ResetPassword
	PathNotMe         = pages.NotMe
	PathRecover       = pages.Recover
	PathRecoverByLink = pages.RecoverByLink
	PathInvitation    = pages.Invitation
)

// DeliverMail sends the mails that are due, at most a few, and returns how many it tried.
// It waits for the slowest of them. Run calls it periodically; without Run, call it
// yourself. A mail that could not be sent is logged, and retried later by any instance. An
// error means that the store could not be reached.
func (s *Service) DeliverMail(ctx context.Context) (tried int, err error) {
	return s.outbox.Deliver(ctx)
}
