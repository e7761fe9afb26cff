package stepkey

import (
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/token"
)

// How long things last. The numbers and their sources are in docs/sessions.md.
const (
	// SessionLifetime is how long a session with refresh token can be kept alive
	// (NIST SP 800-63B-4 §2.1.3: at most 30 days at the level of a password).
	SessionLifetime = 30 * 24 * time.Hour

	// SessionIdle is after how long without refresh it ends.
	SessionIdle = 7 * 24 * time.Hour

	// FullLifetime is how long after the passkey was verified a session stays at
	// level full, and FullIdle how long without refresh (NIST SP 800-63B-4 §2.2.3:
	// at most 24 hours and one hour).
	FullLifetime = 12 * time.Hour
	FullIdle     = time.Hour

	// UnraisedLifetime is how long a session lasts whose user has passkeys and
	// verified none in it. Who has one and does not use it may be somebody who has
	// only found out the password.
	UnraisedLifetime = 15 * time.Minute
)

// MaxSessions is how many sessions with refresh token a user may have. A further
// one ends the oldest.
const MaxSessions = 50

// MaxPlainSessions is the same for sessions without refresh token, which last as long as
// their newest access token.
const MaxPlainSessions = 100

// MaxListedSessions is how many sessions one call of [Service.Sessions] returns at most. It
// is more than a user can have.
const MaxListedSessions = 200

// SessionPlace is the place of a session in the list of a user: when it was created, and
// its id.
type SessionPlace EventPlace

// RefreshMode says how a client keeps its refresh token.
type RefreshMode string

// The modes. A client that asks for none gets none, and signs in again when its
// access token has expired.
const (
	RefreshNone   RefreshMode = ""
	RefreshCookie RefreshMode = "cookie"
	RefreshBody   RefreshMode = "body"
)

// Known reports whether m is one of the modes.
func (m RefreshMode) Known() bool {
	return m == RefreshNone || m == RefreshCookie || m == RefreshBody
}

// Client is what people can recognise one of their sessions by. No part is proof of
// anything.
type Client struct {
	Device  string // such as "Firefox on Linux"; at most MaxDevice characters
	Address string // a network, such as "203.0.113.0/24"; never a whole address

	// IP is where the request comes from, for counting tries. It is never stored, and
	// so is not part of a Session. The zero Addr means that nobody knows.
	IP netip.Addr
}

// UnknownDevice is the Device of a client that says nothing of itself.
const UnknownDevice = "Unknown device"

// MaxDevice is how many characters of a device's description are kept.
const MaxDevice = 64

// Session is one sign-in on one device. Its id is the claim sid of every token
// that comes from it.
type Session struct {
	ID     uuid.UUID
	UserID uuid.UUID
	Client Client

	// PasswordVersion is the user's when the session began.
	PasswordVersion int

	// PasswordAt is when the password was proved, zero if it was not: the session began
	// with a passkey alone.
	PasswordAt time.Time

	// FullAt is when a passkey was last verified in this session, nil if none was.
	// FullPasskeyID is which one; it is nil as well once the session has fallen
	// back to level password.
	FullAt        *time.Time
	FullPasskeyID *uuid.UUID

	// FullHardware says of that passkey that it is known to stay in one piece of
	// hardware.
	FullHardware bool

	CreatedAt time.Time

	// LastSeenAt is when the session was last refreshed or raised.
	LastSeenAt time.Time

	// ExpiresAt is when the session ends by itself at the latest. A session without
	// refresh token lives as long as its newest access token.
	ExpiresAt time.Time

	// Refresh and what follows describe the refresh token; see refresh.go.
	Refresh    RefreshMode
	Salt       []byte
	Generation int64
	RotatedAt  time.Time

	// RecoveredBy is what a session at level recovery rests on, and empty for others.
	RecoveredBy RecoveryProof

	// RaisedGeneration is the generation that the last step-up led to.
	RaisedGeneration int64
}

// Level is what the session has reached.
func (s Session) Level() token.Level {
	if s.RecoveredBy != RecoveredByNothing {
		return token.LevelRecovery
	}
	if s.FullAt != nil && s.FullPasskeyID != nil {
		return token.LevelFull
	}
	return token.LevelPassword
}

// Account is what a use-case needs to know of who is asking: a live session, its
// user and the user's passkeys, oldest first.
type Account struct {
	User     User
	Session  Session
	Passkeys []Passkey
}
