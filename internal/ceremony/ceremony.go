// Package ceremony runs the two WebAuthn ceremonies of a relying party: the
// registration of a passkey (WebAuthn Level 3 §7.1) and an assertion with one
// (§7.2).
//
// Each ceremony is a pair. Begin returns the options for the client and a
// state for the server; Finish takes that state and the client's response. The
// states have a type of their own, and their bytes say which ceremony they
// belong to, so the challenge of one can never finish the other.
//
// # Guarantees of Finish
//
// A response is accepted only if it passes every applicable step of the
// specification, and some checks that the specification leaves to the relying
// party:
//
//   - the origin is one of Config.Origins, byte for byte;
//   - the page is not embedded in another site (no crossOrigin, no topOrigin);
//   - user presence and user verification are always required;
//   - the public key is of one of the three offered kinds, well formed, on its
//     curve, not of small order, and not so large that checking signatures is
//     expensive;
//   - an assertion comes from a passkey that was offered, that the user still
//     owns and whose signature counter has increased, if it has one; and the
//     backup eligibility of a hardware-bound passkey has not changed.
//
// Every rule is checked here first, in the order of the specification, so that
// a refusal has a precise [Reason]. Then github.com/go-webauthn/webauthn, which
// no other package imports, verifies the same bytes again and checks the
// signatures. It gets only data that this package has decoded. Client extension
// results, the attachment and the easy-accessor members that may contradict the
// attestation object are always ignored.
//
// # Attestation
//
// Without Config.AttestationRoots the options ask for no attestation, and nothing
// about a passkey is trusted because of one. A client that follows §5.1.3 then
// delivers the formats "none" or "packed" with self attestation, and those two are
// accepted, the second only if its signature verifies. Every statement with
// certificates is refused: a chain without a root adds no trust, and verifying one
// would expose the X.509, TPM and JWT parsers, and RSA keys of any size, to anyone
// with a password.
//
// With roots the options ask for "direct" attestation. A packed statement whose
// certificate leads to one of the roots makes the passkey Attested, and is refused
// if its signature is invalid. Security keys send packed statements. Every other
// statement, of any format, is dropped unread, and the passkey is accepted without
// being Attested.
//
// # Duties of the caller
//
// Store the state under its challenge with a time limit, and take it, once,
// before calling Finish, so that a failure uses it up as well. Limit the size
// of the body (32 KiB is plenty). Keep credential ids unique over all users.
// Write the sign count back with a condition on the old one. Turn an [Error]
// into an answer by its Kind alone.
package ceremony

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	library "github.com/go-webauthn/webauthn/webauthn"

	"github.com/stepkey/stepkey/internal/origin"
	"github.com/stepkey/stepkey/storage"
)

// DefaultTimeout is sent to the client if Config.Timeout is zero: the default
// of WebAuthn Level 3 §15.1.
const DefaultTimeout = 5 * time.Minute

// MaxUserHandle is how many bytes a user handle may have (WebAuthn Level 3 §5.4.3).
const MaxUserHandle = 64

// Config describes the relying party.
type Config struct {
	// RPID is the domain passkeys are bound to. It must be a domain or
	// localhost, never an IP address, and changing it orphans every passkey.
	RPID string

	// RPName is shown to the user by some clients.
	RPName string

	// Origins are the exact strings accepted as the origin of a ceremony, such as
	// https://login.example.com or android:apk-key-hash:… An origin that no page and
	// no Android app can have is refused.
	Origins []string

	// AttestationRoots are the root certificates of makers of authenticators that
	// are trusted to say where a key is stored. With nil no attestation is
	// requested. Verification uses the pool but never changes it.
	AttestationRoots *x509.CertPool

	// Timeout is sent to the client; zero means DefaultTimeout. It is not enforced
	// here: the challenge expires in its store, by the store's clock.
	Timeout time.Duration

	// Random is the source of challenges; nil is crypto/rand.Reader. It must
	// be safe for concurrent use.
	Random io.Reader
}

// RelyingParty begins and finishes ceremonies. It is safe for concurrent use.
type RelyingParty struct {
	id      string
	name    string
	origins []string
	timeout time.Duration
	random  io.Reader
	library *library.WebAuthn

	attestationRoots *x509.CertPool
}

// New returns a relying party, or an error that says why the configuration is
// invalid.
func New(c Config) (*RelyingParty, error) {
	if c.RPID == "" {
		return nil, errors.New("ceremony: the relying party needs an RPID")
	}
	if c.Timeout < 0 {
		return nil, errors.New("ceremony: the timeout is negative")
	}
	for _, text := range c.Origins {
		if err := origin.Check("ceremony.Config.Origins", text); err != nil {
			return nil, err
		}
	}
	rp := &RelyingParty{
		id:      c.RPID,
		name:    c.RPName,
		origins: slices.Clone(c.Origins),
		timeout: c.Timeout,
		random:  c.Random,

		attestationRoots: c.AttestationRoots,
	}
	if rp.timeout == 0 {
		rp.timeout = DefaultTimeout
	}
	if rp.random == nil {
		rp.random = rand.Reader
	}
	library, err := newLibrary(rp)
	if err != nil {
		return nil, err
	}
	rp.library = library
	return rp, nil
}

// User is the account a ceremony is for.
type User struct {
	// Handle is the user.id of WebAuthn: 1 to 64 random bytes that stay the
	// same for the life of the account and say nothing about the person
	// (WebAuthn Level 3 §14.6.1).
	Handle []byte

	// Name and DisplayName are shown by the client when it asks which passkey
	// to use.
	Name, DisplayName string
}

func (u User) check() error {
	if len(u.Handle) == 0 || len(u.Handle) > MaxUserHandle {
		return errors.New("ceremony: a user handle has 1 to 64 bytes")
	}
	return nil
}

// Credential is what a relying party stores of a passkey.
type Credential = storage.Credential

// newChallenge draws 32 bytes: twice the minimum of WebAuthn Level 3 §13.4.3.
func (rp *RelyingParty) newChallenge() ([]byte, error) {
	challenge := make([]byte, challengeSize)
	if _, err := io.ReadFull(rp.random, challenge); err != nil {
		return nil, fmt.Errorf("ceremony: drawing a challenge: %w", err)
	}
	return challenge, nil
}
