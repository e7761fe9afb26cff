package stepkey

import (
	"context"
	"errors"
	"time"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/token"
)

// LogIn starts a session for who knows the password, at level password.
//
// Unknown user, wrong password and disabled user are answered alike, with
// ErrInvalidCredentials, after the same work. A password longer than any may be
// is ErrPasswordTooLong, whoever the user is.
//
// A hash of an old kind is remade on the way; whether that works does not
// concern the login.
func (s *Service) LogIn(ctx context.Context, username, typed string) (AccessToken, error) {
	if len(typed) > maxPasswordBytes {
		return AccessToken{}, ErrPasswordTooLong
	}
	began := time.Now()
	u, known, err := s.userForLogIn(ctx, username)
	if err != nil {
		return AccessToken{}, err
	}
	result, err := s.check(ctx, u.PasswordHash, typed)
	if err != nil {
		return AccessToken{}, err
	}
	if !known || !result.matches || !u.Active() {
		pause(ctx, s.failureDelay(u, time.Since(began)))
		return AccessToken{}, ErrInvalidCredentials
	}
	if result.replacement != "" {
		s.replaceHash(ctx, u, result.replacement)
	}
	return s.startSession(ctx, u)
}

// failureFloor is how long a failed login takes at least while there are hashes
// of an old kind. Comparing with bcrypt at cost 12, as the original does, takes
// some 200 to 350 ms where argon2id takes 30: without the floor a fast answer
// would say that the name is unknown, and a slow one that it is an old account.
const failureFloor = 500 * time.Millisecond

// failureDelay is how long the answer to a failed login has to wait yet. The
// waiting holds neither a turn to hash nor a connection.
func (s *Service) failureDelay(u User, took time.Duration) time.Duration {
	if password.IsLegacy(u.PasswordHash) {
		s.legacyHashes.Store(true) // imported since the start
	}
	if !s.legacyHashes.Load() {
		return 0
	}
	return max(0, failureFloor-took)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// userForLogIn returns the user of that name. Where there is none it returns one
// whose hash costs as much to compare as a fresh one and matches nothing, so that
// neither answer nor time tells which names exist (ASVS 6.3.8).
func (s *Service) userForLogIn(ctx context.Context, username string) (u User, known bool, err error) {
	canonical, err := CanonicalUsername(username)
	if err != nil {
		return User{PasswordHash: s.hasher.Decoy()}, false, nil
	}
	u, err = s.store.UserByName(ctx, canonical)
	if errors.Is(err, ErrNotFound) {
		return User{PasswordHash: s.hasher.Decoy()}, false, nil
	}
	return u, err == nil, err
}

// replaceHash swaps the hash that was compared for its replacement. If the
// password was changed meanwhile the old hash is gone and nothing happens.
func (s *Service) replaceHash(ctx context.Context, u User, replacement string) {
	replaced, err := s.store.ReplacePasswordHash(ctx, u.ID, u.PasswordHash, replacement)
	if err != nil {
		s.log.WarnContext(ctx, "password hash not remade", "user", u.ID, "error", err)
		return
	}
	if replaced {
		s.log.InfoContext(ctx, "password hash remade", "user", u.ID)
	}
}

func (s *Service) startSession(ctx context.Context, u User) (AccessToken, error) {
	id, err := s.newID()
	if err != nil {
		return AccessToken{}, err
	}
	now := s.now()
	session := Session{
		ID: id, UserID: u.ID, PasswordVersion: u.PasswordVersion,
		PasswordAt: now, CreatedAt: now, ExpiresAt: now.Add(token.Lifetime),
	}
	grant, err := s.mint(u, session, now)
	if err != nil {
		return AccessToken{}, err
	}
	err = s.store.InTx(ctx, func(tx Tx) error {
		if err := tx.CreateSession(ctx, session); err != nil {
			return err
		}
		return s.record(ctx, tx, Event{Kind: EventSignedIn, UserID: u.ID, SessionID: id}, now)
	})
	if err != nil {
		return AccessToken{}, err
	}
	return grant, nil
}
