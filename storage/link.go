package storage

import (
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// LinkPurpose is what following a link does.
type LinkPurpose string

// The purposes.
const (
	LinkVerifyEmail   LinkPurpose = "verify_email"
	LinkResetPassword LinkPurpose = "reset_password"
	LinkFreeze        LinkPurpose = "freeze"

	// LinkFinishRecovery finishes a recovery by mail, LinkRecover is what an operator
	// hands to somebody.
	LinkFinishRecovery LinkPurpose = "finish_recovery"
	LinkRecover        LinkPurpose = "recover"
)

// LinkDigest is by what a store knows a link.
type LinkDigest [sha256.Size]byte

// Link is a stored link.
type Link struct {
	Digest  LinkDigest
	Purpose LinkPurpose
	UserID  uuid.UUID

	// Address is where the link was sent, and for LinkVerifyEmail what it confirms.
	Address string

	// PasswordVersion is the user's when the link was made: a change of the password
	// makes the link worthless. Zero is for links that outlive one.
	PasswordVersion int

	// AskedBy is the digest of the device that asked for the link, nil where it is not
	// known; see dropReset.
	AskedBy []byte

	ExpiresAt time.Time
}
