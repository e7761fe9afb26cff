package stepkey

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
)

// Links in mails carry 32 random bytes, of which the store knows the SHA-256: who reads
// the store follows none. They stand behind the # of the address, so that neither a
// server's log nor a Referer header holds them, and no scanner of mails that opens a
// link uses it up: what does is a POST of the page behind it.

// LinkLifetime is how long a link works that changes something (OWASP ASVS 6.5.5).
const LinkLifetime = 10 * time.Minute

// FreezeLifetime is how long the link of a notice works. It only takes away, and people
// do not read their mail at once.
const FreezeLifetime = 7 * 24 * time.Hour

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

const linkTokenBytes = 32

// newLink draws a link. The token is what goes into the mail, and is kept nowhere else.
func (s *Service) newLink(l Link) (linkToken string, stored Link, err error) {
	raw := make([]byte, linkTokenBytes)
	if _, err := io.ReadFull(s.random, raw); err != nil {
		return "", Link{}, fmt.Errorf("stepkey: draw a link: %w", err)
	}
	linkToken = base64.RawURLEncoding.EncodeToString(raw)
	l.Digest = sha256.Sum256([]byte(linkToken))
	return linkToken, l, nil
}

// linkDigest is what the store is asked for. A text that is no token of ours has one as
// well, which nothing has.
func linkDigest(linkToken string) LinkDigest { return sha256.Sum256([]byte(linkToken)) }
