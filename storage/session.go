package storage

import (
	"context"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/token"
)

// RefreshMode is how a client keeps its refresh token.
type RefreshMode string

// The modes. A client that asks for none gets none, and signs in again when its access token
// has expired.
const (
	RefreshNone   RefreshMode = ""
	RefreshCookie RefreshMode = "cookie"
	RefreshBody   RefreshMode = "body"
)

// Known reports whether m is one of the modes.
func (m RefreshMode) Known() bool {
	return m == RefreshNone || m == RefreshCookie || m == RefreshBody
}

// UnknownDevice is the Device of a client that does not describe itself.
const UnknownDevice = "Unknown device"

// MaxDevice is how many characters of a device's description are kept.
const MaxDevice = 64

// Client describes where a request comes from, so that people recognise their sessions. No
// part of it is proof of anything.
type Client struct {
	Device  string // such as "Firefox on Linux"; at most MaxDevice characters
	Network string // a network, such as "203.0.113.0/24"; never a whole address

	// Language is the tag of the language that the person prefers, empty if that is unknown. It
	// is not part of a Session; a sign-up or sign-in makes it that of the user. A tag that is
	// not one of the service's languages counts as the one that stepkey.Service.Language
	// returns for it.
	Language string

	// IP is the address of the request, for rate limits. It is never stored, and so is not
	// part of a Session. The zero Addr means that it is unknown.
	IP netip.Addr
}

// Session is one sign-in on one device. Its id is the claim sid of all its tokens.
type Session struct {
	ID     uuid.UUID
	UserID uuid.UUID
	Client Client

	// PasswordVersion is the user's at the time when the session began.
	PasswordVersion int

	// PasswordAt is when the password was verified, zero if the session began with a passkey
	// alone.
	PasswordAt time.Time

	// FullAt is when a passkey was last verified in this session, nil if none was.
	// FullPasskeyID is that passkey; it is nil too once the session has fallen back to level
	// password.
	FullAt        *time.Time
	FullPasskeyID *uuid.UUID

	// FullHardware reports whether that passkey is known to be bound to hardware.
	FullHardware bool

	// LastPasskeyID is the passkey that was verified last in this session, also after the session
	// has fallen back to level password or the passkey was deleted. It is nil if none was, and proves
	// nothing.
	LastPasskeyID *uuid.UUID

	CreatedAt time.Time

	// LastSeenAt is when the session was last refreshed or stepped up.
	LastSeenAt time.Time

	// ExpiresAt is when the session ends by itself at the latest. A session without refresh
	// token lives as long as its latest access token.
	ExpiresAt time.Time

	// The state of the refresh token: how the client keeps it, the salt and the generation
	// that it is derived from, and when the generation last changed.
	Refresh    RefreshMode
	Salt       []byte
	Generation int64
	RotatedAt  time.Time

	// StepUpGeneration is the generation that the last step-up led to.
	StepUpGeneration int64

	// RecoveredBy is the proof that a session at level recovery rests on, empty for others.
	RecoveredBy RecoveryProof
}

// Level returns the level that the session has reached.
func (s Session) Level() token.Level {
	if s.RecoveredBy != RecoveredByNothing {
		return token.LevelRecovery
	}
	if s.FullAt != nil && s.FullPasskeyID != nil {
		return token.LevelFull
	}
	return token.LevelPassword
}

// Account is a live session with its user and the user's passkeys, the oldest first.
type Account struct {
	User     User
	Session  Session
	Passkeys []Passkey
}

// SessionPlace is a place in a user's list of sessions: a creation time, and the id that
// orders sessions of the same time.
type SessionPlace EventPlace

// EndReason is why a session ended before it expired.
type EndReason string

// The reasons.
const (
	EndedByLogout      EndReason = "logout"
	EndedByReplacement EndReason = "replaced"
	EndedByOwner       EndReason = "ended_by_owner"
	EndedByReuse       EndReason = "refresh_reused"
	EndedByRevocation  EndReason = "revoked"
	EndedByLimit       EndReason = "too_many_sessions"
	EndedByDisabling   EndReason = "user_disabled"
	EndedByPassword    EndReason = "password_changed"
	EndedByDeletion    EndReason = "user_deleted"
	EndedByFailures    EndReason = "too_many_failures"
	EndedByReset       EndReason = "password_reset"
	EndedByFreeze      EndReason = "account_frozen"
	EndedByRecovery    EndReason = "account_recovered"
	EndedByPasskey     EndReason = "passkey_removed"
)

// EndSessions selects sessions of a user to end, at a time and for a reason. One of these
// applies, in this order:
//
//   - Only selects that session.
//   - Keep selects the sessions with a refresh token, or with Plain those without one, except
//     Except and Keep others. Sessions in which a passkey was verified are kept before those
//     in which none was, and newer ones before older ones.
//   - Passkey selects the sessions that rest on that passkey, except Except. Those are the
//     sessions stepped up with it, and those that began with a passkey alone and have fallen back
//     since, because these no longer tell which one it was.
//   - Otherwise all sessions are selected, except Except, which may be zero.
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

// EndedSession is a session that ended before it expired.
type EndedSession struct {
	ID     uuid.UUID
	UserID uuid.UUID
	At     time.Time
}

