package storage

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// RecoveryProof is the proof that a session at level recovery rests on.
type RecoveryProof string

// The proofs.
const (
	RecoveredByNothing RecoveryProof = ""
	RecoveredByCode    RecoveryProof = "code"
	RecoveredByMail    RecoveryProof = "mail"
	RecoveredByAdmin   RecoveryProof = "admin"
)

// PendingRecovery is a recovery that was started and not finished.
type PendingRecovery struct {
	StartedAt time.Time
	ReadyAt   time.Time // when it can be finished, for stepkey.RecoveryReadyFor
}

// RecoveryCodeDigest is a keyed hash of a recovery code. The store does not know the code.
type RecoveryCodeDigest [sha256.Size]byte

// RecoveryStore is the part of a [Store] about recovery.
type RecoveryStore interface {
	// RecoveryCodes returns how many codes the user has, and when they were made.
	RecoveryCodes(ctx context.Context, userID uuid.UUID) (left int, createdAt *time.Time, err error)
}

// RecoveryTx is the part of a [Tx] about recovery.
type RecoveryTx interface {
	// ReplaceRecoveryCodes replaces all codes of the user.
	ReplaceRecoveryCodes(ctx context.Context, userID uuid.UUID, codes []RecoveryCodeDigest, at time.Time) error

	// SpendRecoveryCode removes the code from the user's, in one conditional statement, and
	// reports whether it was one of them. The others stay. Of several transactions that commit,
	// one is told so.
	SpendRecoveryCode(ctx context.Context, userID uuid.UUID, code RecoveryCodeDigest) (bool, error)

	// BeginRecovery stores p as the user's pending recovery, replacing any earlier one.
	BeginRecovery(ctx context.Context, userID uuid.UUID, p PendingRecovery) error

	// CancelRecovery removes the pending recovery, and reports whether there was one.
	CancelRecovery(ctx context.Context, userID uuid.UUID) (bool, error)
}
