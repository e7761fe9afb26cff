package stepkey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stepkey/stepkey/storage"
)

// userHandleBytes is the length that WebAuthn Level 3 §14.6.1 recommends.
const userHandleBytes = 64

// SignUpMode says who may sign up.
type SignUpMode string

// The modes.
const (
	// SignUpOpen lets everybody sign up.
	SignUpOpen SignUpMode = "open"

	// SignUpInvite lets those sign up who have an invitation; see [Admin.Invite].
	SignUpInvite SignUpMode = "invite"

	// SignUpClosed lets nobody sign up, not even with an invitation. Users come by import only.
	SignUpClosed SignUpMode = "closed"
)

func (m SignUpMode) check() error {
	switch m {
	case SignUpOpen, SignUpInvite, SignUpClosed:
		return nil
	default:
		return errors.New("Config.SignUp is none of open, invite and closed")
	}
}

// SignUpMode returns Config.SignUp, or its default.
func (s *Service) SignUpMode() SignUpMode { return s.signUpMode }

// SignUpRequest is a request to add a user.
type SignUpRequest struct {
	Username, Password string
	Client             Client

	// Invitation is the token of an invitation, empty for none.
	Invitation string

	// Email is the address to confirm if Config.RequireConfirmedAddress is set. It is ignored for an
	// invitation that was made for an address, and without the setting.
	Email string
}

// SignUp adds a user. The name must be valid and free in its canonical form (ErrUsernameInvalid,
// ErrUsernameTaken) and not reserved (ErrUsernameReserved) or like an address (ErrUsernameAddress), and the password must pass the policy
// (ErrPasswordTooShort and its siblings, ErrPasswordBreached). An address is limited to a few sign-ups an
// hour (RateLimitedError). SignUp does not sign the user in.
//
// If Config.SignUp is SignUpClosed, the error is ErrSignUpClosed. If it is SignUpInvite, a request without an
// invitation is ErrInvitationRequired. In any other mode an invitation is optional. One that is not valid is
// ErrInvitationInvalid; a valid one is used up together with the creation of the user, and confirms the address that
// it was made for.
//
// If Config.RequireConfirmedAddress is set and the invitation, if any, has no address, Email is required
// (ErrInvalidRequest, ErrEmailInvalid). A link to confirm it is mailed, and until it is followed
// LogIn returns ErrAddressUnconfirmed. The answer does not depend on whether other users have the address.
func (s *Service) SignUp(ctx context.Context, try SignUpRequest) (User, error) {
	if s.signUpMode == SignUpClosed {
		return User{}, ErrSignUpClosed
	}
	if s.signUpMode == SignUpInvite && try.Invitation == "" {
		return User{}, ErrInvitationRequired
	}
	canonical, err := CanonicalUsername(try.Username)
	if err != nil {
		return User{}, err
	}
	if s.signInByAddress && strings.Contains(canonical, "@") {
		return User{}, ErrUsernameAddress
	}
	if s.reserved.Has(canonical) {
		return User{}, ErrUsernameReserved // whether or not the name is taken
	}
	if err := s.passwords.CheckNew(try.Password, canonical); err != nil {
		return User{}, err
	}
	if err := s.requireEmail(try, try.Invitation != ""); err != nil {
		return User{}, err
	}
	place, err := s.throttle.EnterSignUp(try.Client)
	if err != nil {
		return User{}, err
	}
	defer place.Leave()
	refund, err := s.throttle.ChargeSignUp(ctx, try.Client, s.now())
	if err != nil {
		return User{}, err
	}
	// First, so that nobody without an invitation learns which names are taken.
	invitation, err := s.requireInvitation(ctx, try.Invitation, s.now())
	if err != nil {
		return User{}, err
	}
	if err := s.requireEmail(try, invitation.Address != ""); err != nil {
		return User{}, err
	}
	if err := s.requireFreeName(ctx, canonical); err != nil {
		return User{}, err
	}
	hash, err := s.passwords.HashNew(ctx, place, try.Password)
	if errors.Is(err, ErrPasswordBreached) {
		return User{}, err // still counts: a look-up costs the service more than the client
	}
	if err != nil {
		refund() // the service failed, not the client
		return User{}, err
	}
	u, err := s.newUser(s.now())
	if err != nil {
		return User{}, err
	}
	u.Username, u.CanonicalName, u.PasswordHash = strings.TrimSpace(try.Username), canonical, hash
	if s.requireAddress && invitation.Address == "" {
		u.AwaitsAddressSince = &u.CreatedAt
		if err := s.throttle.ChargeConfirmation(ctx, storage.Account{User: u}, try.Client, try.Email, u.CreatedAt); err != nil {
			return User{}, err
		}
	}
	language := s.Language(try.Client.Language)
	err = s.store.InTx(ctx, func(tx storage.Tx) error {
		invitation, err := s.takeInvitation(ctx, tx, try.Invitation, u.CreatedAt)
		if err != nil {
			return err
		}
		u.Language = cmp.Or(language, invitation.Language)
		if err := tx.CreateUser(ctx, u); err != nil {
			return err
		}
		e := Event{Kind: storage.EventSignedUp, UserID: u.ID}
		if try.Invitation != "" {
			e.Reason = reasonInvitation
		}
		if err := s.record(ctx, tx, e, u.CreatedAt); err != nil {
			return err
		}
		if u.AwaitsAddressSince != nil {
			return s.sendConfirmation(ctx, tx, u, try.Email, try.Client, u.CreatedAt)
		}
		return s.confirmInvited(ctx, tx, u, invitation.Address, try.Client)
	})
	return u, err
}

// newUser returns a user with a new id and handle, who is not stored yet.
func (s *Service) newUser(now time.Time) (u User, err error) {
	u = User{PasswordVersion: 1, CreatedAt: now, Handle: make([]byte, userHandleBytes)}
	if u.ID, err = s.newID(); err != nil {
		return User{}, err
	}
	if _, err := io.ReadFull(s.random, u.Handle); err != nil {
		return User{}, fmt.Errorf("stepkey: draw a user handle: %w", err)
	}
	return u, nil
}

// requireFreeName refuses a taken name before the password is hashed. The
// unique index decides again when the user is added.
func (s *Service) requireFreeName(ctx context.Context, canonical string) error {
	_, err := s.store.UserByName(ctx, canonical)
	if err == nil {
		return ErrUsernameTaken
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
