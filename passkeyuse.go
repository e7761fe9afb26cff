package stepkey

import (
	"context"
	"errors"
	"time"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// counterRefusal refuses a response whose passkey was deleted, or whose signature counter another
// response has reached, since the response was verified. Like a refusal by the ceremony, it is
// passed to refuseResponse or refuseLogIn, which record and count it.
var counterRefusal = &ceremony.Error{Kind: ceremony.Refused, Reason: ceremony.ReasonCounter}

// verified returns the changes that a valid response leads to, for the store to apply in one step.
// kind is the event to record, or empty if the caller records one.
func (s *Service) verified(
	ctx context.Context, a answered, p Passkey, asserted ceremony.Asserted, kind EventKind, now time.Time,
) (storage.Verified, error) {
	v := storage.Verified{
		UserID: a.User.ID, SessionID: a.Session.ID, Spent: s.spent(a.key, now),
		Use: storage.PasskeyUse{
			PasskeyID: p.ID, SignCount: asserted.SignCount, Flags: asserted.Flags, At: now, BackupChanged: asserted.BackupChanged,
		},
	}
	e := ofClient(ctx, Event{UserID: a.User.ID, SessionID: a.Session.ID, PasskeyID: p.ID, PasskeyName: p.Name})
	if asserted.BackupChanged {
		e.Kind, e.Reason = storage.EventBackupChanged, backupReason(asserted)
		v.Events = append(v.Events, e)
	}
	if e.Kind, e.Reason = kind, ""; kind != "" {
		v.Events = append(v.Events, e)
	}
	for i := range v.Events {
		id, err := storage.NewEventID(s.random, now)
		if err != nil {
			return v, err
		}
		v.Events[i].ID, v.Events[i].At = id, now
	}
	if a.User.PasswordByMail || pendingRecovery(a.User, now) != nil {
		v.Also = func(tx storage.Tx) error { return s.afterPasskeyProof(ctx, tx, a.User, a.Session, now) }
	}
	if also := v.Also; s.tell != nil {
		v.Also = func(tx storage.Tx) error {
			if also != nil {
				if err := also(tx); err != nil {
					return err
				}
			}
			return s.tellAll(ctx, tx, v.Events)
		}
	}
	return v, nil
}

// tellAll queues events for the application of a [Realm].
func (s *Service) tellAll(ctx context.Context, tx storage.Tx, events []Event) error {
	for _, e := range events {
		if err := s.tell(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

// notVerified converts the error of a store that could not apply a verified response to one that
// refuseResponse understands.
func notVerified(err error) error {
	if errors.Is(err, storage.ErrPasskeyStale) {
		return counterRefusal
	}
	return unauthorizedIfMissing(err)
}

// backupReason is the reason of an EventBackupChanged.
func backupReason(asserted ceremony.Asserted) string {
	if asserted.BackupEligible() {
		return "can_be_synced"
	}
	return "cannot_be_synced"
}

// afterPasskeyProof applies the consequences that a verified passkey has in every use-case. It
// cancels a pending recovery, no matter who started it. In a session that began with the password, it
// also confirms that the current password is the owner's, even if it was set by mail.
func (s *Service) afterPasskeyProof(ctx context.Context, tx storage.Tx, u User, session Session, now time.Time) error {
	if u.PasswordByMail && !session.PasswordAt.IsZero() {
		if err := tx.TrustPassword(ctx, u.ID); err != nil {
			return err
		}
	}
	if pendingRecovery(u, now) == nil {
		return nil
	}
	_, err := s.cancelRecovery(ctx, tx, outbox.NoticeOf(mail.RecoveryCancelled, session, now))
	return err
}
