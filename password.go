package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/storage"
)

// ChangePasswordRequest is a signed-in user's request for a new password.
type ChangePasswordRequest struct {
	// Current is the current password. It may be nil if a passkey was verified in
	// this session not longer than FullWindow ago: that is the stronger proof, and
	// helps users who have forgotten the password.
	Current *string

	New string

	// Client describes where the request comes from.
	Client Client
}

// ChangePassword replaces the user's password and ends every other session. This
// session continues with the returned tokens; its earlier refresh token no longer
// works. All known devices become unknown, except the one whose token is in the
// request.
//
// A user with passkeys needs a fresh passkey verification (StepUpRequiredError): an open
// session or the password alone must not suffice to take the account over (NIST SP
// 800-63B-4 §4.2). A wrong current password is ErrWrongPassword; after ten of them, or ten
// changes in an hour, the user has to wait (RateLimitedError). Calls are rate limited too,
// and at most two calls of one user run at once.
func (s *Service) ChangePassword(ctx context.Context, c Caller, change ChangePasswordRequest) (Grant, error) {
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return Grant{}, err
	}
	if err := mayChangePassword(a, c, change, now); err != nil {
		return Grant{}, err
	}
	if err := s.passwords.CheckNew(change.New, a.User.CanonicalName); err != nil {
		return Grant{}, err
	}
	if err := s.throttle.Charge(ctx, throttle.PasswordChanges, a.User.ID, now); err != nil {
		return Grant{}, err
	}
	place, err := s.enterPasswordChange(ctx, a, change, now)
	if err != nil {
		return Grant{}, err
	}
	defer place.Leave()
	if change.Current != nil {
		a.Session.PasswordAt = now
	}
	if err := s.throttle.ChargeChange(ctx, a, throttle.ChangePassword, now); err != nil {
		return Grant{}, err
	}
	hash, err := s.passwords.HashNew(ctx, place, change.New)
	if err != nil {
		return Grant{}, err
	}
	return s.setPassword(ctx, c, a, change, hash, now)
}

// enterPasswordChange checks the current password, if there is one, and takes a place at the
// hash gate for the new one. It keeps the user's share between the two hashes: otherwise
// parallel changes could take it from each other, and none would succeed.
func (s *Service) enterPasswordChange(
	ctx context.Context, a storage.Account, change ChangePasswordRequest, now time.Time,
) (*password.Place, error) {
	if change.Current == nil {
		return s.throttle.EnterPasswordChange(a.User.ID, change.Client)
	}
	if len(*change.Current) > password.MaxBytes {
		return nil, ErrPasswordTooLong
	}
	attempt, err := s.throttle.BeginCurrentPassword(ctx, a.Session, change.Client, now, now.Add(SessionLifetime))
	if err != nil {
		return nil, err
	}
	err = s.checkCurrentPassword(ctx, a, attempt, change, now)
	if err == nil {
		err = attempt.Place().Return()
	}
	if err != nil {
		attempt.Leave()
		return nil, err
	}
	return attempt.Place(), nil
}

// checkCurrentPassword compares the current password of a signed-in user.
func (s *Service) checkCurrentPassword(
	ctx context.Context, a storage.Account, attempt *throttle.Attempt, change ChangePasswordRequest, now time.Time,
) error {
	result, err := s.passwords.Compare(ctx, attempt.Place(), a.User, *change.Current)
	if err != nil {
		attempt.NotMade(ctx)
		return err
	}
	if !result.Matches {
		s.countRefused(ctx, Event{
			Kind: storage.EventPasswordRefused, UserID: a.User.ID, SessionID: a.Session.ID,
			Device: change.Client.Device, Network: change.Client.Network,
		}, attempt.LocksOut(), now)
		return ErrWrongPassword
	}
	return nil
}

// setPassword locks the user's row, checks again that the change is allowed, and
// stores the new hash.
func (s *Service) setPassword(
	ctx context.Context, c Caller, a storage.Account, change ChangePasswordRequest, hash string, now time.Time,
) (Grant, error) {
	session := a.Session
	err := s.inTxEnding(ctx, func(tx storage.Tx) ([]uuid.UUID, error) {
		locked, err := tx.LockAccount(ctx, a.User.ID, session.ID, now)
		if err != nil {
			return nil, unauthorizedIfMissing(err)
		}
		if err := mayChangePassword(locked, c, change, now); err != nil {
			return nil, err
		}
		// If a passkey was just verified, the new password is trusted. Otherwise it is
		// trusted only if the previous one was.
		byMailAt := locked.User.PasswordByMailAt
		if len(locked.Passkeys) > 0 {
			byMailAt = nil
		}
		// End the other sessions first: after the password is replaced, they no
		// longer count as live.
		ended, err := s.endIn(ctx, tx, storage.EndSessions{
			UserID: a.User.ID, Except: session.ID, At: now, Reason: storage.EndedByPassword,
		})
		if err != nil {
			return nil, err
		}
		set, err := tx.SetPassword(ctx, a.User.ID, a.User.PasswordVersion, hash, byMailAt)
		if err != nil {
			return nil, err
		}
		if !set {
			return nil, ErrUnauthorized // the verified password was replaced meanwhile
		}
		if _, err := s.stopRecovery(ctx, tx, a.User.ID, now); err != nil {
			return nil, err
		}
		if len(locked.Passkeys) > 0 {
			// An owner with a passkey does not need an operator's link.
			if err := tx.DropLinks(ctx, a.User.ID, storage.LinkRecover); err != nil {
				return nil, err
			}
		}
		session.PasswordVersion = a.User.PasswordVersion + 1
		if session.Generation, err = tx.AdoptPassword(ctx, session, now); err != nil {
			return nil, unauthorizedIfMissing(err)
		}
		if err := tx.ForgetAttempts(ctx, s.throttle.SessionKey(session.ID), false); err != nil {
			return nil, err
		}
		e := Event{Kind: storage.EventPasswordChanged, UserID: a.User.ID, SessionID: session.ID}
		if err := s.record(ctx, tx, e, now); err != nil {
			return nil, err
		}
		n := outbox.Notice{Kind: mail.PasswordChanged, UserID: a.User.ID, At: now, Client: session.Client}
		return ended, s.outbox.Notify(ctx, tx, n)
	})
	if err != nil {
		return Grant{}, err
	}
	a.User.PasswordVersion = session.PasswordVersion
	g, err := s.grant(a.User, session, len(a.Passkeys) > 0, now)
	if err != nil {
		return Grant{}, err
	}
	g.DeviceToken, g.DeviceUntil, err = s.devices.Issue(a.User, nil, now)
	return g, err
}
