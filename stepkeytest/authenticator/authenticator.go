// Package authenticator is a software authenticator together with the browser
// around it, for tests: it takes the options a WebAuthn server sends and
// answers with the JSON that PublicKeyCredential.toJSON() would give.
//
//	phone := authenticator.New(authenticator.Config{})
//	registration, err := phone.Create("https://example.com", creationOptions)
//	…
//	assertion, err := phone.Get("https://example.com", requestOptions)
//
// It does what a browser and an authenticator do together: it checks that the
// origin may use the relying party id, respects excludeCredentials and
// allowCredentials, picks the first algorithm offered that it supports, creates
// discoverable credentials when they are wanted, verifies the user, and counts
// signatures if told to.
//
// CreateWith and GetWith answer with something an honest client would never
// send, for testing that the server refuses it.
//
// Private keys live in memory without protection. This is no authenticator for
// people.
package authenticator

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// COSE algorithms an Authenticator supports.
const (
	EdDSA int64 = -8
	ES256 int64 = -7
	RS256 int64 = -257
)

// Errors that a browser would report as a DOMException of the name in the
// comment.
var (
	ErrExcluded     = errors.New("authenticator: it has one of the excluded credentials already") // InvalidStateError
	ErrNotAllowed   = errors.New("authenticator: no credential fits the request")                 // NotAllowedError
	ErrNotSupported = errors.New("authenticator: none of the algorithms is supported")            // NotSupportedError
	ErrSecurity     = errors.New("authenticator: the origin may not use this relying party id")   // SecurityError
)

// Config describes an authenticator. The zero value is one that verifies its
// user, keeps its passkeys to itself, supports every algorithm, has no
// signature counter and gives no attestation.
type Config struct {
	// Algorithms are the supported ones of EdDSA, ES256 and RS256; nil is all.
	Algorithms []int64

	// AAGUID names the model.
	AAGUID [16]byte

	// Transports are reported at registration; nil reports none at all.
	Transports []string

	// NoUserVerification makes it unable to verify the user, as a security
	// key without a PIN.
	NoUserVerification bool

	// NotDiscoverable makes it unable to store discoverable credentials.
	NotDiscoverable bool

	// BackupEligible and BackedUp are the flags BE and BS, both set for
	// passkeys that are synced.
	BackupEligible, BackedUp bool

	// CounterStep is added to the signature counter of a credential by each
	// of its assertions. Zero keeps it at zero, as synced passkeys do.
	CounterStep uint32

	// SelfAttestation signs registrations with the credential key itself
	// (format packed). Otherwise the format is none.
	SelfAttestation bool

	// Maker vouches for the authenticator where the options ask for attestation
	// (format packed, with certificates). Where they do not, no browser passes that
	// on.
	Maker *Maker

	// Random is the source of credential ids and of the keys of EdDSA and
	// ES256; nil is crypto/rand.Reader. RS256 keys always come from
	// crypto/rand, because Go offers no other way.
	Random io.Reader
}

// Authenticator holds passkeys. It is safe for concurrent use.
type Authenticator struct {
	config Config

	mu          sync.Mutex
	credentials []*credential
}

// credential is a public key credential source (WebAuthn Level 3 §4).
type credential struct {
	id           []byte
	rpID         string
	handle       []byte
	key          key
	discoverable bool
	signCount    uint32
}

// New returns an authenticator without passkeys.
func New(c Config) *Authenticator {
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Algorithms == nil {
		c.Algorithms = []int64{EdDSA, ES256, RS256}
	}
	return &Authenticator{config: c}
}

// Create answers registration options (PublicKeyCredentialCreationOptionsJSON)
// as a page of the origin would have them answered, and keeps the passkey.
func (a *Authenticator) Create(origin string, optionsJSON []byte) ([]byte, error) {
	return a.CreateWith(origin, optionsJSON, Hostile{})
}

// Get answers request options (PublicKeyCredentialRequestOptionsJSON) with an
// assertion by the first credential that fits.
func (a *Authenticator) Get(origin string, optionsJSON []byte) ([]byte, error) {
	return a.GetWith(origin, optionsJSON, Hostile{})
}

// CredentialIDs returns the ids of the credentials in the order of their
// creation.
func (a *Authenticator) CredentialIDs() [][]byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := make([][]byte, len(a.credentials))
	for i, c := range a.credentials {
		ids[i] = bytes.Clone(c.id)
	}
	return ids
}

// credentialIDSize is what most passkey providers use.
const credentialIDSize = 32

func (a *Authenticator) newCredential(o creationOptions, rpID string) (*credential, error) {
	i := slices.IndexFunc(o.PubKeyCredParams, func(p credentialParameter) bool {
		return p.Type == "public-key" && slices.Contains(a.config.Algorithms, p.Alg)
	})
	if i < 0 {
		return nil, ErrNotSupported
	}
	key, err := newKey(o.PubKeyCredParams[i].Alg, a.config.Random)
	if err != nil {
		return nil, err
	}
	id := make([]byte, credentialIDSize)
	if _, err := io.ReadFull(a.config.Random, id); err != nil {
		return nil, fmt.Errorf("authenticator: drawing a credential id: %w", err)
	}
	return &credential{
		id:           id,
		rpID:         rpID,
		handle:       o.User.ID,
		key:          key,
		discoverable: o.AuthenticatorSelection.wantsDiscoverable() && !a.config.NotDiscoverable,
	}, nil
}

// find returns the credential to answer a request with. For a request without
// a list that is the newest discoverable one (WebAuthn Level 3 §6.3.3).
func (a *Authenticator) find(rpID string, allow []descriptor) *credential {
	for _, c := range slices.Backward(a.credentials) {
		if c.rpID != rpID {
			continue
		}
		if len(allow) == 0 && c.discoverable || lists(allow, c.id) {
			return c
		}
	}
	return nil
}

func lists(descriptors []descriptor, id []byte) bool {
	return slices.ContainsFunc(descriptors, func(d descriptor) bool {
		return d.Type == "public-key" && bytes.Equal(d.ID, id)
	})
}

// relyingParty returns the relying party id a page of the origin may use, which
// is its own host or a parent domain of it. An app origin may use any.
func relyingParty(origin, rpID string) (string, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return "", ErrSecurity
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return rpID, nil
	}
	host := u.Hostname()
	if rpID == "" || rpID == host {
		return host, nil
	}
	if strings.HasSuffix(host, "."+rpID) {
		return rpID, nil
	}
	return "", ErrSecurity
}

// base64URL is binary data as WebAuthn's JSON has it.
type base64URL []byte

func (b base64URL) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

func (b *base64URL) UnmarshalText(text []byte) error {
	decoded, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil {
		return err
	}
	*b = decoded
	return nil
}
