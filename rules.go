package stepkey

import (
	"context"
	"time"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// Rules of authorization that several use-cases share. A use-case checks its rule before it does
// any work, and again under the lock on the user's row, because the account may have changed in
// the meantime. The rules for an account that rests on its mailbox are in footing.go.

// The age of a proof that still allows a change of passkeys.
const (
	// FirstPasskeyWindow is for the password of an account without passkeys. The password is
	// all that such an account has, so it has to be fresh.
	FirstPasskeyWindow = 10 * time.Minute

	// FullWindow is for a passkey (ASVS 7.5.3).
	FullWindow = 5 * time.Minute
)

// mayChangePasskeys decides whether a session may add or remove passkeys. With the password
// alone, nobody must be able to add a passkey to an account that has one: the password would
// then suffice for level full (NIST SP 800-63B-4 §4.1.2.1).
//
// Both the token and the session have to qualify. The token says what this caller has proved;
// another holder of the session's tokens may have stepped up since.
func mayChangePasskeys(a storage.Account, c Caller, now time.Time) error {
	if a.Session.Level() == token.LevelRecovery {
		return ErrUnauthorized
	}
	if len(a.Passkeys) == 0 {
		if now.Sub(a.Session.PasswordAt) > FirstPasskeyWindow {
			return ErrReauthenticationRequired
		}
		return nil
	}
	return freshlyFull(a, c, now)
}

// enrolment is the reason why a session may add a passkey.
type enrolment int

const (
	byPassword  enrolment = iota // it is the first one
	byPasskey                    // another one was verified
	byRecovery                   // the session is at level recovery
	byAllowance                  // see Realm.Allow
)

// mayAddPasskey decides whether a session may add a passkey, and for which reason: by the rule of
// mayChangePasskeys, at level recovery, or by an allowance of the application's support.
func mayAddPasskey(a storage.Account, c Caller, now time.Time) (enrolment, error) {
	reason, err := enrolmentOf(a, c, now)
	if err == nil && len(a.Passkeys) >= MaxPasskeys {
		return 0, ErrTooManyPasskeys
	}
	return reason, err
}

func enrolmentOf(a storage.Account, c Caller, now time.Time) (enrolment, error) {
	err := mayChangePasskeys(a, c, now)
	if err == nil && len(a.Passkeys) == 0 {
		return byPassword, nil
	}
	if err == nil {
		return byPasskey, nil
	}
	if a.Session.Level() == token.LevelRecovery && (c.external() || c.claims.Level == token.LevelRecovery) {
		return byRecovery, nil
	}
	if a.User.AllowUntil != nil && now.Before(*a.User.AllowUntil) && a.Session.Level() != token.LevelRecovery && mayRecover(a, now) == nil {
		return byAllowance, nil
	}
	return 0, err
}

// freshlyFull requires a passkey verification not older than FullWindow, in the token and in
// the session.
func freshlyFull(a storage.Account, c Caller, now time.Time) error {
	tokenAge, full := c.claims.PasskeyAge(now)
	inToken := c.external() || full && tokenAge <= FullWindow
	if !inToken || !fullWithin(a.Session, FullWindow, now) {
		return &StepUpRequiredError{MaxAge: FullWindow}
	}
	return nil
}

// fullWithin reports whether a passkey was verified in a session at most age before now. A proof
// dated in the future does not count: after a clock was set back, it would remain fresh for too
// long.
func fullWithin(s Session, age time.Duration, now time.Time) bool {
	if s.Level() != token.LevelFull {
		return false
	}
	since := now.Sub(*s.FullAt)
	return since <= age && since >= -token.Leeway
}

// mayChangePassword requires the strongest proof that the account has.
func mayChangePassword(a storage.Account, c Caller, change ChangePasswordRequest, now time.Time) error {
	if len(a.Passkeys) > 0 {
		return freshlyFull(a, c, now)
	}
	if change.Current == nil {
		return ErrInvalidRequest
	}
	return nil
}

// mayRecover requires a fresh password, like mayChangePasskeys for the first passkey: an
// unattended session does not prove the password.
func mayRecover(a storage.Account, now time.Time) error {
	if now.Sub(a.Session.PasswordAt) > FirstPasskeyWindow {
		return ErrReauthenticationRequired
	}
	return nil
}

// asOwner is the rule for calls that can harm or expose the owner of an account but do not
// change how to get in: ending other sessions, exporting personal data, cancelling a recovery.
// On an account with a passkey that works, the password alone is not enough for them: they take
// a passkey verification not older than FullWindow (StepUpRequiredError). Otherwise the
// password is all that the account has, and a session is enough. docs/passkeys.md lists the
// rule of every route.
func asOwner(a storage.Account, c Caller, now time.Time) error {
	if len(usable(a.Passkeys, now)) == 0 {
		return nil
	}
	return freshlyFull(a, c, now)
}

// owner returns the caller's account if the rule of asOwner allows the call.
func (s *Service) owner(ctx context.Context, c Caller) (storage.Account, error) {
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return storage.Account{}, err
	}
	return a, asOwner(a, c, now)
}
