package stepkey

import (
	"time"

	"github.com/stepkey/stepkey/token"
)

// Lifetimes of sessions and levels. The numbers and their sources are in
// docs/sessions.md.
const (
	// SessionLifetime is how long a session with a refresh token can be kept alive
	// (NIST SP 800-63B-4 §2.1.3: at most 30 days at the level of a password).
	SessionLifetime = 30 * 24 * time.Hour

	// SessionIdle is how long it lasts without a refresh.
	SessionIdle = 7 * 24 * time.Hour

	// FullLifetime is how long a session stays at level full after the passkey was
	// verified, and FullIdle how long without a refresh (NIST SP 800-63B-4 §2.2.3:
	// at most 24 hours and one hour).
	FullLifetime = 12 * time.Hour
	FullIdle     = time.Hour

	// NoStepUpLifetime limits a session in which no passkey was verified although the user
	// has one: it may belong to somebody who merely knows the password.
	NoStepUpLifetime = 15 * time.Minute
)

// MaxSessions is how many sessions with a refresh token a user may have. A
// further one ends the oldest.
const MaxSessions = 50

// MaxPlainSessions is the same for sessions without a refresh token, which last as long
// as their newest access token.
const MaxPlainSessions = 100

// MaxListedSessions is the maximum number of sessions that one call of [Service.Sessions]
// returns. It is more than a user can have.
const MaxListedSessions = 200

// tokenExpiry returns when an access token made now must expire: never later than the
// session or the proof that its level is based on.
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
