package outbox

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// Mail is one message to one address.
type Mail struct {
	// ID is the same on every retry of this mail. A Message-ID made from it identifies a
	// second copy.
	ID uuid.UUID

	// To is an address that passed a strict check: one of the plain form local@domain,
	// in ASCII, at most 254 bytes, without white space, quotes or control characters.
	To string

	// Subject and the two forms of the body are UTF-8. Subject is one line.
	Subject, Text, HTML string
}

// Mailer sends e-mail; the package smtpmail has one. An implementation is safe for
// concurrent use and obeys the deadline of ctx. It returns nil once another server is
// responsible for the mail, ErrMailRefused if a retry cannot help, and any other error if
// it can. Errors are logged, so they must not contain the address.
type Mailer interface {
	Send(ctx context.Context, m Mail) error
}

// ErrMailRefused is returned by a [Mailer] for an address that does not take mail.
var ErrMailRefused = errors.New("stepkey: the address does not take mail")
