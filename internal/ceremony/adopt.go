package ceremony

import (
	"bytes"
	"errors"
)

// Adopt checks a passkey that was registered elsewhere, without its original
// response, and returns it as it should be stored: with the algorithm that its
// key names. The error is Refused and says why the passkey cannot be used.
//
// Unknown flags are zero, and set by its first assertion here. Transports are a
// hint to the client, and unusable ones are dropped.
func Adopt(c Credential) (Credential, error) {
	if len(c.ID) < minCredentialID || len(c.ID) > maxCredentialID {
		return Credential{}, refused(ReasonCredentialID, nil)
	}
	alg, err := checkPublicKey(c.PublicKey)
	if err != nil {
		return Credential{}, err
	}
	c.Flags &= storedFlags
	if c.Flags&flagBackupEligible == 0 && c.Flags&flagBackupState != 0 {
		return Credential{}, refused(ReasonBackupFlags, nil)
	}
	// Otherwise unknown flags would count as "is never synced".
	if c.Attested && c.Flags == 0 {
		return Credential{}, refused(ReasonAttestation, errors.New("attested without flags"))
	}
	c.Transports = usableTransports(c.Transports)
	c.ID, c.PublicKey, c.Algorithm = bytes.Clone(c.ID), bytes.Clone(c.PublicKey), alg
	return c, nil
}
