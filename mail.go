package stepkey

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// Mail is one message to one address.
type Mail struct {
	// ID is the same each time that this mail is tried again, for a Message-ID by which
	// a second copy can be known.
	ID uuid.UUID

	// To is an address that passed a strict check: one of the plain form local@domain,
	// in ASCII, at most 254 bytes, without white space, quotes or control characters.
	To string

	// Subject and the two forms of the body are UTF-8. Subject is one line.
	Subject, Text, HTML string
}

// Mailer sends e-mail; the package smtpmail has one. An implementation is safe for
// concurrent use and goes by the deadline of ctx. It returns nil once somebody else is
// responsible for the mail, ErrMailRefused if no further try can help, and any other
// error if one can. Its errors are logged, so there is no address in them.
type Mailer interface {
	Send(ctx context.Context, m Mail) error
}

// ErrMailRefused is returned by a [Mailer] for an address that does not take mail.
var ErrMailRefused = errors.New("stepkey: the address does not take mail")
