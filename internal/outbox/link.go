package outbox

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/storage"
)

// A link carries a token of 32 random bytes, and the store keeps its SHA-256: a leaked
// store contains no usable link. The token follows the # of the URL, so it appears neither
// in the log of a server nor in a Referer header. Opening the URL does not use the link up,
// as mail scanners open links; the POST of the page behind it does.

// LinkLifetime is how long a link that changes something is valid (OWASP ASVS 6.5.5).
const LinkLifetime = 10 * time.Minute

// FreezeLifetime is how long the link of a notice is valid. It only takes away, and people
// do not read their mail at once.
const FreezeLifetime = 7 * 24 * time.Hour

const linkTokenBytes = 32

// NewLink completes l with the digest of a new token. The token is kept nowhere. The
// caller puts the link into the store.
func (o *Outbox) NewLink(l storage.Link) (linkToken string, link storage.Link, err error) {
	raw := make([]byte, linkTokenBytes)
	if _, err := io.ReadFull(o.random, raw); err != nil {
		return "", storage.Link{}, fmt.Errorf("outbox: draw a link: %w", err)
	}
	linkToken = base64.RawURLEncoding.EncodeToString(raw)
	l.Digest = LinkDigest(linkToken)
	return linkToken, l, nil
}

// LinkDigest returns the digest by which the store knows a link. Any text has one; that of
// a text that is not the token of a link matches no row.
func LinkDigest(linkToken string) storage.LinkDigest { return sha256.Sum256([]byte(linkToken)) }

// LinkTo returns the URL of a page of package pages, with the token if it is not empty.
func (o *Outbox) LinkTo(page, linkToken string) string {
	if linkToken == "" {
		return o.publicURL + page
	}
	return o.publicURL + page + "#" + linkToken
}

// LinkMail is a mail with a link that changes something and is valid for LinkLifetime.
type LinkMail struct {
	Kind    mail.Kind
	Purpose storage.LinkPurpose
	To      storage.Addressee
	From    storage.Client // the client that asked for the link; its language is that of a user without one
	AskedBy []byte         // the digest of its device, nil if that is unknown
	At      time.Time
}

// SendLink makes a link and queues its mail. The link replaces the user's previous one of
// the same purpose, so a pending mail with that one is dropped, also where it is addressed
// to another mailbox.
func (o *Outbox) SendLink(ctx context.Context, tx storage.Tx, m LinkMail) error {
	linkToken, link, err := o.NewLink(storage.Link{
		Purpose: m.Purpose, UserID: m.To.UserID, Address: m.To.Address, PasswordVersion: m.To.PasswordVersion,
		AskedBy: m.AskedBy, ExpiresAt: m.At.Add(LinkLifetime),
	})
	if err != nil {
		return err
	}
	if err := tx.PutLink(ctx, link); err != nil {
		return err
	}
	if err := tx.DropMail(ctx, m.To.UserID, m.Kind); err != nil {
		return err
	}
	return o.put(ctx, tx, storage.QueuedMail{
		UserID: m.To.UserID, To: m.To.Address, Kind: m.Kind, CreatedAt: m.At, ExpiresAt: link.ExpiresAt,
		Urgent: true, Topic: string(m.Kind),
	}, letter{
		Language: cmp.Or(m.To.Language, o.languages.Choose(m.From.Language)),
		Username: m.To.Username, At: m.At, Device: m.From.Device, Network: m.From.Network, Address: m.To.Address, Link: linkToken,
	})
}

// InvitationMail is a mail with an invitation to sign up.
type InvitationMail struct {
	To            string
	Token         string // of the link
	Language      string // a tag, or empty for the default
	At, ExpiresAt time.Time
}

// SendInvitation queues the mail of an invitation that the caller puts into the store. It concerns
// no user yet, and is not urgent: the link is good for days.
func (o *Outbox) SendInvitation(ctx context.Context, tx storage.Tx, m InvitationMail) error {
	return o.put(ctx, tx, storage.QueuedMail{
		To: m.To, Kind: mail.Invitation, CreatedAt: m.At, ExpiresAt: m.ExpiresAt,
	}, letter{Language: m.Language, At: m.At, Until: m.ExpiresAt, Link: m.Token})
}
