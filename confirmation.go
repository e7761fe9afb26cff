package stepkey

import (
	"cmp"
	"context"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/storage"
)

// RequiresConfirmedAddress returns Config.RequireConfirmedAddress.
func (s *Service) RequiresConfirmedAddress() bool { return s.requireAddress }

// awaitsAddress reports whether u has to confirm an address before signing in.
func (s *Service) awaitsAddress(u User) bool { return s.requireAddress && u.AwaitsAddressSince != nil }

// requireEmail refuses a sign-up that has to name an address and does not. invited reports whether the
// invitation has one, or may have one.
func (s *Service) requireEmail(try SignUpRequest, invited bool) error {
	switch {
	case !s.requireAddress || try.Email == "" && invited:
		return nil
	case try.Email == "":
		return ErrInvalidRequest
	case mail.CheckAddress(try.Email) != nil:
		return ErrEmailInvalid
	default:
		return nil
	}
}

// ConfirmationRequest asks for another link to confirm the address of a new account. The fields are as
// in LogInRequest; Email may differ from the address given at sign-up.
type ConfirmationRequest struct {
	Username, Password, Email string
	Client                    Client
	Devices                   []string
}

// ResendConfirmation sends a link to Email. Following it makes Email the user's confirmed address. The link
// replaces the one sent before, so that a mistyped address can no longer be confirmed.
//
// The password is verified and counted as in LogIn, with the same errors, so that nobody else learns
// whether the account exists or waits, or has mail sent for it. Mails are limited as in RequestEmail. For a user who does not
// wait for an address it sends nothing and returns nil: a password alone does not
// change an address. The other errors are ErrEmailInvalid and ErrConfirmationOff.
func (s *Service) ResendConfirmation(ctx context.Context, try ConfirmationRequest) error {
	if !s.requireAddress {
		return ErrConfirmationOff
	}
	if mail.CheckAddress(try.Email) != nil {
		return ErrEmailInvalid
	}
	tried, err := s.tryPassword(ctx, LogInRequest{
		Username: try.Username, Password: try.Password, Client: try.Client, Devices: try.Devices,
	})
	if err != nil {
		return err
	}
	defer tried.attempt.Leave()
	u, now := tried.user, s.now()
	var refused error
	if s.awaitsAddress(u) {
		refused = s.throttle.ChargeConfirmation(ctx, storage.Account{User: u}, try.Client, try.Email, now)
	}
	err = s.store.InTx(WithAccount(ctx, u.ID), func(tx storage.Tx) error {
		locked, err := stillSignsIn(ctx, tx, u)
		if err != nil {
			return err
		}
		if locked.PasswordStopped {
			return ErrInvalidCredentials
		}
		// Also if the mail is refused: the password was right.
		if err := tried.attempt.Forget(ctx, tx); err != nil || refused != nil || !s.awaitsAddress(locked) {
			return err
		}
		return s.sendConfirmation(ctx, tx, locked, try.Email, try.Client, now)
	})
	return cmp.Or(err, refused)
}
