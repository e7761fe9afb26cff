package outbox

import (
	"context"
	"encoding/json"
	"time"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/pages"
	"github.com/stepkey/stepkey/storage"
)

const sealPurpose = "outbox"

// letter is the content of a mail as it is sealed in its row: facts and a language, and no words.
// The words are those of the instance that sends it, which may be a newer version or have other
// language files than the one that queued it. If it lacks the language, it uses its default.
type letter struct {
	Language string    `json:"language,omitempty"`
	Username string    `json:"username,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Device   string    `json:"device,omitempty"`
	Network  string    `json:"network,omitempty"`
	Address  string    `json:"address,omitempty"` // the new one, where one was changed
	Until    time.Time `json:"until,omitzero"`
	Link     string    `json:"link,omitempty"`   // the token of the link that the mail is for
	Freeze   string    `json:"freeze,omitempty"` // the token of the "this was not me" link
}

// put seals content and adds the row.
func (o *Outbox) put(ctx context.Context, tx storage.Tx, m storage.QueuedMail, content any) error {
	var err error
	if m.ID, err = o.newID(); err != nil {
		return err
	}
	plain, err := json.Marshal(content)
	if err != nil {
		return err
	}
	if m.Sealed, err = o.root.Seal(sealPurpose, sealLabel(m), plain, o.random); err != nil {
		return err
	}
	return tx.QueueMail(ctx, m)
}

// open returns the content of a row.
func (o *Outbox) open(m storage.QueuedMail) ([]byte, error) {
	return o.root.Open(sealPurpose, sealLabel(m), m.Sealed)
}

// sealLabel binds the sealed content to its row. Somebody who can write to the database
// could otherwise redirect another user's link by changing the recipient.
func sealLabel(m storage.QueuedMail) string { return m.ID.String() + " " + string(m.Kind) + " " + m.To }

// render writes the mail of a row.
func (o *Outbox) render(m storage.QueuedMail) (mail.Text, error) {
	plain, err := o.open(m)
	if err != nil {
		return mail.Text{}, err
	}
	var l letter
	if err := json.Unmarshal(plain, &l); err != nil {
		return mail.Text{}, err
	}
	rendered := o.mailLetter(l)
	rendered.Times = m.Times
	return o.letters.Render(m.Kind, rendered)
}

// mailLetter adds to a letter what all mails share, and turns its tokens into links.
func (o *Outbox) mailLetter(l letter) mail.Letter {
	p := mail.Letter{
		Language: l.Language, Service: o.service, Home: o.publicURL,
		Username: l.Username, At: l.At, Device: l.Device, Network: l.Network, Address: l.Address, Until: l.Until,
		RecoverURL: o.LinkTo(pages.Recover, l.Link), ResetPage: o.publicURL + pages.ResetPassword,
		FreezeURL: o.LinkTo(pages.NotMe, l.Freeze),
	}
	if l.Link != "" {
		p.ConfirmURL = o.LinkTo(pages.ConfirmEmail, l.Link)
		p.ResetURL = o.LinkTo(pages.ResetPassword, l.Link)
		p.InvitationURL = o.LinkTo(pages.Invitation, l.Link)
	}
	return p
}
