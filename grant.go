package stepkey

import (
	"errors"
	"time"

	"github.com/stepkey/stepkey/token"
)

// AccessToken is what signing in and stepping up yield.
type AccessToken struct {
	Token  string
	Claims token.Claims
}

// mint makes the token that says what s has reached.
func (s *Service) mint(u User, session Session, now time.Time) (AccessToken, error) {
	id, err := s.newID()
	if err != nil {
		return AccessToken{}, err
	}
	level := session.Level()
	c := token.Claims{
		Issuer: s.issuer, Audience: []string{s.audience},
		Subject: u.ID.String(), Username: u.Username,
		ID: id.String(), SessionID: session.ID.String(),
		IssuedAt: now.Unix(), ExpiresAt: now.Add(token.Lifetime).Unix(),
		Level: level, ACR: level, PasskeyVerified: level == token.LevelFull,
		PasswordTime: session.PasswordAt.Unix(),
		AuthTime:     session.PasswordAt.Unix(),
		Methods:      []string{"pwd"},
	}
	if session.FullAt != nil {
		c.PasskeyTime = session.FullAt.Unix()
		c.AuthTime = c.PasskeyTime
		// RFC 8176: a software-secured key is the least that a passkey can be, and
		// user verification was demanded.
		c.Methods = []string{"pwd", "swk", "user", "mfa"}
	}
	signed, err := s.signer.Sign(c)
	return AccessToken{Token: signed, Claims: c}, err
}

// unauthorizedIfMissing turns a store's "no such live session" into a refusal.
func unauthorizedIfMissing(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrUnauthorized
	}
	return err
}
