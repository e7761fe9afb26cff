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
// With Config.RequireConfirmedAddress, the right password of a user who has not confirmed an address yet
// returns ErrAddressUnconfirmed.
//
// A hash of an old kind is replaced after a success; if that fails, the login
// still succeeds.
func (s *Service) LogIn(ctx context.Context, try LogInRequest) (Grant, error) {
	if !try.Refresh.Known() {
		return Grant{}, ErrInvalidRequest
	}
	tried, err := s.tryPassword(ctx, try)
	if err != nil {
		return Grant{}, err
	}
	defer tried.attempt.Leave()
	var before *[tokens.DeviceNonceBytes]byte
	if tried.attempt.OnKnownDevice() {
		before = &tried.device.Nonce
	}
	return s.startSession(ctx, tried.user, try, tried.attempt, before)
}

// triedPassword is a right password. The attempt is to be left.
type triedPassword struct {
	user    User
	attempt *throttle.Attempt
	device  tokens.Device // if the attempt is on a known device
}

// tryPassword verifies a password as LogIn describes. If there is an error, the attempt is left already.
func (s *Service) tryPassword(ctx context.Context, try LogInRequest) (tried triedPassword, err error) {
	if len(try.Password) > password.MaxBytes {
		return tried, ErrPasswordTooLong
	}
	// A login that would not get a turn at the hash gate is refused here, before it costs a
	// query. That also bounds how many logins query the database at once.
	name := s.signInName(try.Username)
	attempt, err := s.throttle.EnterLogIn(name.counted, s.presentedDevice(try.Devices), try.Client)
	if err != nil {
		return tried, err
	}
	defer func() {
		if err != nil {
			attempt.Leave()
		}
	}()
	began := time.Now()
	u, known, err := s.userForLogIn(ctx, name)
	if err != nil {
		return tried, err
	}
	now := s.now()
	account := throttle.Account{Exists: known && u.DeletedAt == nil, Name: u.CanonicalName}
	d, onDevice := s.devices.Known(try.Devices, u, now)
	if known && onDevice {
		account.Device = throttled(d)
	}
	if s.awaitsAddress(u) {
		account.Exists = false // the count is deleted after a month, as the user may be after a week
	}
	if err := attempt.Charge(ctx, account, now); err != nil {
		return tried, err
	}
	result, err := s.passwords.Compare(ctx, attempt.Place(), u, try.Password)
	if err != nil {
		attempt.NotMade(ctx)
		return tried, err
	}
	// A stopped password is refused like a wrong one, after the same work, so that a thief
	// does not learn that it was right.
	if !known || !result.Matches || !u.Active() || u.PasswordStopped {
		attempt.Failed(ctx)
		if account.Exists {
			s.countRefused(ctx, Event{
				Kind: storage.EventPasswordRefused, UserID: u.ID, Device: try.Client.Device, Network: try.Client.Network,
			}, attempt.LocksOut(), now)
		}
		s.passwords.DelayFailure(ctx, u.PasswordHash, began)
		return tried, ErrInvalidCredentials
	}
	attempt.Succeeded(ctx)
	s.passwords.Replace(ctx, u, result)
	return triedPassword{u, attempt, d}, nil
}

// userForLogIn returns the user with that name or address. If there is none, it returns a
// user whose hash takes as long to compare as a current one and matches nothing,
// so that neither the answer nor its timing reveals which names exist (ASVS
// 6.3.8).
func (s *Service) userForLogIn(ctx context.Context, name signInName) (u User, known bool, err error) {
	switch {
	case name.address != "":
		u, err = s.store.UserByNameOrAddress(ctx, name.canonical, name.address)
	case name.canonical != "":
		u, err = s.store.UserByName(ctx, name.canonical)
	default:
		err = ErrNotFound
	}
	if errors.Is(err, ErrNotFound) {
		return User{CanonicalName: name.canonical, PasswordHash: s.passwords.Decoy()}, false, nil
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
	unconfirmed := false
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
		// After the count was reset: the password was right.
		if unconfirmed = s.awaitsAddress(locked); unconfirmed {
			return nil, nil
		}
		if err := s.dropReset(ctx, tx, u, try.Devices); err != nil {
			return nil, err
		}
		if err := s.learnLanguage(ctx, tx, locked, try.Client, false); err != nil {
			return nil, err
		}
		return s.beginSession(ctx, tx, session, Passkey{}, replaced, now)
	})
	if err != nil {
		return Grant{}, err
	}
	if unconfirmed {
		return Grant{}, ErrAddressUnconfirmed
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
