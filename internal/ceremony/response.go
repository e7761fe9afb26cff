package ceremony

import (
	"bytes"
	"errors"
)

// credentialType is the only member of PublicKeyCredentialType (§5.8.2).
const credentialType = "public-key"

// Limits of a credential id in bytes: §4 asks for 16 at least, §7.1 for 1023 at
// most.
const (
	minCredentialID = 16
	maxCredentialID = 1023
)

// checkEnvelope checks the members that both responses have in common.
func checkEnvelope(id, rawID []byte, kind string) error {
	if kind != credentialType {
		return malformed(ReasonEnvelope, errors.New("the type is not public-key"))
	}
	if len(id) == 0 || len(id) > maxCredentialID {
		return malformed(ReasonEnvelope, errors.New("the id is empty or too long"))
	}
	if !bytes.Equal(id, rawID) {
		return malformed(ReasonEnvelope, errors.New("id and rawId differ"))
	}
	return nil
}
