package stepkey

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// Who has lost all passkeys gets back in on one of three ways: a recovery code and the
// password, at once; the mailbox and the password, after RecoveryWait; a link from who
// runs the service. None of them leads to level full, or the way back would be the way
// in (NIST SP 800-63B-4 §4.2, OWASP ASVS 6.4.4). They lead to a session at level
// recovery, which may add a passkey and do nothing else, and a passkey that was added
// so can be used only after Config.RecoveryCoolOff. Until then the owner, who is told at
// each step, can put a stop to it.

const (
	// RecoveryLifetime is how long a session at level recovery lasts. It cannot be
	// refreshed.
	RecoveryLifetime = token.Lifetime

	// RecoveryWait is how long a recovery by mailbox and password waits. The two
	// together are what attackers most often have.
	RecoveryWait = 72 * time.Hour

	// RecoveryReadyFor is how long after the wait a recovery can be finished.
	RecoveryReadyFor = 7 * 24 * time.Hour

	// RecoveryCoolOff is the default of Config.RecoveryCoolOff.
	RecoveryCoolOff = 24 * time.Hour
)

// RecoveryProof is what a session at level recovery rests on.
type RecoveryProof string

// The proofs.
const (
	RecoveredByNothing RecoveryProof = ""
	RecoveredByCode    RecoveryProof = "code"
	RecoveredByMail    RecoveryProof = "mail"
	RecoveredByAdmin   RecoveryProof = "admin"
)

// PendingRecovery is a recovery that waits.
type PendingRecovery struct {
	StartedAt time.Time
	ReadyAt   time.Time // from when it can be finished, for RecoveryReadyFor
}

// recoveryOver reports whether nobody finished a recovery in time.
func recoveryOver(p PendingRecovery, now time.Time) bool {
	return !now.Before(p.ReadyAt.Add(RecoveryReadyFor))
}

// RecoveryState is what there is to get back into an account with.
type RecoveryState struct {
	// CodesLeft is how many recovery codes the user has, CodesCreatedAt since when.
	CodesLeft      int
	CodesCreatedAt *time.Time

	// Pending is the recovery that waits, or nil.
	Pending *PendingRecovery
}

// RecoveryCodeDigest is by what a store knows a recovery code.
type RecoveryCodeDigest [sha256.Size]byte

// RecoveryStore is the part of a [Store] for recovery.
type RecoveryStore interface {
	// RecoveryCodes returns how many codes the user has, and since when.
	RecoveryCodes(ctx context.Context, userID uuid.UUID) (left int, createdAt *time.Time, err error)
}

// RecoveryTx is the part of a [Tx] for recovery.
type RecoveryTx interface {
	// ReplaceRecoveryCodes makes these the user's codes, and no others.
	ReplaceRecoveryCodes(ctx context.Context, userID uuid.UUID, codes []RecoveryCodeDigest, at time.Time) error

	// SpendRecoveryCode removes all of the user's codes if that is one of them, which one
	// conditional statement decides, and reports whether it was. Of several transactions that
	// are committed one is told so.
	SpendRecoveryCode(ctx context.Context, userID uuid.UUID, code RecoveryCodeDigest) (bool, error)

	// BeginRecovery has p wait, in the place of one that waits already.
	BeginRecovery(ctx context.Context, userID uuid.UUID, p PendingRecovery) error

	// CancelRecovery removes the recovery that waits, and reports whether there was one.
	CancelRecovery(ctx context.Context, userID uuid.UUID) (bool, error)

	// TrustPassword forgets that the password was set by mail.
	TrustPassword(ctx context.Context, userID uuid.UUID) error

	// DropWaitingPasskeys removes the user's passkeys that were added through recovery
	// and cannot be used yet at now, and returns their ids.
	DropWaitingPasskeys(ctx context.Context, userID uuid.UUID, now time.Time) ([]uuid.UUID, error)

	// DropMail removes the mails of those kinds to the user that wait to be sent.
	DropMail(ctx context.Context, userID uuid.UUID, kinds ...storage.MailKind) error
}

