package stepkey

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// Disowned is what was done about an event that the owner does not recognise.
type Disowned struct {
	SessionsEnded   int  // without the caller's
	PasskeyDeleted  bool // the passkey of the event
	PasswordStopped bool // until the owner sets another one

	// NewPassword reports whether the owner should set a new password now, because somebody else
	// may know the present one. If not, nothing was lost.
	NewPassword bool
}

// Disown does what "This was not me" asks for, about an event of the caller's security log: what
// [Service.Freeze] does, except that the caller's session continues, and it deletes the passkey of the
// event if somebody signed in, verified or was added with it. A passkey that the caller's session was
// verified with stays, since the caller holds it. About a failed attempt, or something that an operator
// or the service did, it does nothing: nothing was lost. About a requested reset of the password it only
// withdraws the link.
//
// On an account with a working passkey it requires a passkey verified within FullWindow
// (StepUpRequiredError). On any other account a session is enough, and it does no more than such a
// session may do anyway: it ends the other sessions. To stop the password or to withdraw a link there
// would let somebody who knows the password shut the owner out. An event that is not in the log is
// ErrNotFound.
func (s *Service) Disown(ctx context.Context, c Caller, eventID uuid.UUID, from Client) (Disowned, error) {
	now := s.now()
	a, err := s.owner(ctx, c)
	if err != nil {
		return Disowned{}, err
	}
	e, err := s.store.EventByID(ctx, a.User.ID, eventID)
	if err != nil {
		return Disowned{}, err
	}
	if e.Kind == storage.EventResetRequested {
		return Disowned{}, s.withdrawReset(ctx, c, now)
	}
	if harmless(e) {
		return Disowned{}, nil
	}
	tell := s.outbox.SendsMail() && s.mayNotify(ctx, a.User.ID, mail.AccountFrozen, now)
	done := Disowned{NewPassword: true}
	err = s.inTxEnding(ctx, func(tx storage.Tx) ([]uuid.UUID, error) {
		locked, err := tx.LockAccount(ctx, c.userID, c.sessionID, now)
		if err != nil {
			return nil, unauthorizedIfMissing(err)
		}
		if err := asOwner(locked, c, now); err != nil {
			return nil, err
		}
		if len(usable(locked.Passkeys, now)) == 0 {
			ended, err := s.endIn(ctx, tx, storage.EndSessions{
				UserID: c.userID, Except: c.sessionID, At: now, Reason: storage.EndedByOwner,
			})
			done.SessionsEnded = len(ended)
			return ended, err
		}
		ended, err := s.disownIn(ctx, tx, locked, e, &done, now)
		if err != nil || !tell {
			return ended, err
		}
		return ended, s.outbox.Notify(ctx, tx, outbox.Notice{Kind: mail.AccountFrozen, UserID: c.userID, At: now, Client: from})
	})
	if err != nil {
		return Disowned{}, err
	}
	return done, nil
}

// disownIn freezes the account, and deletes the passkey of e if it is a stranger's.
func (s *Service) disownIn(
	ctx context.Context, tx storage.Tx, a storage.Account, e Event, done *Disowned, now time.Time,
) ([]uuid.UUID, error) {
	frozen := Event{Kind: storage.EventAccountFrozen, UserID: a.User.ID, SessionID: a.Session.ID}
	ended, err := s.freezeIn(ctx, tx, frozen, now)
	if err != nil {
		return nil, err
	}
	done.SessionsEnded, done.PasswordStopped = len(ended), true
	i := slices.IndexFunc(a.Passkeys, func(p Passkey) bool { return p.ID == e.PasskeyID })
	if i < 0 || !usedPasskey(e.Kind) || *a.Session.FullPasskeyID == e.PasskeyID {
		return ended, nil
	}
	done.PasskeyDeleted = true
	if a.Passkeys[i].Waits(now) {
		return ended, nil // freezeIn has deleted it
	}
	more, _, err := s.deletePasskeyIn(ctx, tx, a, a.Passkeys[i], now)
	return append(ended, more...), err
}

// withdrawReset withdraws the link for a new password. Where no passkey works, the link may be the
// owner's only way back, and stays.
func (s *Service) withdrawReset(ctx context.Context, c Caller, now time.Time) error {
	return s.store.InTx(ctx, func(tx storage.Tx) error {
		a, err := tx.LockAccount(ctx, c.userID, c.sessionID, now)
		if err != nil {
			return unauthorizedIfMissing(err)
		}
		if err := asOwner(a, c, now); err != nil || len(usable(a.Passkeys, now)) == 0 {
			return err
		}
		return tx.DropLinks(ctx, c.userID, storage.LinkResetPassword)
	})
}

// harmless reports whether nobody got in with e. A failed attempt within a session is not harmless:
// that session was somebody's.
func harmless(e Event) bool {
	switch e.Kind {
	case storage.EventPasswordRefused, storage.EventRecoveryCodeRefused, storage.EventPasskeyRefused:
		return e.SessionID == uuid.Nil
	case storage.EventSignedUp, storage.EventUserImported, storage.EventUserDisabled, storage.EventUserEnabled,
		storage.EventUserUnlocked, storage.EventMailUndelivered, storage.EventAccountFrozen:
		return true
	default:
		return false
	}
}

// usedPasskey reports whether an event of that kind had the passkey in the hands of its author.
func usedPasskey(kind EventKind) bool {
	switch kind {
	case storage.EventPasskeyAdded, storage.EventSignedIn, storage.EventSteppedUp, storage.EventActionConfirmed,
		storage.EventCounterRegression:
		return true
	default:
		return false
	}
}
