package webauthn

// RegistrationResponse is the body of a finished registration, as
// PublicKeyCredential.toJSON() makes it (RegistrationResponseJSON, §5.1).
// Members that are not modelled are of no interest to a relying party or must
// not be believed.
type RegistrationResponse struct {
	ID       Base64URL                        `json:"id"`
	RawID    Base64URL                        `json:"rawId"`
	Type     string                           `json:"type"`
	Response AuthenticatorAttestationResponse `json:"response"`
}

// AuthenticatorAttestationResponse is what the authenticator answered to a registration.
type AuthenticatorAttestationResponse struct {
	ClientDataJSON    Base64URL `json:"clientDataJSON"`
	AttestationObject Base64URL `json:"attestationObject"`

	// Transports is a hint that has no bearing on security. Unusable values
	// are dropped, and never refused.
	Transports Transports `json:"transports"`
}

// AuthenticationResponse is the body of a finished authentication (AuthenticationResponseJSON,
// §5.1).
type AuthenticationResponse struct {
	ID       Base64URL                      `json:"id"`
	RawID    Base64URL                      `json:"rawId"`
	Type     string                         `json:"type"`
	Response AuthenticatorAssertionResponse `json:"response"`
}

// AuthenticatorAssertionResponse is what the authenticator answered to a request. A
// UserHandle that is null, empty or absent means that there is none.
type AuthenticatorAssertionResponse struct {
	ClientDataJSON    Base64URL `json:"clientDataJSON"`
	AuthenticatorData Base64URL `json:"authenticatorData"`
	Signature         Base64URL `json:"signature"`
	UserHandle        Base64URL `json:"userHandle"`
}
