package stepkey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/tokens"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// newSession returns a session of u that begins now with the password. It is not stored yet.
func (s *Service) newSession(u User, refresh RefreshMode, from Client, now time.Time) (Session, error) {
	id, err := s.newID()
	if err != nil {
		return Session{}, err
	}
	session := Session{
		ID: id, UserID: u.ID, PasswordVersion: u.PasswordVersion,
		Client:     Client{Device: from.Device, Network: from.Network},
		PasswordAt: now, CreatedAt: now, LastSeenAt: now, RotatedAt: now,
		ExpiresAt: now.Add(token.Lifetime), Refresh: refresh,
	}
	if refresh == RefreshNone {
		return session, nil
	}
	session.ExpiresAt = now.Add(SessionLifetime)
	session.Generation = 1
	session.Salt = make([]byte, tokens.RefreshSaltBytes)
	if _, err := io.ReadFull(s.random, session.Salt); err != nil {
		return Session{}, fmt.Errorf("stepkey: draw a salt: %w", err)
	}
	return session, nil
}

// stillSignsIn refuses a login if the password was changed, or the user was disabled or deleted,
// after the password or passkey was checked. Because of the lock, such a change is either seen
// here, or comes later and ends the new session. Otherwise the session's token would pass guards
// that check no database.
func stillSignsIn(ctx context.Context, tx storage.Tx, compared User) (User, error) {
	u, err := tx.LockUser(ctx, compared.ID)
	if errors.Is(err, ErrNotFound) || err == nil && (!u.Active() || u.PasswordVersion != compared.PasswordVersion) {
		return User{}, ErrInvalidCredentials
	}
	return u, err
}

// beginSession adds a session that began with that passkey, or with the password if it is the zero
// Passkey. It ends the session that it replaces and those above the limit, starting with sessions
// in which no passkey was verified: somebody who only knows the password must not be able to
// sign the owner out by signing in.
func (s *Service) beginSession(
	ctx context.Context, tx storage.Tx, session Session, with Passkey, replaced *Session, now time.Time,
) ([]uuid.UUID, error) {
	if err := tx.CreateSession(ctx, session); err != nil {
		return nil, err
	}
	e := Event{
		Kind: storage.EventSignedIn, UserID: session.UserID, SessionID: session.ID, PasskeyID: with.ID, PasskeyName: with.Name,
		Device: session.Client.Device, Network: session.Client.Network,
	}
	if err := s.record(ctx, tx, e, now); err != nil {
		return nil, err
	}
	ended, err := s.endReplaced(ctx, tx, replaced, now)
	if err != nil {
		return nil, err
	}
	which := storage.EndSessions{
		UserID: session.UserID, Keep: MaxSessions - 1, Except: session.ID, At: now, Reason: storage.EndedByLimit,
	}
	if session.Refresh == RefreshNone {
		which.Keep, which.Plain = MaxPlainSessions-1, true
	}
	tooMany, err := s.endIn(ctx, tx, which)
	return append(ended, tooMany...), err
}
