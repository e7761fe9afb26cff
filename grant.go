package stepkey

import (
	"errors"
	"time"

	"github.com/stepkey/stepkey/storage"
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
	// as this user; see [LogIn.Devices]. It comes from signing in only.
	DeviceToken string
	DeviceUntil time.Time

	// ActionToken is what a step-up for an action yields, ActionClaims what it says.
	// Then there are no other tokens.
	ActionToken  string
	ActionClaims token.ActionClaims
}

// grant makes the tokens that say what a session of u has reached.
func (s *Service) grant(u User, session Session, hasPasskeys bool, now time.Time) (Grant, error) {
	id, err := s.newID()
	if err != nil {
		return Grant{}, err
	}
	level := session.Level()
	c := token.Claims{
		Issuer: s.issuer, Audience: []string{s.audience},
		Subject: u.ID.String(), Username: u.Username,
		ID: id.String(), SessionID: session.ID.String(),
		IssuedAt: now.Unix(),
		// Times in tokens are whole seconds. In the last second of what a token rests on it
		// lives to the next one, rather than being none at all.
		ExpiresAt: max(now.Unix()+1, tokenExpiry(session, hasPasskeys, now).Unix()),
		Level:     level, ACR: level, PasskeyVerified: level == token.LevelFull,
	}
	proofs(&c, session)
	signed, err := s.signer.Sign(c)
	if err != nil {
		return Grant{}, err
	}
	g := Grant{AccessToken: signed, Claims: c}
	if session.Refresh != RefreshNone {
		g.RefreshToken, g.RefreshMode, g.RefreshUntil = s.refreshTokens.Current(session), session.Refresh, session.ExpiresAt
	}
	return g, nil
}

// tokenExpiry is when an access token of a session that is minted now has to expire: never later than
// what it rests on.
func tokenExpiry(s Session, hasPasskeys bool, now time.Time) time.Time {
	end := earlier(now.Add(token.Lifetime), s.ExpiresAt)
	if s.Level() == token.LevelFull {
		return earlier(end, s.FullAt.Add(FullLifetime))
	}
	if s.FullAt == nil && hasPasskeys {
		return earlier(end, s.PasswordAt.Add(UnraisedLifetime))
	}
	return end
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// proofs sets what c says of how and when the user was authenticated. A session that
// began with a passkey alone says nothing of a password, also once its level has fallen:
// then it says that there was a passkey, and when, and no more of it.
func proofs(c *token.Claims, session Session) {
	withPassword := !session.PasswordAt.IsZero()
	if withPassword {
		c.PasswordTime = session.PasswordAt.Unix()
		c.AuthTime, c.Methods = c.PasswordTime, []string{"pwd"}
	}
	switch {
	case c.Level == token.LevelRecovery:
		// The age of the password is for those who may act on it, and this token opens
		// nothing that does.
		c.PasswordTime, c.AuthTime = 0, session.CreatedAt.Unix()
		c.Methods = recoveryMethods(session.RecoveredBy)
	case c.Level == token.LevelFull:
		c.PasskeyTime = session.FullAt.Unix()
		c.AuthTime, c.Methods = c.PasskeyTime, passkeyMethods(session.FullHardware)
		if !withPassword {
			c.Methods = c.Methods[1:] // without pwd; a passkey that verified its user is two factors
		}
	case !withPassword:
		c.AuthTime, c.Methods = session.FullAt.Unix(), []string{"pop", "user"}
	}
}

// passkeyMethods are what a password and a passkey amount to, in the words of RFC
// 8176: proof of possession of a key, in software for all we know, whose device
// verified its user; two factors. "phr", phishing-resistant, is OpenID's EAP ACR
// word. Only where a trusted maker vouched for a key that cannot be synced is it
// called hwk, and phrh, phishing-resistant and hardware-protected: of every other
// key nobody but the device itself says where it is.
func passkeyMethods(hardware bool) []string {
	if hardware {
		return []string{"pwd", "pop", "hwk", "user", "mfa", "phr", "phrh"}
	}
	return []string{"pwd", "pop", "swk", "user", "mfa", "phr"}
}

// recoveryMethods are what a session at level recovery rests on: something that works
// once, "otp", and the password unless an operator stands in for it.
func recoveryMethods(by storage.RecoveryProof) []string {
	if by == storage.RecoveredByAdmin {
		return []string{"otp"}
	}
	return []string{"pwd", "otp"}
}

// unauthorizedIfMissing turns a store's "no such live session" into a refusal.
func unauthorizedIfMissing(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrUnauthorized
	}
	return err
}
