package stepkey

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// PasskeyList is what a user has, and what the user's browser is told about it.
type PasskeyList struct {
	Passkeys []Passkey // oldest first
	Names    SignalNames
}

// SignalNames are by what passkey providers know the account (WebAuthn Level 3 §5.1.10,
// the Signal API). They are zero below level full: who knows only the password must not
// be able to have a provider drop passkeys (§14.6.3).
type SignalNames struct {
	RPID       string
	UserHandle []byte
	Username   string
}

// Passkeys lists the user's passkeys.
func (s *Service) Passkeys(ctx context.Context, c Caller) (PasskeyList, error) {
	a, err := s.account(ctx, c, s.now())
	if err != nil {
		return PasskeyList{}, err
	}
	list := PasskeyList{Passkeys: a.Passkeys}
	if c.claims.Level == token.LevelFull && a.Session.Level() == token.LevelFull {
		list.Names = s.signalNames(a.User)
	}
	return list, nil
}

func (s *Service) signalNames(u User) SignalNames {
	return SignalNames{RPID: s.origins.RPID, UserHandle: u.Handle, Username: u.Username}
}

// RenamePasskey gives one of the user's own passkeys another name, by the rule for new
// ones; an empty one is ErrInvalidRequest. Any other passkey is ErrNotFound. It takes a
// passkey verification not older than FullWindow (StepUpRequiredError), as a deletion
// does: names are how an owner recognises a passkey that somebody else added, and who
// could change them could hide it.
func (s *Service) RenamePasskey(
	ctx context.Context, c Caller, passkeyID uuid.UUID, newName string,
) (Passkey, SignalNames, error) {
	name, err := passkeyName(newName)
	if err != nil || name == "" {
		return Passkey{}, SignalNames{}, ErrInvalidRequest
	}
	now := s.now()
	if err := s.check(c, now); err != nil {
		return Passkey{}, SignalNames{}, err
	}
	if err := s.throttle.Charge(ctx, throttle.Renames, c.sessionID, now); err != nil {
		return Passkey{}, SignalNames{}, err
	}
	var renamed Passkey
	var names SignalNames
	err = s.store.InTx(ctx, func(tx storage.Tx) error {
		a, i, err := s.lockOwn(ctx, tx, c, passkeyID, now)
		if err != nil {
			return err
		}
		renamed, names = a.Passkeys[i], s.signalNames(a.User)
		renamed.Name = name
		if err := tx.RenamePasskey(ctx, c.userID, passkeyID, name); err != nil {
			return err
		}
		return s.record(ctx, tx, Event{
			Kind: storage.EventPasskeyRenamed, UserID: c.userID, SessionID: c.sessionID, PasskeyID: passkeyID,
		}, now)
	})
	return renamed, names, err
}

// DeletePasskey deletes one of the user's own passkeys and returns those that are left.
// Any other passkey is ErrNotFound. After sixty changes of passkeys in an hour there is a
// RateLimitedError. It takes a passkey verification not older than
// FullWindow (StepUpRequiredError), and the last passkey besides lastToo
// (ErrLastPasskey): after that the password alone opens all that the account has.
//
// Sessions that rest on it end, for whoever holds the passkey may hold them; see
// [EndSessions]. This one is the owner's and goes on at level password. Its tokens that say
// full are refused where level full is needed: at once by this instance, within a second by the
// others, and by those who check tokens offline when they expire.
func (s *Service) DeletePasskey(
	ctx context.Context, c Caller, passkeyID uuid.UUID, lastToo bool,
) (PasskeyList, error) {
	now := s.now()
	looked, err := s.account(ctx, c, now)
	if err != nil {
		return PasskeyList{}, err
	}
	if _, err := findOwn(looked, c, passkeyID, now); err != nil {
		return PasskeyList{}, err
	}
	if err := s.throttle.ChargeChange(ctx, looked, throttle.ChangePasskeys, now); err != nil {
		return PasskeyList{}, err
	}
	var left PasskeyList
	var lowered []uuid.UUID
	err = s.inTxEnding(ctx, func(tx storage.Tx) (ended []uuid.UUID, err error) {
		a, i, err := s.lockOwn(ctx, tx, c, passkeyID, now)
		if err != nil {
			return nil, err
		}
		if len(a.Passkeys) == 1 && !lastToo {
			return nil, ErrLastPasskey
		}
		left = PasskeyList{Passkeys: slices.Delete(slices.Clone(a.Passkeys), i, i+1), Names: s.signalNames(a.User)}
		ended, lowered, err = s.deletePasskeyIn(ctx, tx, a, passkeyID, now)
		return ended, err
	})
	if err != nil {
		return PasskeyList{}, err
	}
	if s.lowered != nil {
		s.lowered.Add(lowered, now)
	}
	return left, nil
}

func (s *Service) deletePasskeyIn(
	ctx context.Context, tx storage.Tx, a storage.Account, passkeyID uuid.UUID, now time.Time,
) (ended, lowered []uuid.UUID, err error) {
	if err := tx.DeletePasskey(ctx, a.User.ID, passkeyID); err != nil {
		return nil, nil, err
	}
	// Sessions of an application are its own: they lose their proof below and go on.
	if a.User.Realm == "" {
		ended, err = s.endIn(ctx, tx, storage.EndSessions{
			UserID: a.User.ID, Passkey: passkeyID, Except: a.Session.ID, At: now, Reason: storage.EndedByPasskey,
		})
		if err != nil {
			return nil, nil, err
		}
	}
	if lowered, err = tx.LowerSessions(ctx, a.User.ID, passkeyID, now); err != nil {
		return nil, nil, err
	}
	if err := s.outbox.Notify(ctx, tx, outbox.NoticeOf(mail.PasskeyRemoved, a.Session, now)); err != nil {
		return nil, nil, err
	}
	return ended, lowered, s.record(ctx, tx, Event{
		Kind: storage.EventPasskeyRemoved, UserID: a.User.ID, SessionID: a.Session.ID, PasskeyID: passkeyID,
	}, now)
}

// lockOwn returns the account under its lock, and where in it the passkey is.
func (s *Service) lockOwn(
	ctx context.Context, tx storage.Tx, c Caller, passkeyID uuid.UUID, now time.Time,
) (storage.Account, int, error) {
	a, err := tx.LockAccount(ctx, c.userID, c.sessionID, now)
	if err != nil {
		return storage.Account{}, 0, unauthorizedIfMissing(err)
	}
	i, err := findOwn(a, c, passkeyID, now)
	return a, i, err
}

// findOwn returns where in the account the passkey is, for somebody who may change it.
// Level before ownership: who may change nothing learns nothing of which ids there are.
func findOwn(a storage.Account, c Caller, passkeyID uuid.UUID, now time.Time) (int, error) {
	if err := freshlyFull(a, c, now); err != nil {
		return 0, err
	}
	i := slices.IndexFunc(a.Passkeys, func(p Passkey) bool { return p.ID == passkeyID })
	if i < 0 {
		return 0, ErrNotFound
	}
	return i, nil
}
