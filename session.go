package stepkey

import (
	"time"

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

	// NoStepUpLifetime is how long a session lasts in which no passkey was verified although
	// its user has one. Its holder may be somebody who has only found out the password.
	NoStepUpLifetime = 15 * time.Minute
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

// tokenExpiry is when an access token has to expire that is made now: never later than
// what its level rests on.
func tokenExpiry(s Session, hasPasskeys bool, now time.Time) time.Time {
	end := earlier(now.Add(token.Lifetime), s.ExpiresAt)
	if s.Level() == token.LevelFull {
		return earlier(end, s.FullAt.Add(FullLifetime))
	}
	if s.FullAt == nil && hasPasskeys {
		return earlier(end, s.PasswordAt.Add(NoStepUpLifetime))
	}
	return end
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
