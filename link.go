package stepkey

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	"github.com/stepkey/stepkey/storage"
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

const linkTokenBytes = 32

// newLink draws a link. The token is what goes into the mail, and is kept nowhere else.
func (s *Service) newLink(l storage.Link) (linkToken string, stored storage.Link, err error) {
	raw := make([]byte, linkTokenBytes)
	if _, err := io.ReadFull(s.random, raw); err != nil {
		return "", storage.Link{}, fmt.Errorf("stepkey: draw a link: %w", err)
	}
	linkToken = base64.RawURLEncoding.EncodeToString(raw)
	l.Digest = sha256.Sum256([]byte(linkToken))
	return linkToken, l, nil
}

// linkDigest is what the store is asked for. A text that is no token of ours has one as
// well, which nothing has.
func linkDigest(linkToken string) storage.LinkDigest { return sha256.Sum256([]byte(linkToken)) }
