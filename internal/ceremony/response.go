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

// Registration is the body of a finished registration, as
// PublicKeyCredential.toJSON() makes it (RegistrationResponseJSON, §5.1).
// Members that are not modelled are of no interest to a relying party or must
// not be believed.
type Registration struct {
	ID       Base64URL           `json:"id"`
	RawID    Base64URL           `json:"rawId"`
	Type     string              `json:"type"`
	Response AttestationResponse `json:"response"`
}

// AttestationResponse is what the authenticator answered to a registration.
type AttestationResponse struct {
	ClientDataJSON    Base64URL `json:"clientDataJSON"`
	AttestationObject Base64URL `json:"attestationObject"`

	// Transports is a hint that has no bearing on security. Unusable values
	// are dropped, and never refused.
	Transports Transports `json:"transports"`
}

// Assertion is the body of a finished assertion (AuthenticationResponseJSON,
// §5.1).
type Assertion struct {
	ID       Base64URL         `json:"id"`
	RawID    Base64URL         `json:"rawId"`
	Type     string            `json:"type"`
	Response AssertionResponse `json:"response"`
}

// AssertionResponse is what the authenticator answered to a request. A
// UserHandle that is null, empty or absent means that there is none.
type AssertionResponse struct {
	ClientDataJSON    Base64URL `json:"clientDataJSON"`
	AuthenticatorData Base64URL `json:"authenticatorData"`
	Signature         Base64URL `json:"signature"`
	UserHandle        Base64URL `json:"userHandle"`
}

// checkEnvelope checks the members both bodies share.
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
