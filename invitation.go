package stepkey

import (
	"context"
	"errors"
	"time"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// requireInvitation refuses a sign-up without a good invitation before a hash is paid for. The
// statement that takes the invitation decides again when the user is added.
func (s *Service) requireInvitation(ctx context.Context, linkToken string, now time.Time) (Invitation, error) {
	if linkToken == "" {
		return Invitation{}, nil // where one is needed, that was asked first
	}
	i, err := s.store.Invitation(ctx, outbox.LinkDigest(linkToken), now)
	return i, invalidIfMissing(err)
}

// takeInvitation uses up the invitation of a sign-up, if it has one, and returns it.
func (s *Service) takeInvitation(ctx context.Context, tx storage.Tx, linkToken string, now time.Time) (Invitation, error) {
	if linkToken == "" {
		return Invitation{}, nil
	}
	i, err := tx.TakeInvitation(ctx, outbox.LinkDigest(linkToken), now)
	return i, invalidIfMissing(err)
}

// confirmInvited makes the address of an invitation that of the new user, and notifies it: the
// link may have come into the hands of somebody else.
func (s *Service) confirmInvited(ctx context.Context, tx storage.Tx, u User, address string, from Client) error {
	if address == "" {
		return nil
	}
	if _, err := tx.SetEmail(ctx, u.ID, address, u.CreatedAt); err != nil {
		return err
	}
	if err := s.record(ctx, tx, Event{Kind: storage.EventEmailConfirmed, UserID: u.ID, Reason: reasonInvitation}, u.CreatedAt); err != nil {
		return err
	}
	return s.outbox.Notify(ctx, tx, outbox.Notice{Kind: mail.EmailChanged, UserID: u.ID, At: u.CreatedAt, Client: from, Address: address})
}

// reasonInvitation is the reason of the events of a sign-up by invitation.
const reasonInvitation = "invitation"

func invalidIfMissing(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrInvitationInvalid
	}
	return err
}
