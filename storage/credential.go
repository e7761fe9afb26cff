package storage

import "github.com/google/uuid"

// Authenticator data flags (WebAuthn Level 3 §6.1) that say whether a passkey may be synced
// and whether it is.
const (
	flagBackupEligible = 1 << 3
	flagBackupState    = 1 << 4
)

// Credential is what a relying party stores of a passkey: the credential
// record of WebAuthn Level 3 §4.
type Credential struct {
	// ID is the credential id, 16 to 1023 bytes.
	ID []byte

	// PublicKey is the COSE_Key as the authenticator encoded it.
	PublicKey []byte

	// Algorithm is the COSE algorithm of the key: -8, -7 or -257.
	Algorithm int64

	// AAGUID names the model of the authenticator. Unless the passkey is Attested, nothing
	// vouches for it: use it for a label and never for a decision.
	AAGUID uuid.UUID

	// SignCount is the signature counter as last seen; zero for a passkey
	// that has none.
	SignCount uint32

	// Flags are the authenticator data flags UP, UV, BE and BS as last seen. They are zero,
	// which no accepted response has, for a passkey that was registered elsewhere and has not
	// been used here.
	Flags byte

	// Transports are those that the client gave, without unusable ones. nil means that none
	// is known.
	Transports []string

	// Attested reports whether a trusted maker vouched for the authenticator when the passkey
	// was made.
	Attested bool
}

// HardwareBound reports whether the key is known to stay in the hardware that made it: a
// trusted maker vouches for it, and it cannot be synced.
func (c Credential) HardwareBound() bool {
	return c.Attested && c.Flags&flagBackupEligible == 0
}

// Backup reports whether the passkey can be synced and whether it is (WebAuthn Level 3
// §6.1.3). Neither is known of a passkey that was registered elsewhere and has not been used
// here.
func (c Credential) Backup() (eligible, backedUp, known bool) {
	return c.Flags&flagBackupEligible != 0, c.Flags&flagBackupState != 0, c.Flags != 0
}
