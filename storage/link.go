package storage

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// LinkPurpose is what a link in a mail does.
type LinkPurpose string

// The purposes. LinkFinishRecovery finishes a recovery by mail; LinkRecover is the link that
// an operator hands to a person.
const (
	LinkVerifyEmail    LinkPurpose = "verify_email"
	LinkResetPassword  LinkPurpose = "reset_password"
	LinkFreeze         LinkPurpose = "freeze"
	LinkFinishRecovery LinkPurpose = "finish_recovery"
	LinkRecover        LinkPurpose = "recover"
)

// LinkDigest is the SHA-256 of a link's token. The store does not know the token.
type LinkDigest [sha256.Size]byte

// Link is a stored link.
type Link struct {
	Digest  LinkDigest
	Purpose LinkPurpose
	UserID  uuid.UUID

	// Address is where the link was sent. A LinkVerifyEmail confirms it.
	Address string

	// PasswordVersion is the user's when the link was made: a change of the password
	// invalidates the link. Zero is for links that outlive a change.
	PasswordVersion int

	// AskedBy is the digest of the device that asked for the link, nil if it is unknown.
	AskedBy []byte

	ExpiresAt time.Time
}

// LinkStore is the part of a [Store] about links.
type LinkStore interface {
	// LinkOwner returns the user whose live link that is, and leaves the link unchanged. It
	// returns ErrNotFound where TakeLink would.
	LinkOwner(ctx context.Context, digest LinkDigest, purpose LinkPurpose, now time.Time) (User, error)
}

// LinkTx is the part of a [Tx] about links.
type LinkTx interface {
	// PutLink adds l. It replaces the user's last link of its purpose, except that a user may
	// have any number of LinkFreeze.
	PutLink(ctx context.Context, l Link) error

	// TakeLink removes the link and returns it, in one conditional statement. Of several
	// concurrent callers, one gets it. AskedBy is not returned. It returns ErrNotFound unless
	// at now the link has not expired, its user is active, the password is the one it was made
	// for and, for LinkResetPassword and LinkFinishRecovery, the user's address is the one it
	// was sent to.
	TakeLink(ctx context.Context, digest LinkDigest, purpose LinkPurpose, now time.Time) (Link, error)

	// DropLinks removes the user's links of those purposes.
	DropLinks(ctx context.Context, userID uuid.UUID, purposes ...LinkPurpose) error

	// DropLinkAskedBy removes the user's link of that purpose if that device asked for it.
	DropLinkAskedBy(ctx context.Context, userID uuid.UUID, purpose LinkPurpose, device []byte) error
}
