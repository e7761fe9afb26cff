package storage

import (
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/token"
)

// LoweredSession is a session that lost level full because the passkey behind it was deleted.
type LoweredSession struct {
	ID uuid.UUID
	At time.Time

	// Raised is whether another passkey was verified in it since.
	Raised bool
}

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

// EndReason says why a session ended before its time.
type EndReason string

const EndedByLogout EndReason = "logout"

const EndedByOwner EndReason = "ended_by_owner"

const EndedByReuse EndReason = "refresh_reused"

const EndedByRevocation EndReason = "revoked"

const EndedByLimit EndReason = "too_many_sessions"

const EndedByDisabling EndReason = "user_disabled"

const EndedByPassword EndReason = "password_changed"

const EndedByDeletion EndReason = "user_deleted"

const EndedByFailures EndReason = "too_many_failures"

const EndedByReset EndReason = "password_reset"

const EndedByFreeze EndReason = "account_frozen"

const EndedByRecovery EndReason = "account_recovered"

const EndedByPasskey EndReason = "passkey_removed"

// EndSessions says which of a user's sessions to end, and why: with Only that one;
// with Keep all with a refresh token, or with Plain all without one, but Except and Keep
// others, where those in which a passkey was verified are kept before those in which none
// was, and newer ones before older ones; with Passkey those that rest on
// it, but Except; otherwise all but Except, which may be zero.
//
// Those rest on a passkey that were raised with it. So do those that began with a passkey
// alone and have fallen back since: they no longer say with which one.
type EndSessions struct {
	UserID  uuid.UUID
	Only    uuid.UUID
	Except  uuid.UUID
	Keep    int
	Plain   bool
	Passkey uuid.UUID
	At      time.Time
	Reason  EndReason
}

// Rotation is a refresh: which session is to move on from which generation, and
// what has to hold.
type Rotation struct {
	SessionID  uuid.UUID
	UserID     uuid.UUID // whose session it is
	Generation int64     // the session's current one, or nothing happens
	At         time.Time // the session and its user have to be live at this time

	IdleSince     time.Time // the session was seen after this
	UnraisedSince time.Time // a passkey was verified, or the password after this, or there is no passkey

	// Unless the passkey was verified after FullSince, the session was seen after
	// FullIdleSince and the passkey is still there, the session falls back to level
	// password.
	FullSince, FullIdleSince time.Time
}

// Rotated is what a rotation found out.
type Rotated struct {
	FullPasskeyID *uuid.UUID // nil if the session is, or has fallen back, at level password
	Username      string
	HasPasskeys   bool
}

// EndedSession is a session that ended before its time.
type EndedSession struct {
	ID     uuid.UUID
	UserID uuid.UUID
	At     time.Time
}
