package webauthn

// CreationOptions is PublicKeyCredentialCreationOptionsJSON, as
// PublicKeyCredential.parseCreationOptionsFromJSON takes it (§5.1.8).
type CreationOptions struct {
	Challenge              Base64URL              `json:"challenge"`
	RP                     RPEntity               `json:"rp"`
	User                   UserEntity             `json:"user"`
	PubKeyCredParams       []CredentialParameter  `json:"pubKeyCredParams"`
	Timeout                int64                  `json:"timeout"` // milliseconds
	Attestation            string                 `json:"attestation"`
	ExcludeCredentials     []CredentialDescriptor `json:"excludeCredentials"`
	AuthenticatorSelection AuthenticatorSelection `json:"authenticatorSelection"`
	Extensions             CreationExtensions     `json:"extensions"`
	Hints                  []string               `json:"hints"`
}

// RequestOptions is PublicKeyCredentialRequestOptionsJSON, as
// PublicKeyCredential.parseRequestOptionsFromJSON takes it (§5.1.9).
type RequestOptions struct {
	RPID             string                 `json:"rpId"`
	Challenge        Base64URL              `json:"challenge"`
	AllowCredentials []CredentialDescriptor `json:"allowCredentials"`
	Timeout          int64                  `json:"timeout"` // milliseconds
	UserVerification string                 `json:"userVerification"`

	// Hints are left out where there is nothing to say.
	Hints []string `json:"hints,omitempty"`
}

// RPEntity is PublicKeyCredentialRpEntity (§5.4.2).
type RPEntity struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// UserEntity is PublicKeyCredentialUserEntityJSON (§5.1.8).
type UserEntity struct {
	ID          Base64URL `json:"id"`
	Name        string    `json:"name"`
	DisplayName string    `json:"displayName"`
}

// CredentialParameter is PublicKeyCredentialParameters (§5.3).
type CredentialParameter struct {
	Alg  int64  `json:"alg"`
	Type string `json:"type"`
}

// CredentialDescriptor is PublicKeyCredentialDescriptorJSON (§5.1.8).
// Transports that are not known are left out: a wrong guess keeps the client
// from finding the authenticator.
type CredentialDescriptor struct {
	ID         Base64URL `json:"id"`
	Type       string    `json:"type"`
	Transports []string  `json:"transports,omitempty"`
}

// AuthenticatorSelection is AuthenticatorSelectionCriteria (§5.4.4).
type AuthenticatorSelection struct {
	ResidentKey        string `json:"residentKey"`
	RequireResidentKey bool   `json:"requireResidentKey"`
	UserVerification   string `json:"userVerification"`
}

// CreationExtensions are the extensions asked for at registration. The answers
// are for the page; the server does not read them.
type CreationExtensions struct {
	CredProps bool `json:"credProps"`
}
