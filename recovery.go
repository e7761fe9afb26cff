package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
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

// Recovery returns what there is to get back into the account with.
func (s *Service) Recovery(ctx context.Context, c Caller) (RecoveryState, error) {
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

// startRecovered ends all of the user's sessions and starts one at level recovery. That also
// signs out the person who has the lost device. A pending recovery by mail is canceled: the owner
// has got back in, so only somebody else could still use it.
func (s *Service) startRecovered(
	ctx context.Context, tx storage.Tx, u User, by storage.RecoveryProof, from Client, now time.Time,
) (Session, []uuid.UUID, error) {
	session, err := s.newSession(u, RefreshNone, from, now)
	if err != nil {
		return Session{}, nil, err
	}
	session.ExpiresAt, session.RecoveredBy = now.Add(RecoveryLifetime), by
	ended, err := s.endIn(ctx, tx, storage.EndSessions{UserID: u.ID, At: now, Reason: storage.EndedByRecovery})
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
	e := Event{Kind: storage.EventRecoveryUsed, UserID: u.ID, SessionID: session.ID, Reason: string(by)}
	if err := s.record(ctx, tx, e, now); err != nil {
		return Session{}, nil, err
	}
	return session, ended, s.outbox.Notify(ctx, tx, outbox.NoticeOf(mail.RecoveryUsed, session, now))
}

// beginRecovery makes a recovery wait and queues all its notices. Those of later are sent when
// their time has come.
func (s *Service) beginRecovery(
	ctx context.Context, tx storage.Tx, a storage.Account, from Client, now time.Time,
) (*PendingRecovery, error) {
	p := PendingRecovery{StartedAt: now, ReadyAt: now.Add(RecoveryWait)}
	if err := tx.BeginRecovery(ctx, a.User.ID, p); err != nil {
		return nil, err
	}
	e := Event{Kind: storage.EventRecoveryStarted, UserID: a.User.ID, SessionID: a.Session.ID}
	if err := s.record(ctx, tx, e, now); err != nil {
		return nil, err
	}
	n := outbox.Notice{Kind: mail.RecoveryStarted, UserID: a.User.ID, At: now, Client: from, Until: p.ReadyAt}
	for _, after := range []time.Duration{0, 24 * time.Hour, 48 * time.Hour} {
		n.Wait = after
		if err := s.outbox.Notify(ctx, tx, n); err != nil {
			return nil, err
		}
	}
	n.Kind, n.Wait, n.Until = mail.RecoveryReady, RecoveryWait, p.ReadyAt.Add(RecoveryReadyFor)
	return &p, s.outbox.Notify(ctx, tx, n)
}

// cancelRecovery makes void what was begun to get back into the account, and tells so
// if there was anything.
func (s *Service) cancelRecovery(ctx context.Context, tx storage.Tx, n outbox.Notice) (cancelled bool, err error) {
	if cancelled, err = s.stopRecovery(ctx, tx, n.UserID, n.At); err != nil || !cancelled {
		return cancelled, err
	}
	return true, s.outbox.Notify(ctx, tx, n)
}

// stopRecovery is cancelRecovery for where something else tells of it.
func (s *Service) stopRecovery(ctx context.Context, tx storage.Tx, userID uuid.UUID, now time.Time) (stopped bool, err error) {
	if stopped, err = tx.CancelRecovery(ctx, userID); err != nil || !stopped {
		return stopped, err
	}
	if err := tx.DropMail(ctx, userID, mail.RecoveryStarted, mail.RecoveryReady, mail.FinishRecovery); err != nil {
		return true, err
	}
	if err := tx.DropLinks(ctx, userID, storage.LinkFinishRecovery); err != nil {
		return true, err
	}
	return true, s.record(ctx, tx, Event{Kind: storage.EventRecoveryCancelled, UserID: userID}, now)
}
