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

// Invite makes an invitation and returns the link by which one person can sign up, once, within
// lifetime. The link is kept nowhere. With an address, a mail with the link is queued where there
// is a Mailer, and the account that is made with it has that address, confirmed: either the mail
// proves it, or the operator vouches for it by handing over the link.
//
// It is ErrEmailInvalid for an address that Mail.To does not allow, ErrInvalidRequest for a
// lifetime that is not positive or over MaxInvitationLifetime, and ErrSignUpClosed where
// Config.SignUp is SignUpClosed. Where it is SignUpOpen, an invitation still confirms an address.
func (a *Admin) Invite(ctx context.Context, address string, lifetime time.Duration) (i Invitation, url string, err error) {
	s := a.service
	if s.signUpMode == SignUpClosed {
		return Invitation{}, "", ErrSignUpClosed
	}
	if lifetime <= 0 || lifetime > MaxInvitationLifetime {
		return Invitation{}, "", ErrInvalidRequest
	}
	if address != "" && mail.CheckAddress(address) != nil {
		return Invitation{}, "", ErrEmailInvalid
	}
	now := s.now()
	i = Invitation{Address: address, CreatedAt: now, ExpiresAt: now.Add(lifetime).Truncate(time.Microsecond)}
	if i.ID, err = s.newID(); err != nil {
		return Invitation{}, "", err
	}
	linkToken, link, err := s.outbox.NewLink(storage.Link{})
	if err != nil {
		return Invitation{}, "", err
	}
	err = s.store.InTx(ctx, func(tx storage.Tx) error {
		if err := tx.PutInvitation(ctx, i, link.Digest); err != nil || address == "" || !s.outbox.SendsMail() {
			return err
		}
		return s.outbox.SendInvitation(ctx, tx, outbox.InvitationMail{To: address, Token: linkToken, At: now, ExpiresAt: i.ExpiresAt})
	})
	if err != nil {
		return Invitation{}, "", err
	}
	return i, s.outbox.LinkTo(pages.Invitation, linkToken), nil
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
