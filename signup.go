package stepkey

import (
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
}

// SignUp adds a user. The name must be valid and free in its canonical form (ErrUsernameInvalid,
// ErrUsernameTaken) and not reserved (ErrUsernameReserved), and the password must pass the policy
// (ErrPasswordTooShort and its siblings, ErrPasswordBreached). An address is limited to a few sign-ups an
// hour (RateLimitedError). SignUp does not sign the user in.
//
// If Config.SignUp is SignUpClosed, the error is ErrSignUpClosed. If it is SignUpInvite, a request without an
// invitation is ErrInvitationRequired. In any other mode an invitation is optional. One that is not valid is
// ErrInvitationInvalid; a valid one is used up together with the creation of the user, and confirms the address that
// it was made for.
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
	if s.reserved.Has(canonical) {
		return User{}, ErrUsernameReserved // whether or not the name is taken
	}
	if err := s.passwords.CheckNew(try.Password, canonical); err != nil {
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
	if err := s.requireInvitation(ctx, try.Invitation, s.now()); err != nil {
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
	return u, s.store.InTx(ctx, func(tx storage.Tx) error {
		invitation, err := s.takeInvitation(ctx, tx, try.Invitation, u.CreatedAt)
		if err != nil {
			return err
		}
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
		return s.confirmInvited(ctx, tx, u, invitation.Address, try.Client)
	})
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
