package stepkey

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/internal/tokens"
	"github.com/stepkey/stepkey/storage"
)

// LogInRequest is an attempt to sign in with a password. Refresh and Client apply to the
// session that it starts.
type LogInRequest struct {
	Username, Password string
	Refresh            RefreshMode
	Client             Client

	// Devices are the client's device tokens, of any users. Only the first
	// MaxDevices are read.
	Devices []string

	// Replaces is the refresh token in the cookie that the new session's token will replace, or
	// empty. With RefreshCookie, the sign-in ends its session.
	Replaces string
}

// LogIn verifies a password and starts a session at level password. With
// Refresh, the Grant has a refresh token.
//
// An unknown user, a wrong password, a disabled user and a stopped password (Freeze) all return
// ErrInvalidCredentials, after the same work. A password over the maximum length returns
// ErrPasswordTooLong for any user. After too many failures LogIn returns a RateLimitedError, for
// unknown names too.
//
// A hash of an old kind is replaced after a success; if that fails, the login
// still succeeds.
func (s *Service) LogIn(ctx context.Context, try LogInRequest) (Grant, error) {
	if !try.Refresh.Known() {
		return Grant{}, ErrInvalidRequest
	}
	if len(try.Password) > password.MaxBytes {
		return Grant{}, ErrPasswordTooLong
	}
	// A login that would not get a turn at the hash gate is refused here, before it costs a
	// query. That also bounds how many logins query the database at once.
	attempt, err := s.throttle.EnterLogIn(try.canonicalName(), s.presentedDevice(try.Devices), try.Client)
	if err != nil {
		return Grant{}, err
	}
	defer attempt.Leave()
	began := time.Now()
	u, known, err := s.userForLogIn(ctx, try.Username)
	if err != nil {
		return Grant{}, err
	}
	now := s.now()
	account := throttle.Account{Exists: known && u.DeletedAt == nil}
	d, onDevice := s.devices.Known(try.Devices, u, now)
	if known && onDevice {
		account.Device = throttled(d)
	}
	if err := attempt.Charge(ctx, account, now); err != nil {
		return Grant{}, err
	}
	result, err := s.passwords.Compare(ctx, attempt.Place(), u, try.Password)
	if err != nil {
		attempt.NotMade(ctx)
		return Grant{}, err
	}
	// A stopped password is refused like a wrong one, after the same work, so that a thief
	// does not learn that it was right.
	if !known || !result.Matches || !u.Active() || u.PasswordStopped {
		attempt.Failed(ctx)
		s.passwords.DelayFailure(ctx, u.PasswordHash, began)
		return Grant{}, ErrInvalidCredentials
	}
	attempt.Succeeded(ctx)
	s.passwords.Replace(ctx, u, result)
	var before *[tokens.DeviceNonceBytes]byte
	if attempt.OnKnownDevice() {
		before = &d.Nonce
	}
	return s.startSession(ctx, u, try, attempt, before)
}

// canonicalName returns the name under which attempts at the account are counted. An invalid
// name is counted as typed.
func (try LogInRequest) canonicalName() string {
	canonical, err := CanonicalUsername(try.Username)
	if err != nil {
		return try.Username
	}
	return canonical
}

// userForLogIn returns the user with that name. If there is none, it returns a
// user whose hash takes as long to compare as a current one and matches nothing,
// so that neither the answer nor its timing reveals which names exist (ASVS
// 6.3.8).
func (s *Service) userForLogIn(ctx context.Context, username string) (u User, known bool, err error) {
	canonical, err := CanonicalUsername(username)
	if err != nil {
		return User{PasswordHash: s.passwords.Decoy()}, false, nil
	}
	u, err = s.store.UserByName(ctx, canonical)
	if errors.Is(err, ErrNotFound) {
		return User{CanonicalName: canonical, PasswordHash: s.passwords.Decoy()}, false, nil
	}
	return u, err == nil, err
}

func (s *Service) startSession(ctx context.Context, u User, try LogInRequest, attempt *throttle.Attempt, before *[tokens.DeviceNonceBytes]byte) (Grant, error) {
	now := s.now()
	session, err := s.newSession(u, try.Refresh, try.Client, now)
	if err != nil {
		return Grant{}, err
	}
	g, err := s.grant(u, session, false, now)
	if err != nil {
		return Grant{}, err
	}
	if g.DeviceToken, g.DeviceUntil, err = s.devices.Issue(u, before, now); err != nil {
		return Grant{}, err
	}
	replaced, err := s.replacedBy(ctx, try.Refresh, try.Replaces)
	if err != nil {
		return Grant{}, err
	}
	err = s.inTxEnding(WithAccount(ctx, u.ID), func(tx storage.Tx) ([]uuid.UUID, error) {
		locked, err := stillSignsIn(ctx, tx, u)
		if err != nil {
			return nil, err
		}
		if locked.PasswordStopped {
			return nil, ErrInvalidCredentials
		}
		if err := attempt.Forget(ctx, tx); err != nil {
			return nil, err
		}
		if err := s.dropReset(ctx, tx, u, try.Devices); err != nil {
			return nil, err
		}
		return s.beginSession(ctx, tx, session, uuid.Nil, replaced, now)
	})
	if err != nil {
		return Grant{}, err
	}
	return g, nil
}

// dropReset invalidates the link for a new password if the device that requested it signs
// in: the owner has remembered the old password. A sign-in on another device leaves the link
// valid, because it may be a thief's, who could otherwise keep signing in to stop the owner
// from ever setting another password. A link that no known device requested becomes invalid
// when it was used, after LinkLifetime, and when the password changes.
//
// OWASP ASVS 6.4.3 requires that a reset does not bypass multi-factor authentication. That
// does not depend on this: a reset sets a password and does not sign in.
func (s *Service) dropReset(ctx context.Context, tx storage.Tx, u User, devices []string) error {
	if !s.outbox.SendsMail() {
		return nil
	}
	digest, known := s.devices.Digests(devices)[u.ID.String()]
	if !known {
		return nil
	}
	return tx.DropLinkAskedBy(ctx, u.ID, storage.LinkResetPassword, digest)
}
