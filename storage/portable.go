package storage

import (
	"time"

	"github.com/google/uuid"
)

// PortableUser is a user with passkeys and address as they move between systems: what exports
// return and imports take.
type PortableUser struct {
	// ID stays the user's. An import adds nobody whose id is there already.
	ID uuid.UUID

	Username string

	// PasswordHash is an argon2id, bcrypt, scrypt or PBKDF2 hash in one of the forms
	// that docs/moving-in.md lists. Kinds other than argon2id are remade at the next
	// login.
	PasswordHash string

	// PasswordByMail and PasswordStopped are those of User.
	PasswordByMail, PasswordStopped bool

	// Handle is the WebAuthn user handle that the passkeys were made with, 1 to 64
	// bytes: authenticators keep it and return it. A user without passkeys may have
	// none, and gets a random one.
	Handle []byte

	CreatedAt  time.Time  // when the user signed up; zero is now
	DisabledAt *time.Time // nil for an active user

	// Language is that of the user's mails, a BCP 47 tag; empty is the service's default. An
	// import ignores one that is not well-formed or too long.
	Language string

	// Email is the user's address, nil for none. It is a way to set a new password, so
	// one that was not confirmed does not come along.
	Email *ConfirmedEmail

	// Groups and Claims are those of User.Attributes. The order of Groups does not matter.
	Groups []string
	Claims map[string]string

	Passkeys []PortablePasskey
}

// PortablePasskey is a passkey of a PortableUser.
type PortablePasskey struct {
	ID uuid.UUID // zero draws one

	CredentialID []byte
	PublicKey    []byte // COSE_Key, of ES256, EdDSA or RS256

	// SignCount is the signature counter as last seen, from 0 to 2³²-1.
	SignCount int64

	// Flags is the byte of the authenticator data as last seen, zero where it is not
	// known: then the first step-up says whether the passkey can be synced.
	Flags byte

	Transports []string  // nil where they are not known
	AAGUID     uuid.UUID // zero where it is not known
	Attested   bool      // a trusted maker vouched for the authenticator

	Name       string
	CreatedAt  time.Time  // zero is now
	LastUsedAt *time.Time // nil where it is not known
	UsableFrom *time.Time // nil unless it was added through recovery
}

// Portable returns the user as exports do.
func (r UserRecord) Portable() PortableUser {
	u := PortableUser{
		ID: r.User.ID, Username: r.User.Username, PasswordHash: r.User.PasswordHash, PasswordByMail: r.User.PasswordByMail,
		PasswordStopped: r.User.PasswordStopped, Handle: r.User.Handle,
		CreatedAt: r.User.CreatedAt, DisabledAt: r.User.DisabledAt, Language: r.User.Language, Email: r.Email,
		Groups: r.User.Attributes.Groups.Names(), Claims: r.User.Attributes.Claims.Map(),
	}
	for _, p := range r.Passkeys {
		c := p.Credential
		u.Passkeys = append(u.Passkeys, PortablePasskey{
			ID: p.ID, CredentialID: c.ID, PublicKey: c.PublicKey, SignCount: int64(c.SignCount), Flags: c.Flags,
			Transports: c.Transports, AAGUID: c.AAGUID, Attested: c.Attested,
			Name: p.Name, CreatedAt: p.CreatedAt, LastUsedAt: p.LastUsedAt, UsableFrom: p.UsableFrom,
		})
	}
	return u
}
