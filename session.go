package stepkey

import (
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/token"
)

// Session is one sign-in on one device. Its id is the claim sid of every token
// that comes from it.
type Session struct {
	ID     uuid.UUID
	UserID uuid.UUID

	// PasswordVersion is the user's when the session began.
	PasswordVersion int

	// PasswordAt is when the password was proved.
	PasswordAt time.Time

	// FullAt is when a passkey was last verified in this session, and
	// FullPasskeyID which one. Both are nil at level password.
	FullAt        *time.Time
	FullPasskeyID *uuid.UUID

	CreatedAt time.Time

	// ExpiresAt is when the session ends by itself. A session without refresh
	// token lives as long as its newest access token.
	ExpiresAt time.Time
}

// Level is what the session has reached.
func (s Session) Level() token.Level {
	if s.FullAt != nil {
		return token.LevelFull
	}
	return token.LevelPassword
}

// fullWithin reports whether a passkey was verified in this session at most age
// before now.
func (s Session) fullWithin(age time.Duration, now time.Time) bool {
	return s.FullAt != nil && now.Sub(*s.FullAt) <= age
}

// Account is what a use-case needs to know of who is asking: a live session, its
// user and the user's passkeys, oldest first.
type Account struct {
	User     User
	Session  Session
	Passkeys []Passkey
}
