package stepkey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/storage"
)

// counterRefusal is why usePasskey refuses a passkey.
var counterRefusal = &ceremony.Error{Kind: ceremony.Refused, Reason: ceremony.ReasonCounter}

// usePasskey is part of each transaction to which a verified assertion leads: it uses up the
// challenge and stores what the verification changes of the passkey.
//
// If, since the assertion was verified, another one has moved the signature counter that far or
// the passkey was deleted, it returns counterRefusal. That rolls the transaction back, and the
// caller passes it to refuseResponse or refuseLogIn, like a refusal of the ceremony: those
// record it, count it, and return all other errors as they are.
func (s *Service) usePasskey(
	ctx context.Context, tx storage.Tx, key storage.ChallengeKey, p Passkey, sessionID uuid.UUID,
	asserted ceremony.Asserted, now time.Time,
) error {
	if err := s.spendChallenge(ctx, tx, key, now); err != nil {
		return err
	}
	used, err := tx.UsePasskey(ctx, storage.PasskeyUse{
		PasskeyID: p.ID, SignCount: asserted.SignCount, Flags: asserted.Flags, At: now, BackupChanged: asserted.BackupChanged,
	})
	if err != nil {
		return err
	}
	if !used {
		return counterRefusal
	}
	if !asserted.BackupChanged {
		return nil
	}
	return s.record(ctx, tx, Event{
		Kind: storage.EventBackupChanged, UserID: p.UserID, SessionID: sessionID, PasskeyID: p.ID, Reason: backupReason(asserted),
	}, now)
}

// backupReason is the reason of an EventBackupChanged.
func backupReason(asserted ceremony.Asserted) string {
	if asserted.BackupEligible() {
		return "can_be_synced"
	}
	return "cannot_be_synced"
}

// afterPasskeyProof does what a verified passkey has as a consequence in every use-case. It
// cancels a pending recovery, whoever began it. In a session that began with the password it
// also shows that today's password is the owner's, even if it was set by mail.
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
