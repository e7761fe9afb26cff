package tokens

import (
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// Mint makes access and action tokens. It is safe for concurrent use if its random
// source is.
type Mint struct {
	signer           *token.Signer
	issuer, audience string
	ownClaims        []string
	random           io.Reader
}

// NewMint returns a Mint whose tokens name that issuer and audience. Of the own claims of users,
// they have those whose names are in ownClaims.
func NewMint(signer *token.Signer, issuer, audience string, ownClaims []string, random io.Reader) *Mint {
	return &Mint{signer: signer, issuer: issuer, audience: audience, ownClaims: ownClaims, random: random}
}

// AccessToken makes the token that says what a session of u has reached. It expires at
// expires, or a second from now if that is later.
func (m *Mint) AccessToken(u storage.User, session storage.Session, expires, now time.Time) (string, token.Claims, error) {
	c := m.Claims(u, session, expires, now)
	var err error
	if c.ID, err = m.newID(); err != nil {
		return "", token.Claims{}, err
	}
	signed, err := m.signer.Sign(c)
	if err != nil {
		return "", token.Claims{}, err
	}
	return signed, c, nil
}

// Claims returns the claims that AccessToken signs, but for the ID.
func (m *Mint) Claims(u storage.User, session storage.Session, expires, now time.Time) token.Claims {
	level := session.Level()
	c := token.Claims{
		Issuer: m.issuer, Audience: []string{m.audience},
		Subject: u.ID.String(), Username: u.Username,
		SessionID: session.ID.String(),
		IssuedAt:  now.Unix(),
		// Times in tokens are whole seconds. Rounded down, a token made in the last second
		// of its session would be invalid at once.
		ExpiresAt: max(now.Unix()+1, expires.Unix()),
		Level:     level, ACR: level, PasskeyVerified: level == token.LevelFull,
		Groups: u.Attributes.Groups.Names(), OwnClaims: u.Attributes.Claims.Only(m.ownClaims),
		AttributesVersion: u.Attributes.Version,
	}
	setAuthentication(&c, session)
	return c
}

// ActionToken makes the token that proves consent to action in a session of u, by a
// passkey that was verified now.
func (m *Mint) ActionToken(
	u storage.User, session storage.Session, action token.Action, now time.Time,
) (string, token.ActionClaims, error) {
	id, err := m.newID()
	if err != nil {
		return "", token.ActionClaims{}, err
	}
	c := token.ActionClaims{
		Issuer: m.issuer, Audience: []string{m.audience},
		Subject: u.ID.String(), SessionID: session.ID.String(), ID: id,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(token.ActionLifetime).Unix(), PasskeyTime: now.Unix(),
		Act: token.ActClaim{Name: action.Name, Digest: action.Digest()},
	}
	signed, err := m.signer.SignAction(c)
	return signed, c, err
}

// newID returns a random token id (RFC 9562 version 4).
func (m *Mint) newID() (string, error) {
	id, err := uuid.NewRandomFromReader(m.random)
	if err != nil {
		return "", fmt.Errorf("tokens: draw an id: %w", err)
	}
	return id.String(), nil
}

// setAuthentication sets the claims that say how and when the user was authenticated.
// The claims of a session that began with a passkey alone never mention a password. Once
// such a session has lost level full, they still say that a passkey was used, and when,
// but no longer that it makes two factors.
func setAuthentication(c *token.Claims, session storage.Session) {
	withPassword := !session.PasswordAt.IsZero()
	if withPassword {
		c.PasswordTime = session.PasswordAt.Unix()
		c.AuthTime, c.Methods = c.PasswordTime, []string{"pwd"}
	}
	switch {
	case c.Level == token.LevelRecovery:
		// The time of the password is left out: only calls that a recovery token cannot make
		// ask for it.
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

// passkeyMethods returns the methods of a password and a passkey, in the words of RFC
// 8176: proof of possession of a key, held in software unless known otherwise, on a
// device that verified its user; two factors. "phr", phishing-resistant, comes from
// OpenID's EAP ACR values. Only if a trusted maker attested a key that cannot be synced
// are "hwk" and "phrh" (phishing-resistant and hardware-protected) claimed: about any
// other key there is only the device's own word.
func passkeyMethods(hardware bool) []string {
	if hardware {
		return []string{"pwd", "pop", "hwk", "user", "mfa", "phr", "phrh"}
	}
	return []string{"pwd", "pop", "swk", "user", "mfa", "phr"}
}

// recoveryMethods returns the methods of a session at level recovery: a one-time code,
// "otp", and the password unless an operator vouched for the user instead.
func recoveryMethods(by storage.RecoveryProof) []string {
	if by == storage.RecoveredByAdmin {
		return []string{"otp"}
	}
	return []string{"pwd", "otp"}
}
