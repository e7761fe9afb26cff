package stepkey

import (
	"time"

	"github.com/stepkey/stepkey/token"
)

// Grant is the result of signing in, refreshing and stepping up.
type Grant struct {
	// AccessToken is the signed token with Claims.
	AccessToken string
	Claims      token.Claims

	// RefreshToken is empty unless the client asked for one at login. RefreshMode
	// says how it is sent to the client, RefreshUntil when it expires at the
	// latest.
	RefreshToken string
	RefreshMode  RefreshMode
	RefreshUntil time.Time

	// DeviceToken is stored by the client and sent when it signs in again as this
	// user; see [LogInRequest.Devices]. Only signing in returns one.
	DeviceToken string
	DeviceUntil time.Time

	// ActionToken, with ActionClaims, is the result of a step-up for an action.
	// There are no other tokens then.
	ActionToken  string
	ActionClaims token.ActionClaims

	caller Caller
}

// Caller returns the caller that the access token identifies.
func (g Grant) Caller() Caller { return g.caller }

// grant makes the tokens for the current state of a session of u.
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
