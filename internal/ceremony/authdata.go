package ceremony

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/google/uuid"
)

// The flags of the authenticator data (§6.1).
const (
	flagUserPresent        = 1 << 0
	flagUserVerified       = 1 << 2
	flagBackupEligible     = 1 << 3
	flagBackupState        = 1 << 4
	flagAttestedCredential = 1 << 6
	flagExtensions         = 1 << 7

	// storedFlags are the flags about the credential or the user. Two others
	// describe the bytes that follow, and the rest are reserved.
	storedFlags = flagUserPresent | flagUserVerified | flagBackupEligible | flagBackupState
)

// authData is the authenticator data (§6.1). The last three fields are set when
// flagAttestedCredential is (§6.5.1).
type authData struct {
	rpIDHash  [sha256.Size]byte
	flags     byte
	signCount uint32

	aaguid       uuid.UUID
	credentialID []byte
	publicKey    []byte
}

// parseAuthData parses authenticator data and refuses trailing bytes. The error
// is Malformed.
func parseAuthData(raw []byte) (authData, error) {
	var a authData
	const header = sha256.Size + 1 + 4
	if len(raw) < header {
		return authData{}, malformed(ReasonAuthenticatorData, errors.New("too short"))
	}
	copy(a.rpIDHash[:], raw)
	a.flags = raw[sha256.Size]
	a.signCount = binary.BigEndian.Uint32(raw[sha256.Size+1:])
	rest := raw[header:]

	if a.flags&flagAttestedCredential != 0 {
		var err error
		if rest, err = a.parseAttestedCredential(rest); err != nil {
			return authData{}, err
		}
	}
	if a.flags&flagExtensions != 0 {
		var outputs map[string]webauthncbor.RawMessage
		n, err := webauthncbor.UnmarshalFirst(rest, &outputs)
		if err != nil || outputs == nil {
			return authData{}, malformed(ReasonAuthenticatorData, err)
		}
		rest = rest[n:]
	}
	if len(rest) != 0 {
		return authData{}, malformed(ReasonAuthenticatorData, errors.New("bytes left over"))
	}
	return a, nil
}

// parseAttestedCredential reads attested credential data (§6.5.1) from the
// start of raw and returns the rest.
func (a *authData) parseAttestedCredential(raw []byte) ([]byte, error) {
	const header = len(a.aaguid) + 2
	if len(raw) < header {
		return nil, malformed(ReasonAuthenticatorData, errors.New("attested credential data too short"))
	}
	copy(a.aaguid[:], raw)
	idLength := int(binary.BigEndian.Uint16(raw[len(a.aaguid):]))
	rest := raw[header:]
	if len(rest) < idLength {
		return nil, malformed(ReasonAuthenticatorData, errors.New("credential id too short"))
	}
	a.credentialID, rest = rest[:idLength], rest[idLength:]

	var key coseKey
	n, err := webauthncbor.UnmarshalFirst(rest, &key)
	if err != nil || key == nil {
		return nil, malformed(ReasonPublicKey, err)
	}
	a.publicKey = bytes.Clone(rest[:n])
	return rest[n:], nil
}

// verify makes the checks of authenticator data that §7.1 and §7.2 have in
// common.
func (a authData) verify(rpID string) error {
	if a.rpIDHash != sha256.Sum256([]byte(rpID)) {
		return refused(ReasonRPID, nil)
	}
	if a.flags&flagUserPresent == 0 {
		return refused(ReasonUserPresence, nil)
	}
	// The flag of this ceremony counts. Without user verification a passkey is
	// only something the user has, and no second factor.
	if a.flags&flagUserVerified == 0 {
		return refused(ReasonUserVerification, nil)
	}
	if a.flags&flagBackupEligible == 0 && a.flags&flagBackupState != 0 {
		return refused(ReasonBackupFlags, nil)
	}
	return nil
}
