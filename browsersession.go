package stepkey

import (
	"context"
	"errors"
	"time"

	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// BrowserCodeLifetime is how long the code of a browser session works. A redirect takes seconds at
// most, and a code stands in a URL.
const BrowserCodeLifetime = 30 * time.Second

// BrowserSession is what an application behind the gate may rely on for a request.
type BrowserSession struct {
	// Claims are those of an access token that the session could have got now. There is no such
	// token: ID is empty.
	Claims token.Claims

	// Address is the confirmed e-mail address of the user, empty for none.
	Address string

	// Assertion is a signed statement of the same for the application; see [Service.Assertion]. It is
	// empty if the service signs with a shared secret.
	Assertion string
}

// IssueBrowserCode returns a code by which the browser of c can continue its session at origin, an
// application behind the gate. The code works once, within BrowserCodeLifetime, and only together with
// the secret whose digest is nonce. The caller must have checked that origin is an application of
// the gate. A session at level recovery gets no code (ErrUnauthorized): it may only add a passkey.
func (s *Service) IssueBrowserCode(ctx context.Context, c Caller, origin string, nonce storage.BrowserDigest) (code string, err error) {
	now := s.now()
	if err := s.check(c, now); err != nil {
		return "", err
	}
	if c.claims.Level == token.LevelRecovery {
		return "", ErrUnauthorized
	}
	if err := s.throttle.Charge(ctx, throttle.BrowserCodes, c.sessionID, now); err != nil {
		return "", err
	}
	if code, err = s.browsers.NewCode(); err != nil {
		return "", err
	}
	err = s.store.PutBrowserCode(ctx, storage.BrowserCode{
		Digest: storage.DigestBrowser(code), Nonce: nonce, SessionID: c.sessionID, Origin: origin, ExpiresAt: now.Add(BrowserCodeLifetime),
	}, now)
	return code, unauthorizedIfMissing(err)
}

// StartBrowserSession exchanges a code and the secret behind its nonce for a cookie. It returns
// ErrUnauthorized if the code was used, has expired, or was issued for another origin or nonce.
func (s *Service) StartBrowserSession(ctx context.Context, code, secret, origin string) (cookie string, err error) {
	if !s.browsers.GenuineCode(code) {
		return "", ErrUnauthorized
	}
	if cookie, err = s.browsers.NewCookie(); err != nil {
		return "", err
	}
	err = s.store.StartBrowserSession(ctx, storage.BrowserStart{
		Code: storage.DigestBrowser(code), Nonce: storage.DigestBrowser(secret), Cookie: storage.DigestBrowser(cookie),
		Origin: origin, At: s.now(),
	})
	return cookie, unauthorizedIfMissing(err)
}

// BrowserSession returns the browser session of a cookie at origin, by the rules of [Service.Refresh]
// for lifetimes and levels, and counts as activity. It returns ErrUnauthorized if the cookie
// stands for no live session. It reads the store; callers may rely on the answer for a minute if
// they ask for ended sessions on each request.
func (s *Service) BrowserSession(ctx context.Context, cookie, origin string) (BrowserSession, error) {
	now := s.now()
	b, err := s.visit(ctx, cookie, origin, now)
	if err != nil {
		return BrowserSession{}, err
	}
	user := User{ID: b.Session.UserID, Username: b.Username, Attributes: b.Attributes}
	assertion, err := s.Assertion(user, b.Session, origin)
	if err != nil && !errors.Is(err, token.ErrSymmetricKey) {
		return BrowserSession{}, err
	}
	claims := s.mint.Claims(user, b.Session, now.Add(token.Lifetime), now)
	return BrowserSession{Claims: claims, Address: b.Address, Assertion: assertion}, nil
}

// EndBrowserSession ends the session behind a cookie, with all that rests on it: the tokens, and the
// browser sessions of other applications. It does nothing if there is none.
func (s *Service) EndBrowserSession(ctx context.Context, cookie, origin string) error {
	b, err := s.visit(ctx, cookie, origin, s.now())
	if errors.Is(err, ErrUnauthorized) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.end(ctx, storage.EndSessions{UserID: b.Session.UserID, Only: b.Session.ID, Reason: storage.EndedByLogout})
	return err
}

func (s *Service) visit(ctx context.Context, cookie, origin string, now time.Time) (storage.BrowserSession, error) {
	if !s.browsers.GenuineCookie(cookie) {
		return storage.BrowserSession{}, ErrUnauthorized
	}
	b, err := s.store.VisitBrowserSession(ctx, storage.BrowserVisit{
		Cookie: storage.DigestBrowser(cookie), Origin: origin, At: now,
		IdleSince:     now.Add(-SessionIdle),
		NoStepUpSince: now.Add(-NoStepUpLifetime),
		FullSince:     now.Add(-FullLifetime),
		FullIdleSince: now.Add(-FullIdle),
	})
	return b, unauthorizedIfMissing(err)
}
