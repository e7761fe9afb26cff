package stepkey

import (
	"time"

	"github.com/stepkey/stepkey/token"
)

// Grant is what signing in, refreshing and stepping up yield.
type Grant struct {
	// AccessToken is the signed token, Claims what it says.
	AccessToken string
	Claims      token.Claims

	// RefreshToken is empty unless the client asked for one at login. RefreshMode
	// says where it goes, RefreshUntil when it is worth nothing at the latest.
	RefreshToken string
	RefreshMode  RefreshMode
	RefreshUntil time.Time

	// DeviceToken is for the client to keep and to send along when it signs in again
	// as this user; see [LogInRequest.Devices]. It comes from signing in only.
	DeviceToken string
	DeviceUntil time.Time

	// ActionToken is what a step-up for an action yields, ActionClaims what it says.
	// Then there are no other tokens.
	ActionToken  string
	ActionClaims token.ActionClaims

	caller Caller
}

// Caller returns the caller that the access token stands for.
func (g Grant) Caller() Caller { return g.caller }

// grant makes the tokens that say what a session of u has reached.
func (s *Service) grant(u User, session Session, hasPasskeys bool, now time.Time) (Grant, error) {
	signed, claims, err := s.mint.AccessToken(u, session, tokenExpiry(session, hasPasskeys, now), now)
	if err != nil {
		return Grant{}, err
	}
	g := Grant{AccessToken: signed, Claims: claims, caller: Caller{userID: u.ID, sessionID: session.ID, claims: claims}}
	if session.Refresh != RefreshNone {
		g.RefreshToken, g.RefreshMode, g.RefreshUntil = s.refreshTokens.Current(session), session.Refresh, session.ExpiresAt
	}
	return g, nil
}
