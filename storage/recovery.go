package storage

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
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
	DropMail(ctx context.Context, userID uuid.UUID, kinds ...MailKind) error
}
