package stepkey

import (
	"context"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// Admin holds what operators may do: list, disable, unlock and delete any user, make a link
// that leads into an account, export password hashes, import users, and manage the signing keys.
//
// An Admin asks for no proof and checks no session. It has the same power as write access to
// the database, so no request of a user may ever reach one. Use it in a command line, or in
// an application's own pages behind the application's own check of operators. Package httpapi
// does not use it.
//
// It is safe for concurrent use. Every change of an account is recorded in the user's security
// log. Other instances learn of ended sessions within a second.
type Admin struct{ service *Service }

// Admin returns the operations for operators. See [Admin] for where to use it.
func (s *Service) Admin() *Admin { return &Admin{service: s} }

// DisableUser keeps a user from signing in and ends all of the user's sessions. It does nothing
// for a user who is disabled already, and returns ErrNotFound if there is no such user.
func (a *Admin) DisableUser(ctx context.Context, userID uuid.UUID) error {
	s := a.service
	now := s.now()
	return s.inTxEnding(ctx, func(tx storage.Tx) ([]uuid.UUID, error) {
		// The lock keeps a concurrent login from starting a session in between. Sessions end
		// first, because those of a disabled user no longer count as live.
		if _, err := tx.LockUser(ctx, userID); err != nil {
			return nil, err
		}
		ended, err := s.endIn(ctx, tx, storage.EndSessions{UserID: userID, At: now, Reason: storage.EndedByDisabling})
		if err != nil {
			return nil, err
		}
		changed, err := tx.SetDisabled(ctx, userID, &now)
		if err != nil || !changed {
			return ended, err
		}
		return ended, s.record(ctx, tx, Event{Kind: storage.EventUserDisabled, UserID: userID}, now)
	})
}

// EnableUser lets a disabled user sign in again. Sessions that have ended stay ended.
func (a *Admin) EnableUser(ctx context.Context, userID uuid.UUID) error {
	s := a.service
	now := s.now()
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		changed, err := tx.SetDisabled(ctx, userID, nil)
		if err != nil || !changed {
			return err
		}
		return s.record(ctx, tx, Event{Kind: storage.EventUserEnabled, UserID: userID}, now)
	})
}

// UnlockUser resets the count of failed logins at the account, for an owner who is locked out
// because somebody else made storage.MaxAttempts.
func (a *Admin) UnlockUser(ctx context.Context, u User) error {
	s := a.service
	now := s.now()
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		if err := tx.ForgetAttempts(ctx, s.throttle.AccountKey(u.CanonicalName), false); err != nil {
			return err
		}
		return s.record(ctx, tx, Event{Kind: storage.EventUserUnlocked, UserID: u.ID}, now)
	})
}

// AllowPassword re-enables a password that [Service.Freeze] stopped, for a user whom an
// operator has recognised and who can reset it neither by mail nor with a passkey. It reports
// whether the password was stopped. Anybody else who knows the password can sign in with it
// again.
func (a *Admin) AllowPassword(ctx context.Context, userID uuid.UUID) (allowed bool, err error) {
	s := a.service
	now := s.now()
	err = s.store.InTx(ctx, func(tx storage.Tx) error {
		allowed, err = tx.StopPassword(ctx, userID, false)
		if err != nil || !allowed {
			return err
		}
		return s.record(ctx, tx, Event{Kind: storage.EventUserUnlocked, UserID: userID, Reason: "password"}, now)
	})
	return allowed, err
}

// DeleteUser deletes a user's account. It returns ErrNotFound if there is no such user, or the
// account is deleted already.
func (a *Admin) DeleteUser(ctx context.Context, userID uuid.UUID) error {
	s := a.service
	now := s.now()
	return s.inTxEnding(ctx, func(tx storage.Tx) ([]uuid.UUID, error) { return s.deleteIn(ctx, tx, userID, now) })
}

// RemoveUserEmail removes a user's address, for a user whose mailbox somebody else controls.
// It invalidates every link that was sent there, including those in notices. The only mail
// still sent there says that the address was removed, and has no working link. A link of
// MakeRecoveryLink stays valid. It does nothing for a user without an address, and returns
// ErrNotFound for one who does not exist or is deleted.
func (a *Admin) RemoveUserEmail(ctx context.Context, userID uuid.UUID) error {
	s := a.service
	now := s.now()
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		u, err := tx.LockUser(ctx, userID)
		if err != nil {
			return err
		}
		if u.DeletedAt != nil {
			return ErrNotFound
		}
		before, err := tx.SetEmail(ctx, userID, "", now)
		if err != nil {
			return err
		}
		if err := s.voidOldAddress(ctx, tx, userID, now); err != nil {
			return err
		}
		if err := tx.DropLinks(ctx, userID, storage.LinkFreeze); err != nil {
			return err
		}
		if err := tx.DropMail(ctx, userID, mail.Kinds()...); err != nil || before == "" {
			return err
		}
		if err := s.record(ctx, tx, Event{Kind: storage.EventEmailRemoved, UserID: userID, Reason: string(storage.RecoveredByAdmin)}, now); err != nil {
			return err
		}
		if !s.outbox.SendsMail() {
			return nil
		}
		return s.outbox.NotifyAt(ctx, tx, outbox.Notice{Kind: mail.EmailRemovedByAdmin, UserID: userID, At: now}, addresseeAt(u, before))
	})
}
