package storage

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// BrowserDigest is the SHA-256 digest of a code, nonce or cookie of a browser session. Each is
// 256 random bits, so the digest needs no salt, and the store holds nothing that a client could
// send.
type BrowserDigest [sha256.Size]byte

// DigestBrowser returns the digest of a code, nonce or cookie.
func DigestBrowser(text string) BrowserDigest { return sha256.Sum256([]byte(text)) }

// BrowserCode starts a browser session: a cookie by which one application behind the gate, at an
// origin of its own, knows a Session.
type BrowserCode struct {
	Digest BrowserDigest

	// Nonce is the digest of a secret that only the browser at Origin has.
	Nonce BrowserDigest

	SessionID uuid.UUID
	Origin    string
	ExpiresAt time.Time
}

// BrowserStart exchanges a code for a cookie. All conditions have to hold at once.
type BrowserStart struct {
	Code, Nonce BrowserDigest
	Cookie      BrowserDigest // what the browser session is found by from then on
	Origin      string
	At          time.Time // the code has not expired, and the session and its user are live
}

// BrowserVisit is a visit to an application at Origin by the browser with Cookie. The other
// fields have the meaning that they have in a [Rotation].
type BrowserVisit struct {
	Cookie                   BrowserDigest
	Origin                   string
	At                       time.Time
	IdleSince, NoStepUpSince time.Time
	FullSince, FullIdleSince time.Time
}

// BrowserSession is the session behind a cookie, with what applications are told of its user.
type BrowserSession struct {
	Session    Session
	Username   string
	Attributes Attributes
	Address    string // confirmed, empty for none
}

// BrowserSessionStore is the part of a [Store] about browser sessions.
type BrowserSessionStore interface {
	// PutBrowserCode adds c. It returns ErrNotFound unless the session and its user are live at
	// the time.
	PutBrowserCode(ctx context.Context, c BrowserCode, at time.Time) error

	// StartBrowserSession uses up a code in one conditional statement. Of several concurrent
	// callers, one succeeds. Others, and all for whom a condition does not hold, get ErrNotFound. It
	// replaces the browser session that the session had at that origin.
	StartBrowserSession(ctx context.Context, b BrowserStart) error

	// VisitBrowserSession returns a browser session, and marks its session as seen. As a refresh
	// does, it takes level full from a session whose conditions no longer hold. It returns
	// ErrNotFound if there is none, or the session is not live.
	VisitBrowserSession(ctx context.Context, v BrowserVisit) (BrowserSession, error)
}
