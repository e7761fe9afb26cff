package stepkey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/storage"
)

// userHandleBytes is what WebAuthn L3 §14.6.1 recommends.
const userHandleBytes = 64

// SignUpRequest is a try to become a user.
type SignUpRequest struct {
	Username, Password string
	Client             Client
}

// SignUp adds a user. The name has to be free in its canonical form
// (ErrUsernameInvalid, ErrUsernameTaken), must not be reserved (ErrUsernameReserved), and the password has to pass the
// policy (ErrPasswordTooShort and its siblings, ErrPasswordBreached). One address may try a few times an
// hour (RateLimitedError). It does not sign anybody in.
func (s *Service) SignUp(ctx context.Context, try SignUpRequest) (User, error) {
	canonical, err := CanonicalUsername(try.Username)
	if err != nil {
		return User{}, err
	}
	if s.reserved.has(canonical) {
		return User{}, ErrUsernameReserved // whether somebody has it or not
	}
	if err := s.policy.Check(try.Password, canonical); err != nil {
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
	if err := s.requireFreeName(ctx, canonical); err != nil {
		return User{}, err
	}
	hash, err := s.hashUnlessBreached(ctx, place, try.Password)
	if errors.Is(err, ErrPasswordBreached) {
		return User{}, err // stays counted: a lookup costs the service more than the client
	}
	if err != nil {
		refund() // the service failed, not the client
		return User{}, err
	}
	u := User{
		Username: strings.TrimSpace(try.Username), CanonicalName: canonical,
		PasswordHash: hash, PasswordVersion: 1, CreatedAt: s.now(),
		Handle: make([]byte, userHandleBytes),
	}
	if u.ID, err = s.newID(); err != nil {
		return User{}, err
	}
	if _, err := io.ReadFull(s.random, u.Handle); err != nil {
		return User{}, fmt.Errorf("stepkey: draw a user handle: %w", err)
	}
	return u, s.store.InTx(ctx, func(tx storage.Tx) error {
		if err := tx.CreateUser(ctx, u); err != nil {
			return err
		}
		return s.record(ctx, tx, Event{Kind: storage.EventSignedUp, UserID: u.ID}, u.CreatedAt)
	})
}

// requireFreeName refuses a name that is taken before a hash is paid for. The
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

// hash takes its turn and hashes.
func (s *Service) hash(ctx context.Context, place *password.Place, newPassword string) (hash string, err error) {
	queued := place.Do(ctx, func() { hash, err = s.hasher.Hash(newPassword) })
	if queued != nil {
		return "", queued
	}
	return hash, err
}

// checked is the outcome of comparing a password with a hash.
type checked struct {
	matches     bool
	replacement string // a new hash for the same password, or empty
}

// check takes its turn and compares. Where the hash is of an old kind and the
// password is right it makes a new one in the same turn. A costly hash takes turns with
// others of its sort as well.
func (s *Service) check(ctx context.Context, place *password.Place, hash, typed string) (checked, error) {
	var result checked
	var fault error
	do := place.Do
	if password.RunsAlone(hash) {
		do = place.DoAlone
	}
	queued := do(ctx, func() {
		matches, rehash, err := s.hasher.Verify(hash, typed)
		result.matches, fault = matches, err
		if err == nil && matches && rehash {
			result.replacement, fault = s.hasher.Hash(typed)
		}
	})
	if queued != nil {
		return checked{}, queued
	}
	return result, fault
}

// maxPasswordBytes bounds a password wherever one is taken.
const maxPasswordBytes = password.MaxBytes
