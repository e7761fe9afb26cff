package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/pages"
	"github.com/stepkey/stepkey/storage"
)

// MaxInvitationLifetime is how long an invitation of [Admin.Invite] may be good.
const MaxInvitationLifetime = 30 * 24 * time.Hour

// InviteRequest is a request for an invitation.
type InviteRequest struct {
	// Address is the address that the link is mailed to, empty for none.
	Address string

	// Language is the tag of the language of the mail, and of the account unless its owner
	// prefers another one at sign-up. It is empty, for the default, or one of the service's.
	Language string

	// Lifetime is how long the link works, at most MaxInvitationLifetime.
	Lifetime time.Duration
}

// Invite makes an invitation and returns the link by which one person can sign up, once, within
// the lifetime. The link is kept nowhere. With an address, a mail with the link is queued where there
// is a Mailer, and the account that is made with it has that address, confirmed: either the mail
// proves it, or the operator vouches for it by handing over the link.
//
// It is ErrEmailInvalid for an address that Mail.To does not allow, ErrLanguageUnknown for a
// language that the service does not have, ErrInvalidRequest for a lifetime that is not positive
// or over MaxInvitationLifetime, and ErrSignUpClosed where Config.SignUp is SignUpClosed. Where it
// is SignUpOpen, an invitation still confirms an address.
func (a *Admin) Invite(ctx context.Context, r InviteRequest) (i Invitation, url string, err error) {
	s := a.service
	if s.signUpMode == SignUpClosed {
		return Invitation{}, "", ErrSignUpClosed
	}
	if r.Lifetime <= 0 || r.Lifetime > MaxInvitationLifetime {
		return Invitation{}, "", ErrInvalidRequest
	}
	if r.Address != "" && mail.CheckAddress(r.Address) != nil {
		return Invitation{}, "", ErrEmailInvalid
	}
	language := s.Language(r.Language)
	if language == "" && r.Language != "" {
		return Invitation{}, "", ErrLanguageUnknown
	}
	now := s.now()
	i = Invitation{Address: r.Address, Language: language, CreatedAt: now, ExpiresAt: now.Add(r.Lifetime).Truncate(time.Microsecond)}
	if i.ID, err = s.newID(); err != nil {
		return Invitation{}, "", err
	}
	linkToken, link, err := s.outbox.NewLink(storage.Link{})
	if err != nil {
		return Invitation{}, "", err
	}
	err = s.store.InTx(ctx, func(tx storage.Tx) error {
		if err := tx.PutInvitation(ctx, i, link.Digest); err != nil || r.Address == "" || !s.outbox.SendsMail() {
			return err
		}
		return s.outbox.SendInvitation(ctx, tx, outbox.InvitationMail{
			To: r.Address, Token: linkToken, Language: language, At: now, ExpiresAt: i.ExpiresAt,
		})
	})
	if err != nil {
		return Invitation{}, "", err
	}
	page := pages.Invitation
	if s.requireAddress && r.Address == "" {
		page += "?email" // has the page ask for one: what the invitation says is for the server alone
	}
	return i, s.outbox.LinkTo(page, linkToken), nil
}

// Invitations returns at most limit invitations that are still good and whose id is greater than
// after, in the order of their ids.
func (a *Admin) Invitations(ctx context.Context, after uuid.UUID, limit int) ([]Invitation, error) {
	return a.service.store.Invitations(ctx, a.service.now(), after, limit)
}

// RevokeInvitation voids an invitation. One that was used, has expired or never was is
// ErrNotFound. A mail that is still queued goes out, with a link that does nothing.
func (a *Admin) RevokeInvitation(ctx context.Context, id uuid.UUID) error {
	return a.service.store.InTx(ctx, func(tx storage.Tx) error {
		revoked, err := tx.RevokeInvitation(ctx, id)
		if err == nil && !revoked {
			return ErrNotFound
		}
		return err
	})
}
