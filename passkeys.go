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

// PasskeyList holds a user's passkeys and the names that the browser's Signal API takes.
type PasskeyList struct {
	Passkeys []Passkey // oldest first
	Names    SignalNames

	// UsedHere is the passkey that was verified last in the caller's session, zero if none was.
	// The session stands for the browser. A cookie that outlived it could tell more, but would make
	// known to the next person at that browser which passkey the last one had.
	UsedHere uuid.UUID
}

// SignalNames identify the account to passkey providers (WebAuthn Level 3 §5.1.10, the Signal
// API). They are zero below level full: somebody who knows only the password must not be able to
// make a provider delete passkeys (§14.6.3).
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
	list := PasskeyList{Passkeys: a.Passkeys, UsedHere: usedHere(a.Session)}
	if c.claims.Level == token.LevelFull && a.Session.Level() == token.LevelFull {
		list.Names = s.signalNames(a.User)
	}
	return list, nil
}

func usedHere(session Session) uuid.UUID {
	if session.LastPasskeyID == nil {
		return uuid.Nil
	}
	return *session.LastPasskeyID
}

func (s *Service) signalNames(u User) SignalNames {
	return SignalNames{RPID: s.origins.RPID, UserHandle: u.Handle, Username: u.Username}
}

// RenamePasskey changes the name of one of the user's passkeys. The rule for names is that of
// FinishRegistration; an empty name is ErrInvalidRequest. A passkey that the user does not have
// is ErrNotFound. Like a deletion, it requires a passkey verified within FullWindow
// (StepUpRequiredError): owners recognise a foreign passkey by its name, so an attacker who can
// rename it can hide it.
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
			Kind: storage.EventPasskeyRenamed, UserID: c.userID, SessionID: c.sessionID, PasskeyID: passkeyID, PasskeyName: name,
		}, now)
	})
	return renamed, names, err
}

// DeletePasskey deletes one of the user's passkeys and returns the remaining ones. A passkey that
// the user does not have is ErrNotFound. More than sixty changes of passkeys in an hour are a
// RateLimitedError. It requires a passkey verified within FullWindow (StepUpRequiredError). To
// delete the last passkey, lastToo has to be set (ErrLastPasskey): afterwards the password alone
// gives access to everything in the account.
//
// Sessions that rest on the passkey end, because its holder may hold them as well; see
// [storage.EndSessions]. The caller's own session continues at level password. Guards refuse its
// tokens at level full: this instance at once, other instances within a second, and services
// that verify offline when the tokens expire.
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
		left = PasskeyList{Passkeys: slices.Delete(slices.Clone(a.Passkeys), i, i+1), Names: s.signalNames(a.User), UsedHere: usedHere(a.Session)}
		ended, lowered, err = s.deletePasskeyIn(ctx, tx, a, a.Passkeys[i], now)
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
	ctx context.Context, tx storage.Tx, a storage.Account, p Passkey, now time.Time,
) (ended, lowered []uuid.UUID, err error) {
	if err := tx.DeletePasskey(ctx, a.User.ID, p.ID); err != nil {
		return nil, nil, err
	}
	// A realm does not end sessions of its application. LowerSessions below removes their proof.
	if a.User.Realm == "" {
		ended, err = s.endIn(ctx, tx, storage.EndSessions{
			UserID: a.User.ID, Passkey: p.ID, Except: a.Session.ID, At: now, Reason: storage.EndedByPasskey,
		})
		if err != nil {
			return nil, nil, err
		}
	}
	if lowered, err = tx.LowerSessions(ctx, a.User.ID, p.ID, now); err != nil {
		return nil, nil, err
	}
	if err := s.outbox.Notify(ctx, tx, outbox.NoticeOf(mail.PasskeyRemoved, a.Session, now)); err != nil {
		return nil, nil, err
	}
	return ended, lowered, s.record(ctx, tx, Event{
		Kind: storage.EventPasskeyRemoved, UserID: a.User.ID, SessionID: a.Session.ID, PasskeyID: p.ID, PasskeyName: p.Name,
	}, now)
}

// lockOwn locks the account and returns it with the index of the passkey.
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

// findOwn returns the index of a passkey that the caller may change. It checks the level before
// the passkey, so that a caller who may not change passkeys does not learn which ids exist.
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