// Recovery returns what there is to get back into the account with.
func (s *Service) Recovery(ctx context.Context, c token.Claims) (RecoveryState, error) {
	now := s.now()
	a, err := s.account(ctx, c, now)
	if err != nil {
		return RecoveryState{}, err
	}
	state := RecoveryState{Pending: pendingRecovery(a.User, now)}
	state.CodesLeft, state.CodesCreatedAt, err = s.store.RecoveryCodes(ctx, a.User.ID)
	return state, err
}

// pendingRecovery is the user's recovery that waits or is ready, or nil.
func pendingRecovery(u User, now time.Time) *PendingRecovery {
	if u.Recovery == nil || recoveryOver(*u.Recovery, now) {
		return nil
	}
	return u.Recovery
}

// startRecovered ends all of the user's sessions and starts one at level recovery. Whoever has
// the lost device is signed out by that. A recovery by mail that waits is stopped: its owner
// has got back in, so it is of no more use to anybody but somebody else.
func (s *Service) startRecovered(
	ctx context.Context, tx Tx, u User, by RecoveryProof, from Client, now time.Time,
) (Session, []uuid.UUID, error) {
	id, err := s.newID()
	if err != nil {
		return Session{}, nil, err
	}
	session := Session{
		ID: id, UserID: u.ID, PasswordVersion: u.PasswordVersion,
		Client:     Client{Device: from.Device, Address: from.Address},
		PasswordAt: now, CreatedAt: now, LastSeenAt: now, RotatedAt: now,
		ExpiresAt: now.Add(RecoveryLifetime), RecoveredBy: by,
	}
	ended, err := s.endIn(ctx, tx, EndSessions{UserID: u.ID, At: now, Reason: EndedByRecovery})
	if err != nil {
		return Session{}, nil, err
	}
	if _, err := s.stopRecovery(ctx, tx, u.ID, now); err != nil {
		return Session{}, nil, err
	}
	// An address that somebody asked for with the password must not be confirmed now that
	// the owner is back.
	if err := s.dropPendingEmail(ctx, tx, u.ID); err != nil {
		return Session{}, nil, err
	}
	if err := tx.CreateSession(ctx, session); err != nil {
		return Session{}, nil, err
	}
	e := Event{Kind: EventRecoveryUsed, UserID: u.ID, SessionID: id, Reason: string(by)}
	if err := s.record(ctx, tx, e, now); err != nil {
		return Session{}, nil, err
	}
	return session, ended, s.notify(ctx, tx, noticeOf(mail.RecoveryUsed, session, now))
}

// settle is for when somebody has proved a passkey: that ends a recovery, of whomever.
// In a session that began with the password it also shows that the password of now is
// the owner's.
func (s *Service) settle(ctx context.Context, tx Tx, u User, session Session, now time.Time) error {
	if u.PasswordByMail && !session.PasswordAt.IsZero() {
		if err := tx.TrustPassword(ctx, u.ID); err != nil {
			return err
		}
	}
	if pendingRecovery(u, now) == nil {
		return nil
	}
	_, err := s.cancelRecovery(ctx, tx, noticeOf(mail.RecoveryCancelled, session, now))
	return err
}

// cancelRecovery makes void what was begun to get back into the account, and tells so
// if there was anything.
func (s *Service) cancelRecovery(ctx context.Context, tx Tx, n notice) (cancelled bool, err error) {
	if cancelled, err = s.stopRecovery(ctx, tx, n.UserID, n.At); err != nil || !cancelled {
		return cancelled, err
	}
	return true, s.notify(ctx, tx, n)
}

// stopRecovery is cancelRecovery for where something else tells of it.
func (s *Service) stopRecovery(ctx context.Context, tx Tx, userID uuid.UUID, now time.Time) (stopped bool, err error) {
	if stopped, err = tx.CancelRecovery(ctx, userID); err != nil || !stopped {
		return stopped, err
	}
	return true, errors.Join(
		tx.DropMail(ctx, userID, mail.RecoveryStarted, mail.RecoveryReady, mail.FinishRecovery),
		tx.DropLinks(ctx, userID, LinkFinishRecovery),
		s.record(ctx, tx, Event{Kind: EventRecoveryCancelled, UserID: userID}, now),
	)
}