// LoweredSession is a session that lost level full because its passkey was deleted.
type LoweredSession struct {
	ID uuid.UUID
	At time.Time

	// SteppedUp reports whether another passkey was verified in it since.
	SteppedUp bool
}

// Rotation is a refresh: the session, the generation that it moves on from, and the conditions
// for that.
type Rotation struct {
	SessionID  uuid.UUID
	Salt       []byte    // has to be the session's
	Generation int64     // has to be the session's current one
	At         time.Time // the session and its user have to be live at this time

	IdleSince     time.Time // the session was seen after this
	NoStepUpSince time.Time // a passkey was verified, or the password after this, or the user has no passkey

	// The session falls back to level password unless its passkey was verified after
	// FullSince and still exists, and the session was seen after FullIdleSince.
	FullSince, FullIdleSince time.Time
}

// Rotated is a session after a rotation, with what a refresh says of its user.
type Rotated struct {
	Session     Session // FullPasskeyID is nil if it is at level password, or has fallen back to it
	Username    string
	Attributes  Attributes
	HasPasskeys bool
}

// Elevation is what a step-up stores: the verified response, and its session at level full.
type Elevation struct {
	Verified

	// Hardware and ExpiresAt are the session's FullHardware and ExpiresAt from now on.
	Hardware  bool
	ExpiresAt time.Time
}

// SessionStore is the part of a [Store] about sessions.
type SessionStore interface {
	// Account returns the session, its user and the user's passkeys, as of one moment. It
	// returns ErrNotFound unless the session is live at now: it belongs to userID, has neither
	// ended nor expired, its user is active and the password has not changed since it began.
	Account(ctx context.Context, userID, sessionID uuid.UUID, now time.Time) (Account, error)

	// Elevate stores a step-up: the verified response, and the session at level full, both or
	// neither. FullAt, LastSeenAt and RotatedAt are the time of the use, and the generation grows
	// by two. It returns the new generation. Of several responses with one counter, or with one
	// spent challenge, one is stored.
	Elevate(ctx context.Context, e Elevation) (generation int64, err error)

	// RefreshSession returns a session with a refresh token, live or not.
	RefreshSession(ctx context.Context, id uuid.UUID) (Session, error)

	// RotateSession moves a session with a refresh token on to its next generation in one
	// conditional statement, or returns ErrNotFound if a condition of r does not hold. Of several concurrent rotations
	// of one generation, one succeeds.
	RotateSession(ctx context.Context, r Rotation) (Rotated, error)

	// Sessions returns at most limit of the user's sessions that are live at now and were seen
	// since idleSince, the latest first, and of one time in the order of their ids. With
	// before, the list begins after that place, whether or not a session is there.
	Sessions(
		ctx context.Context, userID uuid.UUID, now, idleSince time.Time, before *SessionPlace, limit int,
	) ([]Session, error)

	// EndedSessions returns at most limit sessions that ended before they expired, in the
	// order of that time and of id, beginning after the place that At and ID of after name.
	// The zero id sorts before all others. Among them are the marks of replaced attributes, with
	// the zero user, because they are not ends of one user's sessions.
	EndedSessions(ctx context.Context, after EndedSession, limit int) ([]EndedSession, error)

	// OpenSessions returns at most limit of the user's sessions that began before
	// createdBefore, expire after expiringAfter and have not ended.
	OpenSessions(ctx context.Context, userID uuid.UUID, createdBefore, expiringAfter time.Time, limit int) ([]uuid.UUID, error)

	// LoweredSessions returns the sessions that LowerSessions lowered at or after since, each
	// with the latest time at which it was lowered.
	LoweredSessions(ctx context.Context, since time.Time) ([]LoweredSession, error)
}

// SessionTx is the part of a [Tx] about sessions.
type SessionTx interface {
	// LockAccount is SessionStore.Account with a lock on the user's row until the end of the
	// transaction. Other callers of LockUser and LockAccount wait.
	LockAccount(ctx context.Context, userID, sessionID uuid.UUID, now time.Time) (Account, error)

	// Elevate moves the session of e to level full, in one conditional statement, by a passkey
	// that this transaction adds. It changes the session as SessionStore.Elevate does, returns the
	// new generation, and returns ErrNotFound unless the session is live at Use.At. Of e.Verified
	// it reads the ids and Use.PasskeyID and Use.At.
	Elevate(ctx context.Context, e Elevation) (generation int64, err error)

	// CreateSession adds s.
	CreateSession(ctx context.Context, s Session) error

	// AdoptPassword moves a session to the user's new password: it stores PasswordVersion and
	// PasswordAt of s and increments the generation by two at that time. It returns the new
	// generation, or ErrNotFound if the session has ended or expired.
	AdoptPassword(ctx context.Context, s Session, at time.Time) (generation int64, err error)

	// EndSessions ends live sessions and returns their ids.
	EndSessions(ctx context.Context, which EndSessions) ([]uuid.UUID, error)

	// LowerSessions moves the user's sessions that were stepped up with a passkey and have not
	// ended back to level password, stores the time, and returns their ids. It deletes all
	// consents of the user. The caller has locked the user.
	LowerSessions(ctx context.Context, userID, passkeyID uuid.UUID, at time.Time) ([]uuid.UUID, error)
}
