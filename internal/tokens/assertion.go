package tokens

import (
	"time"
	"unicode/utf8"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// Assertion makes the assertion that tells the application at origin who sends a request, and
// what the session of u has reached. A gate sends it along as X-Stepkey-Assertion. It returns
// [token.ErrSymmetricKey] if the service signs with a shared secret.
//
// Signing takes about as long as a sign-in takes to be refused, so a gate keeps an assertion for
// as long as it keeps what it has read of the session, a minute at most, and no longer than the
// session has the level.
func (m *Mint) Assertion(u storage.User, session storage.Session, origin string, now time.Time) (string, error) {
	c := token.Claims{Level: session.Level()}
	setAuthentication(&c, session)
	return m.signer.SignAssertion(token.AssertionClaims{
		Issuer: m.issuer, Audience: origin, Subject: u.ID.String(), Username: cut(u.Username, token.MaxAssertionName),
		Groups: u.Attributes.Groups.Names(), OwnClaims: u.Attributes.Claims.Only(m.ownClaims),
		ACR: c.Level, Methods: c.Methods, AuthTime: c.AuthTime, PasskeyTime: c.PasskeyTime,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(token.AssertionLifetime).Unix(),
	})
}

// cut returns the longest start of text that has at most limit bytes and ends between two
// characters.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
