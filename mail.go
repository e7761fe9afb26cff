package stepkey

import (
	"context"

	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/pages"
)

type (
	// Mail is one message to one address. Its fields are ID, To, Subject, Text and HTML.
	//
	// ID is a uuid and the same on every retry of this mail, so that a Message-ID made from
	// it identifies a second copy. To passed a strict check: a plain local@domain in ASCII,
	// at most 254 bytes, without white space, quotes or control characters. Subject, one
	// line, and the two forms of the body are UTF-8.
	Mail = outbox.Mail

	// Mailer sends e-mail by Send(context.Context, Mail) error; the package smtpmail has
	// one. An implementation is safe for concurrent use and obeys the deadline of the
	// context. It returns nil once another server is responsible for the mail,
	// ErrMailRefused if a retry cannot help, and any other error if it can. Errors are
	// logged, so they must not contain the address.
	Mailer = outbox.Mailer
)

// ErrMailRefused is returned by a [Mailer] for an address that does not take mail.
var ErrMailRefused = outbox.ErrMailRefused

const (
	// LinkLifetime is how long a link that changes something is valid: 10 minutes (OWASP
	// ASVS 6.5.5).
	LinkLifetime = outbox.LinkLifetime

	// FreezeLifetime is how long the link of a notice is valid: 7 days.
	FreezeLifetime = outbox.FreezeLifetime
)

// The pages that links in mails lead to, and those of operators (PathRecoverByLink), below
// Config.PublicURL. The token follows the #. Package webui has these pages; an application
// with pages of its own serves them at these paths.
const (
	PathConfirmEmail  = pages.ConfirmEmail
	PathResetPassword = pages.ResetPassword
	PathNotMe         = pages.NotMe
	PathRecover       = pages.Recover
	PathRecoverByLink = pages.RecoverByLink
)

// DeliverMail sends the mails that are due, at most a few, and returns how many it tried.
// It waits for the slowest of them. Run calls it periodically; without Run, call it
// yourself. A mail that could not be sent is logged, and retried later by any instance. An
// error means that the store could not be reached.
func (s *Service) DeliverMail(ctx context.Context) (tried int, err error) {
	return s.outbox.Deliver(ctx)
}
