package storage

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Invitation lets one person sign up.
type Invitation struct {
	// ID is what operators call it by. It is no secret.
	ID uuid.UUID

	// Address is the e-mail address that the new account gets, empty for none.
	Address string

	// Language is that of the invitation, and of the new account unless the client that signs
	// up prefers another one. It is a tag as that of a User, or empty.
	Language string

	CreatedAt time.Time
	ExpiresAt time.Time
}

// InvitationStore is the part of a [Store] about invitations.
type InvitationStore interface {
	// Invitation returns the invitation with that digest, and leaves it unchanged. It returns
	// ErrNotFound where TakeInvitation would.
	Invitation(ctx context.Context, digest LinkDigest, now time.Time) (Invitation, error)

	// Invitations returns at most limit invitations that can be used at now and whose id is
	// greater than after, in the order of their ids.
	Invitations(ctx context.Context, now time.Time, after uuid.UUID, limit int) ([]Invitation, error)
}

// InvitationTx is the part of a [Tx] about invitations.
type InvitationTx interface {
	// PutInvitation adds i. digest is that of the token in its link.
	PutInvitation(ctx context.Context, i Invitation, digest LinkDigest) error

	// TakeInvitation removes the invitation and returns it, in one conditional statement. Of
	// several concurrent callers, one gets it. It returns ErrNotFound if it was used, revoked,
	// never made, or has expired at now.
	TakeInvitation(ctx context.Context, digest LinkDigest, now time.Time) (Invitation, error)

	// RevokeInvitation removes an invitation, and reports whether it was there.
	RevokeInvitation(ctx context.Context, id uuid.UUID) (bool, error)
}
