package outbox

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// Message is one mail to one address, as the Mail of package stepkey describes it.
type Message struct {
	ID                      uuid.UUID
	To, Subject, Text, HTML string
}

// Sender sends a mail, like Mailer.Send of package stepkey. It is safe for
// concurrent use.
type Sender func(context.Context, Message) error

// ErrMailRefused is returned by a [Sender] for an address that does not take mail.
var ErrMailRefused = errors.New("stepkey: the address does not take mail")
